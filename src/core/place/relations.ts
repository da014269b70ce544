// What workloads of one app have to do with each other: which keep apart, and which follow which.

import { hostKey } from "./queue";
import { isFinal } from "../model/lifecycle";
import { tasksOf, workloadNameOf, type Demand, type Pass } from "../pass/pass";

/** A workload that keeps apart from others of its app, or goes where they are. */
export interface Related {
  readonly name: string;
  readonly from: readonly string[];
  readonly follows: readonly string[];
}

/** By app uid, the workloads that have to do with others; computed when somebody asks first. */
export interface Relations {
  related: ReadonlyMap<string, readonly Related[]> | null;
}

/** Tasks that must be on the node. `first`: the slot can go nowhere before one of these tasks is placed. */
export interface Leader {
  readonly key: string;
  readonly first: boolean;
}

export function togetherOf(pass: Pass, { owner, spec }: Demand): readonly Leader[] {
  if (owner.app_uid === null) return [];
  const names = spec.place.together_with.filter((name) => name !== workloadNameOf(owner));
  return names.map((name) => ({ key: hostKey(owner, owner.uid, name), first: comesFirst(pass, owner.app_uid, name) }));
}

/**
 * Returns whether workloads that follow this one wait for its first task. They wait if it is sure to ask for one: it is
 * a daemon or a service with replicas, is not being removed, and follows no workload itself.
 */
function comesFirst(pass: Pass, app_uid: string | null, name: string): boolean {
  for (const workload of pass.state.workloads.values()) {
    if (workload.app_uid !== app_uid || workload.name !== name) continue;
    const comes = workload.kind === "daemon" || (workload.kind === "service" && workload.settings.replicas > 0);
    return comes && !workload.removing && pass.snapshot.spec(workload.spec_hash).place.together_with.length === 0;
  }
  return false;
}

const NOBODY: readonly string[] = [];

/**
 * Returns the host keys that a demand keeps apart from: of the workloads that it names, and of those of its app that
 * name it, or did when a run of theirs was submitted.
 */
export function apartOf(pass: Pass, shapes: Relations, { owner, spec }: Demand): readonly string[] {
  const others = relatedIn(pass, shapes, owner.app_uid);
  if (others.length === 0) return NOBODY;
  const name = workloadNameOf(owner);
  const names = new Set(spec.place.apart_from);
  for (const other of others) if (other.from.includes(name)) names.add(other.name);
  return [...names].sort().map((each) => hostKey(owner, owner.uid, each));
}

/** Returns the host keys of the workloads that want to be where a demand is. */
export function followersOf(pass: Pass, shapes: Relations, { owner }: Demand): readonly string[] {
  const name = workloadNameOf(owner);
  const followers = relatedIn(pass, shapes, owner.app_uid).filter((other) => other.follows.includes(name));
  if (followers.length === 0) return NOBODY;
  const names = new Set(followers.map((other) => other.name));
  return [...names].sort().map((each) => hostKey(owner, owner.uid, each));
}

const relatedIn = (pass: Pass, shapes: Relations, app_uid: string | null): readonly Related[] =>
  app_uid === null ? [] : ((shapes.related ??= relatedByApp(pass)).get(app_uid) ?? []);

/**
 * Returns, by app, the workloads that keep apart from others or follow them: as they are now, and as they were when a
 * run was submitted that is not over.
 */
function relatedByApp({ state, snapshot }: Pass): ReadonlyMap<string, readonly Related[]> {
  const related = new Map<string, Related[]>();
  const add = (app_uid: string, name: string, spec_hash: string): void => {
    const { apart_from: from, together_with: follows } = snapshot.spec(spec_hash).place;
    if (from.length === 0 && follows.length === 0) return;
    related.getOrInsertComputed(app_uid, () => []).push({ name, from, follows });
  };
  for (const { app_uid, name, spec_hash } of state.workloads.values()) add(app_uid, name, spec_hash);
  const earlier = new Set<string>();
  for (const run of state.runs.values()) {
    const { app_uid, workload_uid, spec_hash } = run;
    if (app_uid === null || isFinal(run.state)) continue;
    if (workload_uid !== null && state.workloads.get(workload_uid)?.spec_hash === spec_hash) continue;
    const name = workloadNameOf(run);
    const key = `${app_uid} ${name} ${spec_hash}`;
    if (earlier.has(key)) continue;
    earlier.add(key);
    add(app_uid, name, spec_hash);
  }
  return related;
}

export function ownTasks(pass: Pass, owner_uid: string, slot: number): ReadonlyMap<string, number> | null {
  const own = new Map<string, number>();
  for (const task of tasksOf(pass, owner_uid)) {
    if (task.slot === slot) own.set(task.node_id, (own.get(task.node_id) ?? 0) + 1);
  }
  return own.size === 0 ? null : own;
}
