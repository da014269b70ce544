// Runs: from the ends of the newest attempt to the next attempt, or to the run's own end. A gang's attempt has several
// members.

import { compareText } from "../canonical";
import { fullName } from "../model/task";
import { exclusiveSilence, type NodeFact } from "../pass/contact";
import { formatAge, formatDuration } from "../format";
import type { RunRow, SlotRow } from "../model/rows-work";
import type { TaskRow } from "../model/rows-task";
import { askedEnds } from "../model/unknown";
import { commandNowhere } from "../why/no-command";
import { ask } from "./ask";
import { repelledBy } from "../place/labels";
import { waitFor, type ReconcileDraft } from "./draft";
import { orphanWait } from "./orphans";
import { declaredSuccess, hasSucceeded, NO_CODE, noteOf, sayEnd, whyFailed, type Result } from "./outcome";
import {
  drainDueAt,
  isDrainDue,
  isUp,
  setRun,
  settlesAt,
  slotOf,
  stopTask,
  tasksOf,
  wakeAt,
  type Demand,
  type Pass,
} from "../pass/pass";
import { turnIsLate } from "../place/lines";
import { hasBegun, isHeir } from "../model/heirs";
import { forgetHint, isGone } from "./replicas";
import { howEnded, sayBackOff } from "../pass/crashes";
import type { Ms } from "../units";
import type { StopSettings, TaskSpec } from "../model/workload";

/** Brings a run a step on. The run waits for no other, or is to be cancelled. */
export function reconcileRun(draft: ReconcileDraft, run: RunRow): void {
  const { pass } = draft;
  const spec = pass.snapshot.spec(run.spec_hash);
  const tasks = tasksOf(pass, run.uid);
  const cancelled = whyCancelled(pass, run);
  const slot = slotOf(pass, run.uid, 0);
  if (run.state === "queued" && tasks.length === 0 && slot === null && cancelled === null) {
    demand(draft, run, spec, null, [], "new");
    return;
  }
  const open = tasks.filter((task) => task.written_off === null);
  const declared = declaredSuccess(slot);
  if (hasSucceeded(slot, spec.members)) {
    finish(draft, run, "succeeded", { ...NO_CODE, reason: noteOf(slot), exit_code: 0 }, slot);
  } else if (declared !== null) {
    finish(draft, run, "succeeded", declared, slot);
  } else if (cancelled !== null) {
    if (open.length === 0) {
      const failed = slot !== null && endedBefore(run, slot) ? whyFailed(pass.limits, run, slot, null) : null;
      if (failed !== null) finish(draft, run, "failed", failed, slot);
      else finish(draft, run, "cancelled", { ...NO_CODE, reason: run.reason ?? cancelled }, slot);
      return;
    }
    for (const task of tasks) stopTask(draft, task, run.settings.stop, cancelled);
    noteAttempt(draft, run, open);
  } else if (open.length > 0) {
    reconcileAttempt(draft, run, spec, slot, open, tasks);
  } else {
    nextAttempt(draft, run, spec, slot);
  }
}

/**
 * Returns whether a run's newest attempt ended before the run was cancelled. A silent node reports such an end after
 * the cancel, which then had nothing to end.
 */
const endedBefore = ({ cancel }: RunRow, { ends }: SlotRow): boolean =>
  cancel !== null && ends.length > 0 && ends.every(({ at_ms }) => at_ms < cancel.at_ms);

/** Returns why a run is to be cancelled, or null. */
export function whyCancelled(pass: Pass, run: RunRow): string | null {
  if (run.cancel !== null) return `cancelled by ${run.cancel.by}`;
  if (run.workload_uid === null) return null;
  const workload = pass.state.workloads.get(run.workload_uid);
  if (workload === undefined) return null;
  const removing = workload.removing || pass.state.apps.get(workload.app_uid)?.removing === true;
  return removing ? `${workload.app}.${workload.name} is being removed` : null;
}

/** Asks for an attempt of a run, or ends a run that can begin nowhere. */
export function demand(
  draft: ReconcileDraft,
  run: RunRow,
  spec: TaskSpec,
  slot_row: SlotRow | null,
  gives_up: readonly TaskRow[],
  why: string,
): void {
  const orphan = spec.exclusive ? orphanWait(draft.pass, run, 0) : null;
  if (orphan !== null) {
    draft.waits.push(orphan);
    return;
  }
  const wanted: Demand = {
    owner: run,
    kind: "job",
    spec,
    slot: 0,
    slot_row,
    only: null,
    gives_up,
    stops_first: null,
    why,
  };
  const nowhere = commandNowhere(draft.pass, wanted);
  if (nowhere === null) draft.demands.push(wanted);
  else finish(draft, run, "failed", { ...NO_CODE, cause: "no_command", ...nowhere }, slot_row);
}

