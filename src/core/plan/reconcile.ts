// From what is wanted and what is there to stops, ends and demands: every app, workload, run and stray task once.

import { compareText } from "../canonical";
import { resolveWaiting } from "./after";
import { isFinal } from "../model/lifecycle";
import { lostFinal } from "../model/task";
import { reconcileRun } from "./jobs";
import type { RunRow, SlotRow, WorkloadRow } from "../model/rows-work";
import type { TaskRow } from "../model/rows-task";
import { runOf, slotOf, stopTask, tasksOf, type Pass } from "../pass/pass";
import { slotAfterEnd } from "../pass/slot";
import { reconcileDaemon, reconcileService } from "./services";

/** Decides everything but where; what needs a node ends up in `pass.demands`. */
export function reconcile(pass: Pass): void {
  loseForgotten(pass);
  stopOwnerless(pass);
  reconcileRuns(pass);
  for (const workload of pass.state.workloads.values()) reconcileWorkload(pass, workload);
}

// ---- runs

function reconcileRuns(pass: Pass): void {
  const waiting: RunRow[] = [];
  const final: RunRow[] = [];
  for (const run of pass.state.runs.values()) {
    if (isFinal(run.state)) final.push(run);
    else if (run.state === "waiting" && run.cancel === null && !isOwnerRemoving(pass, run)) waiting.push(run);
    else reconcileRun(pass, run);
  }
  resolveWaiting(pass, waiting);
  for (const row of waiting) {
    const run = runOf(pass, row.uid);
    if (run?.state === "queued") reconcileRun(pass, run);
  }
  for (const run of final) {
    for (const task of tasksOf(pass, run.uid)) stopTask(pass, task, run.settings.stop, `its run is over: ${run.state}`);
  }
}

function isOwnerRemoving(pass: Pass, run: RunRow): boolean {
  const workload = run.workload_uid === null ? undefined : pass.state.workloads.get(run.workload_uid);
  return workload !== undefined && isRemoving(pass, workload);
}

/** Runs that are over leave the live state once nothing of them lives and no waiting run asks for their result. */
export function archiveRuns(pass: Pass): void {
  const asked = new Set<string>();
  const final: RunRow[] = [];
  for (const row of pass.state.runs.values()) {
    const run = pass.runs.get(row.uid)?.run ?? row;
    if (isFinal(run.state)) final.push(run);
    else if (run.state === "waiting") for (const each of run.after) if (each.met === null) asked.add(each.uid);
  }
  for (const run of final.sort((a, b) => a.run - b.run)) {
    if (tasksOf(pass, run.uid).length > 0 || asked.has(run.uid)) continue;
    pass.ops.push({ op: "archive", run, why: `it is over: ${run.state}` });
  }
}

// ---- workloads

const isRemoving = (pass: Pass, workload: WorkloadRow): boolean =>
  workload.removing || pass.state.apps.get(workload.app_uid)?.removing === true;

function reconcileWorkload(pass: Pass, workload: WorkloadRow): void {
  if (isRemoving(pass, workload)) {
    const why = `${workload.app}.${workload.name} is being removed`;
    for (const task of tasksOf(pass, workload.uid)) stopTask(pass, task, workload.settings.stop, why);
  } else if (workload.kind === "service") {
    reconcileService(pass, workload);
  } else if (workload.kind === "daemon") {
    reconcileDaemon(pass, workload, (node_id) => !nodesWithWork(pass).has(node_id));
  }
}

/** Nodes that have tasks other than daemons'; those of daemons are stopped last. */
function nodesWithWork(pass: Pass): ReadonlySet<string> {
  if (pass.nodes_with_work !== null) return pass.nodes_with_work;
  const nodes = new Set<string>();
  for (const tasks of pass.tasks.values())
    for (const task of tasks) if (task.kind !== "daemon") nodes.add(task.node_id);
  pass.nodes_with_work = nodes;
  return nodes;
}

/** Takes away what is removed and has nothing left: workloads first, then their apps. */
export function removeEmpty(pass: Pass): void {
  const removing = [...pass.state.workloads.values()].filter((workload) => isRemoving(pass, workload));
  const apps = [...pass.state.apps.values()].filter((app) => app.removing);
  if (removing.length === 0 && apps.length === 0) return;
  const archived = new Set(pass.ops.flatMap((op) => (op.op === "archive" ? [op.run.uid] : [])));
  const busy = new Set<string | null>();
  for (const run of pass.state.runs.values()) if (!archived.has(run.uid)) busy.add(run.workload_uid);
  const left = new Set<string>();
  for (const workload of removing)
    if (busy.has(workload.uid) || tasksOf(pass, workload.uid).length > 0) left.add(workload.uid);
  for (const workload of removing.sort(byUid)) {
    if (left.has(workload.uid)) continue;
    pass.ops.push({
      op: "remove",
      what: "workload",
      uid: workload.uid,
      name: `${workload.app}.${workload.name}`,
      why: "nothing of it is left",
    });
  }
  const full = new Set<string>();
  for (const workload of pass.state.workloads.values()) {
    if (!isRemoving(pass, workload) || left.has(workload.uid)) full.add(workload.app_uid);
  }
  for (const app of apps.sort(byUid)) {
    if (!full.has(app.uid))
      pass.ops.push({ op: "remove", what: "app", uid: app.uid, name: app.name, why: "nothing of it is left" });
  }
}

const byUid = (a: { readonly uid: string }, b: { readonly uid: string }): number => compareText(a.uid, b.uid);

// ---- tasks without a place in the world

/** Tasks whose owner is gone for good have nothing to live for. */
function stopOwnerless(pass: Pass): void {
  for (const [owner_uid, tasks] of pass.tasks) {
    if (pass.state.workloads.has(owner_uid) || pass.state.runs.has(owner_uid)) continue;
    for (const task of tasks) stopTask(pass, task, { signal: "TERM", grace_ms: 10_000 }, "what it belongs to is gone");
  }
}

/** Tasks of a node that was forgotten are lost: the operator has vouched for it. */
function loseForgotten(pass: Pass): void {
  const forgotten: TaskRow[] = [];
  for (const [owner_uid, tasks] of pass.tasks) {
    if (tasks.every((task) => pass.nodes.has(task.node_id))) continue;
    forgotten.push(...tasks.filter((task) => !pass.nodes.has(task.node_id)));
    pass.tasks.set(
      owner_uid,
      tasks.filter((task) => pass.nodes.has(task.node_id)),
    );
  }
  // In an order of its own, since the members of a gang write one slot after the other.
  forgotten.sort((a, b) => a.attempt - b.attempt || compareText(a.uid, b.uid));
  for (const task of forgotten) lose(pass, task);
}

function lose(pass: Pass, task: TaskRow): void {
  const why = "its node was forgotten";
  const final = lostFinal(task, "node_forgotten", why, pass.now_ms);
  const settings = (pass.state.runs.get(task.owner_uid) ?? pass.state.workloads.get(task.owner_uid))?.settings;
  let slot: SlotRow | null = null;
  if (settings !== undefined && task.written_off === null) {
    slot = slotAfterEnd(slotOf(pass, task.owner_uid, task.slot), task, final, settings, pass.limits);
    pass.slots.set(slot.key, slot);
  }
  pass.ops.push({ op: "lose", task, final, slot, why });
}
