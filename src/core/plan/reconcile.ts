// Compares what is wanted with what there is: examines every workload, run and ownerless task, and finds stops, ends of
// runs, and demands.

import { compareText } from "../canonical";
import { resolveWaiting } from "./after";
import { reconcileArray } from "./arrays";
import { isFinal } from "../model/lifecycle";
import { reconcileRun } from "./jobs";
import type { AppRow, RunRow, WorkloadRow } from "../model/rows-work";
import { newDraft, type ReconcileDraft, type Reconciled } from "./draft";
import { runOf, stopTask, tasksOf, type Findings, type Pass } from "../pass/pass";
import type { Op } from "../pass/snapshot";
import { reconcileDaemon, reconcileService } from "./services";

/**
 * Decides for every workload, run and ownerless task what stops, what ends and what is wanted. A slot that needs a node
 * becomes a demand, for which `schedule` finds the place.
 */
export function reconcile(pass: Pass): Reconciled {
  const draft = newDraft(pass);
  stopOwnerless(draft);
  reconcileRuns(draft);
  reconcileWorkloads(draft);
  return draft;
}

// ---- runs

function reconcileRuns(draft: ReconcileDraft): void {
  const { pass } = draft;
  const waiting: RunRow[] = [];
  const final: RunRow[] = [];
  for (const run of pass.state.runs.values()) {
    if (isFinal(run.state)) final.push(run);
    else if (run.state === "waiting" && run.cancel === null && !isOwnerRemoving(pass, run)) waiting.push(run);
    else reconcileOne(draft, run);
  }
  resolveWaiting(draft, waiting);
  for (const row of waiting) {
    const run = runOf(pass, draft, row.uid);
    if (run?.state === "queued") reconcileOne(draft, run);
  }
  for (const run of final) {
    for (const task of tasksOf(pass, run.uid))
      stopTask(draft, task, run.settings.stop, `its run is over: ${run.state}`);
  }
}

function reconcileOne(draft: ReconcileDraft, run: RunRow): void {
  if (run.array === null) reconcileRun(draft, run);
  else reconcileArray(draft, run, run.array);
}

function isOwnerRemoving(pass: Pass, run: RunRow): boolean {
  const workload = run.workload_uid === null ? undefined : pass.state.workloads.get(run.workload_uid);
  return workload !== undefined && isRemoving(pass, workload);
}

/**
 * Returns the runs that leave the live state: they are over, none of their tasks lives, and no waiting run asks for
 * their result.
 */
export function archiveRuns(pass: Pass, found: Pick<Findings, "runs">): Archive[] {
  const asked = new Set<string>();
  const final: RunRow[] = [];
  for (const row of pass.state.runs.values()) {
    const run = found.runs.get(row.uid)?.run ?? row;
    if (isFinal(run.state)) final.push(run);
    else if (run.state === "waiting") for (const each of run.after) if (each.met === null) asked.add(each.uid);
  }
  return final
    .filter((run) => tasksOf(pass, run.uid).length === 0 && !asked.has(run.uid))
    .sort((a, b) => a.run - b.run)
    .map((run) => ({ op: "archive", run, why: `it is over: ${run.state}` }));
}

type Archive = Extract<Op, { op: "archive" }>;

// ---- workloads

const isRemoving = (pass: Pass, workload: WorkloadRow): boolean =>
  workload.removing || pass.state.apps.get(workload.app_uid)?.removing === true;

function reconcileWorkloads(draft: ReconcileDraft): void {
  const { pass } = draft;
  let withWork: ReadonlySet<string> | null = null;
  const onlyDaemonsLeft = (node_id: string): boolean => !(withWork ??= nodesWithWork(pass)).has(node_id);
  for (const workload of pass.state.workloads.values()) {
    if (isRemoving(pass, workload)) {
      const why = `${workload.app}.${workload.name} is being removed`;
      for (const task of tasksOf(pass, workload.uid)) stopTask(draft, task, workload.settings.stop, why);
    } else if (workload.kind === "service") {
      reconcileService(draft, workload);
    } else if (workload.kind === "daemon") {
      reconcileDaemon(draft, workload, onlyDaemonsLeft);
    }
  }
}

/** Returns the nodes with a task of a service or a job. On a draining node, daemons' tasks stop after those. */
function nodesWithWork(pass: Pass): ReadonlySet<string> {
  const nodes = new Set<string>();
  for (const tasks of pass.tasks.values())
    for (const task of tasks) if (task.kind !== "daemon") nodes.add(task.node_id);
  return nodes;
}

/** Removes the workloads that are being removed and have nothing left, then such apps. */
export function removeEmpty(pass: Pass, archives: readonly Archive[]): Op[] {
  const removing = [...pass.state.workloads.values()].filter((workload) => isRemoving(pass, workload));
  const apps = [...pass.state.apps.values()].filter((app) => app.removing);
  if (removing.length === 0 && apps.length === 0) return [];
  const archived = new Set(archives.map(({ run }) => run.uid));
  const busy = new Set<string | null>();
  for (const run of pass.state.runs.values()) if (!archived.has(run.uid)) busy.add(run.workload_uid);
  const left = new Set<string>();
  for (const workload of removing)
    if (busy.has(workload.uid) || tasksOf(pass, workload.uid).length > 0) left.add(workload.uid);
  const full = new Set<string>();
  for (const workload of pass.state.workloads.values()) {
    if (!isRemoving(pass, workload) || left.has(workload.uid)) full.add(workload.app_uid);
  }
  return [
    ...removing
      .filter(({ uid }) => !left.has(uid))
      .sort(byUid)
      .map((row): Op => removal("workload", row, `${row.app}.${row.name}`)),
    ...apps
      .filter(({ uid }) => !full.has(uid))
      .sort(byUid)
      .map((row): Op => removal("app", row, row.name)),
  ];
}

const removal = (what: "app" | "workload", { uid, project }: AppRow | WorkloadRow, name: string): Op => ({
  op: "remove",
  what,
  uid,
  name,
  project,
  why: "nothing of it is left",
});

const byUid = (a: { readonly uid: string }, b: { readonly uid: string }): number => compareText(a.uid, b.uid);

// ---- tasks without an owner

/** Stops tasks whose owner is gone for good. */
function stopOwnerless(draft: ReconcileDraft): void {
  const { pass } = draft;
  for (const [owner_uid, tasks] of pass.tasks) {
    if (pass.state.workloads.has(owner_uid) || pass.state.runs.has(owner_uid)) continue;
    for (const task of tasks) stopTask(draft, task, { signal: "TERM", grace_ms: 10_000 }, "what it belongs to is gone");
  }
}