/** Ends a run. */
export function finish(
  draft: ReconcileDraft,
  run: RunRow,
  state: "succeeded" | "failed" | "cancelled",
  result: Result,
  slot: SlotRow | null,
): void {
  const { pass } = draft;
  const ended = Math.max(...(slot?.ends ?? []).map((end) => end.at_ms), run.started_ms ?? 0);
  const finished_ms =
    state === "cancelled" || ended === 0 || run.array !== null ? pass.now_ms : Math.min(ended, pass.now_ms);
  for (const task of tasksOf(pass, run.uid)) stopTask(draft, task, run.settings.stop, `its run is over: ${state}`);
  setRun(draft, { ...run, ...result, state, finished_ms }, result.reason ?? state);
}

// ---- while an attempt has tasks

function reconcileAttempt(
  draft: ReconcileDraft,
  run: RunRow,
  spec: TaskSpec,
  slot: SlotRow | null,
  open: readonly TaskRow[],
  tasks: readonly TaskRow[],
): void {
  const { pass } = draft;
  const policy = { give_up_after_ms: giveUpAfter(pass, run, spec) };
  const gone = open.filter((task) => isGone(pass, policy, task));
  if (gone.length === open.length) {
    nextAttempt(draft, run, spec, slot, gone);
    return;
  }
  for (const task of open) wakeAt(draft, drainDueAt(pass, task, run.settings.stop));
  const why = whyAttemptEnds(pass, spec, slot, open, gone, run.settings.stop);
  if (why !== null) for (const task of open) stopTask(draft, task, run.settings.stop, why);
  takeBackHeirs(draft, run, open);
  noteAttempt(draft, run, open);
  if (why === null && open.some((task) => task.desired === "prepare")) gangGoes(draft, run, spec, open);
  stopReturned(draft, run, spec, open, tasks);
}

/** Returns why a whole attempt must end because of one of its tasks, or null. */
function whyAttemptEnds(
  pass: Pass,
  spec: TaskSpec,
  slot: SlotRow | null,
  open: readonly TaskRow[],
  gone: readonly TaskRow[],
  settings: StopSettings,
): string | null {
  if (open.some((task) => isDrainDue(pass, task, settings))) return "drained: the node's deadline has come";
  for (const { node_id } of open) {
    const node = pass.nodes.get(node_id)?.node;
    const repelled = node === undefined || node.taints.length === 0 ? null : repelledBy(spec, node);
    if (repelled !== null) return repelled;
  }
  if (spec.members === 1) return null;
  const attempt = open[0]?.attempt;
  const bad = slot?.ends.find((end) => end.attempt === attempt && end.state !== "succeeded");
  if (bad !== undefined) return `member ${bad.member} has ended: ${sayEnd(bad)}`;
  const stopping = open.find((task) => task.desired === "stop");
  if (stopping !== undefined) return `member ${stopping.member} is being stopped`;
  const [silent] = gone;
  if (silent !== undefined) return `the node of member ${silent.member} is silent`;
  const ended = slot?.ends.filter((end) => end.attempt === attempt).length ?? 0;
  return open.length + ended < spec.members ? "a member is missing" : null;
}

/** Takes an heir back whose turn does not come soon: its node gives its work away, or those before it run for long. */
function takeBackHeirs(draft: ReconcileDraft, run: RunRow, open: readonly TaskRow[]): void {
  const { pass } = draft;
  for (const task of open) {
    if (!isHeir(task, pass.state.tasks) || hasBegun(task)) continue;
    const { at_ms, why } = turnIsLate(pass, task);
    if (at_ms > pass.now_ms) wakeAt(draft, Number.isFinite(at_ms) ? at_ms : null);
    else stopTask(draft, task, run.settings.stop, `its turn has not come: ${why}`, { unbegun: true });
  }
}

/** Returns how long a node of a run may be silent before it is given up; null for ever. */
export function giveUpAfter(pass: Pass, run: RunRow, spec: TaskSpec): Ms | null {
  if (run.settings.on_node_loss === "wait") return null;
  const { requeue_after_ms } = pass.limits;
  return spec.exclusive ? Math.max(requeue_after_ms, exclusiveSilence(pass.limits)) : requeue_after_ms;
}

/**
 * Marks a run that has tasks as running, and notes in it the silent nodes that it waits for. The note goes when they
 * are heard. The row of a run that somebody cancelled stays as it is.
 */
export function noteAttempt(draft: ReconcileDraft, run: RunRow, open: readonly TaskRow[]): void {
  const { pass } = draft;
  const silent: NodeFact[] = [];
  for (const task of open) {
    const fact = pass.nodes.get(task.node_id);
    if (fact !== undefined && fact.node.contact !== "connected" && !silent.includes(fact)) silent.push(fact);
  }
  silent.sort((a, b) => compareText(a.node.name, b.node.name));
  const [first] = silent;
  const names = silent.map((fact) => fact.node.name).join(", ");
  if (first !== undefined) {
    waitFor(
      draft,
      run,
      0,
      { before: `waits for its node: ${names} has been silent for `, is: "age", ms: first.silence_ms, after: "" },
      [forgetHint(first)],
    );
  }
  const reason = first === undefined ? null : `waits for node ${names}, which is silent: ${forgetHint(first)}`;
  if (run.cancel !== null || (run.reason === reason && run.state === "running")) return;
  const started_ms = run.started_ms ?? pass.now_ms;
  setRun(draft, { ...run, state: "running", started_ms, reason }, reason ?? "it has a task that is heard of");
}

