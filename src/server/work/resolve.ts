// Resolves what people type to a task, a slot, a workload or a run: by name, by number, or by the start of an id.

import type { State } from "../../core/model/rows-state";
import type { RunRow, WorkloadRow } from "../../core/model/rows-work";
import type { TaskRow } from "../../core/model/rows-task";
import { isPart, isUidStart, parseName, withUid, type NamedPart, type WorkName } from "../../core/model/task";
import type { Store } from "../../store/store";
import { findApp } from "./apps";
import { notFound, RefusedError } from "../refused";
import { runByNumber } from "./runs";

/**
 * What a reference names: the owner of tasks, and which of the owner's tasks. A null `slot`, `member` or `attempt`
 * means all of them.
 */
export interface Meant extends NamedPart {
  /** The uid of the tasks' owner: a run or a workload. */
  readonly owner_uid: string;
  readonly run: RunRow | null;
  readonly workload: WorkloadRow | null;
  readonly project: string;
  readonly user: string;
  readonly name: string;
  /** The task, if the reference is a task's id, else null. */
  readonly task: TaskRow | null;
}

/**
 * Returns what a reference means. Names in the asker's project win over the same names in others. Throws RefusedError
 * if nothing, or more than one thing, has that name.
 */
export function meantBy(store: Store, ref: string, project: string): Meant {
  const name = parseName(ref);
  const meant = (name === null ? null : byName(store, name, project)) ?? byId(store, ref);
  if (meant !== null) return meant;
  throw notFound(
    `there is no task, workload or run called ${ref.slice(0, 100)}`,
    "orch ps --all and orch runs show what there is; write PROJECT/APP.WORKLOAD for another project's",
  );
}

function byName(store: Store, name: WorkName, own: string): Meant | null {
  const found = name.is === "run" ? byRun(store, name.run) : byWorkload(store, name, own);
  if (found === null) return null;
  const { slot, member, attempt } = name;
  return { ...found, slot, member, attempt };
}

function byRun({ state, history }: Store, number: number): Meant | null {
  const run = runByNumber(state, history, number);
  return run === null ? null : ofRun(run);
}

const ofRun = (run: RunRow): Meant => ({
  owner_uid: run.uid,
  run,
  workload: null,
  project: run.project,
  user: run.user,
  name: run.name,
  slot: null,
  member: null,
  attempt: null,
  task: null,
});

function byWorkload(
  { state, history }: Store,
  { project, app, workload: job }: Extract<WorkName, { is: "workload" }>,
  own: string,
): Meant | null {
  const found = appOf(state, project, app, own);
  const workload = state.workloads.values().find((row) => row.app_uid === found && row.name === job);
  if (workload === undefined) return null;
  const { last_run } = workload;
  const run = last_run === null ? null : (state.runs.get(last_run.uid) ?? history.run(last_run.uid));
  return {
    owner_uid: run?.uid ?? workload.uid,
    run,
    workload,
    project: workload.project,
    user: workload.user,
    name: `${app}.${job}`,
    slot: null,
    member: null,
    attempt: null,
    task: null,
  };
}

/**
 * Returns the uid of the app with that name: in `project` if given, else in the asker's project `own`, else the only
 * such app of the cluster. Returns null if there is none, and throws RefusedError if several projects have one.
 */
export function appOf(state: State, project: string | null, name: string, own: string): string | null {
  const near = findApp(state, project ?? own, name);
  if (near !== undefined || project !== null) return near?.uid ?? null;
  const [first, second] = state.apps.values().filter((app) => app.name === name);
  if (second !== undefined) {
    throw new RefusedError("conflict", `several projects have an app called ${name}`, "Write PROJECT/APP");
  }
  return first?.uid ?? null;
}

/** Returns the row whose uid begins with `ref`, or null if there is none. Throws RefusedError if there are several. */
export function oneByUid<T>(rows: Iterable<T>, ref: string, uidOf: (row: T) => string): T | null {
  const [found, second] = withUid(rows, ref, uidOf);
  if (second !== undefined) throw new RefusedError("conflict", `several ids begin with ${ref}`, "Write more of it");
  return found ?? null;
}

function byId({ state, history }: Store, ref: string): Meant | null {
  const live = oneByUid(state.tasks.values(), ref, (task) => task.uid);
  const task = live ?? (isUidStart(ref) ? history.task(ref) : null);
  if (task === null) return null;
  const { owner_uid, project, user, slot, member, attempt } = task;
  return {
    owner_uid,
    run: state.runs.get(owner_uid) ?? null,
    workload: state.workloads.get(owner_uid) ?? null,
    project,
    user,
    name: ref,
    slot,
    member,
    attempt,
    task,
  };
}

const ENDED_LOOKED_AT = 1_000;

/** Returns the tasks that are meant, newest first: living tasks and ended ones. */
export function tasksOf({ state, history }: Store, meant: Meant): TaskRow[] {
  if (meant.task !== null) return [meant.task];
  const { owner_uid, attempt } = meant;
  const all = [
    ...state.tasks.values().filter((task) => task.owner_uid === owner_uid),
    ...history.tasks({ owner_uid, limit: ENDED_LOOKED_AT, ...(attempt === null ? {} : { attempt }) }),
  ];
  return all
    .filter((task) => isPart(meant, task))
    .sort((a, b) => b.attempt - a.attempt || b.created_ms - a.created_ms || a.slot - b.slot || a.member - b.member);
}