/**
 * Stops the attempts that were written off and whose nodes are heard again: exclusive ones at once, others when the
 * attempt that replaced them is up.
 */
function stopReturned(
  draft: ReconcileDraft,
  run: RunRow,
  spec: TaskSpec,
  open: readonly TaskRow[],
  tasks: readonly TaskRow[],
): void {
  const { pass } = draft;
  const returned = tasks.filter((task) => task.written_off !== null && pass.nodes.get(task.node_id)?.heard === true);
  if (returned.length === 0) return;
  for (const task of open) wakeAt(draft, settlesAt(pass, task));
  if (!spec.exclusive && !(open.length === spec.members && open.every((task) => isUp(pass, task)))) return;
  for (const task of returned) stopTask(draft, task, run.settings.stop, "replaced while its node was silent");
}

// ---- between two attempts

function nextAttempt(
  draft: ReconcileDraft,
  run: RunRow,
  spec: TaskSpec,
  slot: SlotRow | null,
  gone: readonly TaskRow[] = [],
): void {
  const { pass } = draft;
  const [lost] = gone;
  const fact = lost === undefined ? undefined : pass.nodes.get(lost.node_id);
  const silence = fact === undefined ? null : `${fact.node.name} has been silent for ${formatAge(fact.silence_ms)}`;
  const failure = slot === null ? null : whyFailed(pass.limits, run, slot, silence);
  if (failure !== null) {
    finish(draft, run, "failed", failure, slot);
    return;
  }
  const asked = askedEnds(run, slot, []);
  if (asked.length > 0) return ask(draft, run, asked);
  if (spec.exclusive && stopGivenUp(draft, run)) return;
  const held = slot === null ? null : sayBackOff(slot, pass.now_ms);
  if (slot !== null && held !== null) {
    wakeAt(draft, slot.not_before_ms);
    waitFor(draft, run, 0, held);
    return;
  }
  const attempt = slot === null || slot.attempts === 0 ? "new" : `attempt ${slot.attempts + 1}, ${howEnded(slot)}`;
  const why = silence ?? attempt;
  demand(draft, run, spec, slot, gone, why);
}

/** Stops what was written off and is heard of again; says whether anything is. An exclusive one must end first. */
export function stopGivenUp(draft: ReconcileDraft, run: RunRow): boolean {
  const { pass } = draft;
  const returned = tasksOf(pass, run.uid).filter(
    (task) => task.written_off !== null && pass.nodes.get(task.node_id)?.heard === true,
  );
  for (const task of returned) stopTask(draft, task, run.settings.stop, "it was given up while its node was silent");
  return returned.length > 0;
}

/** Lets a prepared gang go, or withdraws it when its deadline has come. */
function gangGoes(draft: ReconcileDraft, run: RunRow, spec: TaskSpec, open: readonly TaskRow[]): void {
  const { pass } = draft;
  const members = [...open].sort((a, b) => a.member - b.member);
  const unready = members.filter((task) => !isReady(pass, task));
  if (unready.length === 0 && members.length === spec.members) {
    for (const task of members) {
      if (task.desired === "prepare")
        draft.ops.push({ op: "go", task, why: `all ${spec.members} members are prepared` });
    }
    return;
  }
  const placed = Math.min(...members.map((task) => task.created_ms));
  const deadline = placed + pass.limits.prepare_deadline_ms;
  wakeAt(draft, deadline);
  if (deadline > pass.now_ms) return;
  const why =
    `withdrawn: not prepared within ${formatDuration(pass.limits.prepare_deadline_ms)}: ` +
    unready.map((task) => sayUnready(pass, task)).join(", ");
  for (const task of members) stopTask(draft, task, run.settings.stop, why);
}

/** Returns whether a member is prepared, on a node that will hear the order. */
function isReady(pass: Pass, task: TaskRow): boolean {
  if (pass.nodes.get(task.node_id)?.heard !== true) return false;
  return task.desired === "run" || (task.observed.state === "preparing" && task.observed.prepared);
}

function sayUnready(pass: Pass, task: TaskRow): string {
  const node = pass.nodes.get(task.node_id)?.node.name ?? task.node_id;
  const reason = task.observed.state === "preparing" && task.observed.reason !== null ? ` ${task.observed.reason}` : "";
  return `${fullName(task)} on ${node}${reason}`;
}
