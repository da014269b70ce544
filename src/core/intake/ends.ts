// What a task's end changes: the task leaves the live state for history, its slot counts the end, and the successor
// that its agent made takes its place.

import type { SlotRow } from "../model/rows-work";
import type { TaskRow } from "../model/rows-task";
import type { Change, State } from "../model/rows-state";
import type { TaskReport } from "../model/record";
import type { PlanLimits } from "../pass/snapshot";
import { MINUTE_MS, type Ms } from "../units";
import type { EndCause, TaskFinal } from "../model/end";
import { finalWithoutReport, shortId, slotKey, taskName } from "../model/task";
import { successorUid } from "../fresh";
import { longestBackOffMs, slotAfterEnd } from "../pass/slot";
import { sayElements, takeBatchEnd } from "./batches";
import { inSlot, putSlot, putTask, type IntakeContext, type IntakeDraft } from "./draft";
import { endEvent } from "./reported";

/**
 * Takes in a task's end. The task moves from the live state to history, its slot counts the end, and a successor that
 * the agent made becomes a live task.
 */
export function takeEnd(
  state: State,
  task: TaskRow,
  said: TaskFinal,
  entry: TaskReport | null,
  context: IntakeContext,
  draft: IntakeDraft,
): void {
  const final = asOrdered(task, said);
  const next = successorIn(state, task, entry, context, draft);
  draft.tasks.set(task.uid, null);
  for (const uid of [task.uid, next?.uid ?? ""]) draft.orphans.delete(uid);
  draft.changes.push(
    { table: "tasks", key: task.uid, row: null },
    { table: "ended_tasks", key: task.uid, row: { ...task, observed: final } },
  );
  // The grant stays open if the agent has no record that says how many granted attempts it has made. A successor takes
  // it over. Otherwise the agent makes no further attempts.
  const isUnsaid = entry === null || entry.identity === null;
  const goesOn = !isUnsaid && "next" in entry.reported && entry.reported.next !== null;
  const grant = isUnsaid ? "open" : goesOn ? "passed_on" : "closed";
  if (task.batch !== null) takeBatchEnd(state, task, final, entry, context, draft);
  const slot =
    task.batch === null ? bookEnd(state, task, final, grant, next?.starts_in_ms ?? null, context, draft) : null;
  if (next === null) draft.changes.push(...restingPorts(task, final, context.now_ms, context.limits));
  else putTask(draft, { ...successor(task, next.uid, context), boot_id: draft.boot_id });
  if (slot !== null) putSlot(draft, slot);
  const node = state.nodes.get(task.node_id)?.name ?? shortId(task.node_id);
  draft.changes.push(endEvent(task, final, node, draft.changes.length, context, sayElements(task, draft)));
}

/**
 * Returns the end of a task as this server may count it. An agent stops a task only by an order. If this server gave
 * none, the order is of a history that its restored copy does not have: somebody may have cancelled the run, or its
 * work is done elsewhere. So a job that had begun does not run again by itself.
 */
function asOrdered(task: TaskRow, final: TaskFinal): TaskFinal {
  const isOrdered = task.desired === "stop" && task.stop?.unbegun !== true;
  const isOwn = final.state !== "stopped" || isOrdered || task.batch !== null;
  if (isOwn || task.kind !== "job" || final.started_ms === null) return final;
  const why = final.reason === null ? "" : `: ${final.reason}`;
  return {
    ...final,
    state: "unknown",
    exit_code: null,
    signal: null,
    cause: "result_unknown",
    reason: `it was stopped by an order that the restored copy does not know${why}`,
  };
}

/** Ends a task whose end its agent cannot report: it is lost, or its end is unknown. */
export function endWithoutReport(
  state: State,
  task: TaskRow,
  end: { readonly is: "lost" | "unknown"; readonly cause: EndCause; readonly why: string },
  context: IntakeContext,
  draft: IntakeDraft,
): void {
  const final = finalWithoutReport(task, end.is, end.cause, end.why, context.now_ms);
  takeEnd(state, task, final, null, context, draft);
}

/**
 * Returns the successor that an agent reports; null if it reports none, or an impossible one. An agent may not make
 * attempts beyond its grant, nor give one the uid of a known task, which could be another node's.
 */
function successorIn(
  state: State,
  task: TaskRow,
  entry: TaskReport | null,
  context: IntakeContext,
  draft: IntakeDraft,
): { readonly uid: string; readonly starts_in_ms: Ms } | null {
  const next = entry !== null && "next" in entry.reported ? entry.reported.next : null;
  if (next === null) return null;
  const live = next.uid === task.uid || state.tasks.has(next.uid) || draft.tasks.has(next.uid);
  const known = live || context.hasEnded(next.uid);
  const isNext = next.uid === successorUid(task.uid, task.attempt + 1);
  if (isNext && !known && task.attempt < task.grant_until) return next;
  draft.doubts.push(`told of a successor of ${taskName(task)} that cannot be: ${next.uid}`);
  return null;
}

function successor(task: TaskRow, uid: string, context: IntakeContext): TaskRow {
  return {
    ...task,
    uid,
    attempt: task.attempt + 1,
    created_ms: context.now_ms,
    assigned_revision: context.revision,
    observed: { state: "preparing", prepared: false, reason: null },
  };
}

/**
 * Returns the slot after this end. `starts_in_ms`: how long until its agent begins the attempt that it has made, or
 * null. Returns null if the task's workload or run is gone, or if the attempt was written off and did not succeed.
 */
function bookEnd(
  state: State,
  task: TaskRow,
  final: TaskFinal,
  grant: "open" | "passed_on" | "closed",
  starts_in_ms: Ms | null,
  context: IntakeContext,
  draft: IntakeDraft,
): SlotRow | null {
  const settings = state.runs.get(task.owner_uid)?.settings ?? state.workloads.get(task.owner_uid)?.settings;
  if (settings === undefined) return null;
  const key = slotKey(task.owner_uid, task.slot);
  const before = draft.slots.get(key) ?? state.slots.get(key) ?? null;
  // The first success wins. Any other end of an attempt that was written off changes nothing.
  if (task.written_off !== null && final.state !== "succeeded") return null;
  const after = slotAfterEnd(before, task, final, settings, context.limits, livingBeside(state, draft, task));
  // Granted numbers become free only when the agent has said that it uses no more of them.
  const attempts = Math.max(after.attempts, task.grant_until);
  if (grant === "passed_on") {
    // The agent knows best when it begins the next attempt. What it says is believed as far as it can be true.
    const booked = starts_in_ms !== null && after.ends.some(({ uid }) => uid === task.uid);
    if (!booked) return { ...after, attempts };
    const rest_ms = Math.min(starts_in_ms, longestBackOffMs(settings.restart));
    return { ...after, attempts, not_before_ms: context.now_ms + rest_ms };
  }
  if (grant === "open") {
    const { grant_until, spec_hash } = task;
    const ends = after.ends.map((end) => (end.uid === task.uid ? { ...end, grant_until, spec_hash } : end));
    return { ...after, attempts, ends };
  }
  // While inventories are still awaited, other nodes may have attempts of the slot, with grants of their own.
  const numbers = state.cluster.recovering === null ? usedBy(state, draft, task, before) : (before?.attempts ?? 0);
  return { ...after, attempts: Math.max(after.attempts, numbers) };
}

/**
 * Returns the highest number that a living task of the slot may use besides this one; 0 if there is none. Such a task
 * was adopted by the grant that its agent closes now.
 */
function usedBy(state: State, draft: IntakeDraft, task: TaskRow, before: SlotRow | null): number {
  if ((before?.attempts ?? 0) <= task.attempt) return 0;
  let most = 0;
  for (const other of livingBeside(state, draft, task)) most = Math.max(most, other.grant_until);
  return most;
}

/** The living tasks of a task's slot besides it. They are looked for only when they are asked for. */
function* livingBeside(state: State, draft: IntakeDraft, task: TaskRow): Generator<TaskRow> {
  for (const uid of inSlot(state, draft, task)) {
    const changed = draft.tasks.get(uid);
    const other = changed === undefined ? state.tasks.get(uid) : changed;
    if (other !== undefined && other !== null && uid !== task.uid) yield other;
  }
}

/** For how long an automatic port is another one where a start has found a stranger on it. */
const HELD_MS = 10 * MINUTE_MS;

/**
 * Returns the rows that keep an ended task's published ports from being given out too soon: those that it may have
 * used, or those that it found taken.
 */
export function restingPorts(task: TaskRow, final: EndOfPorts, now_ms: Ms, limits: PlanLimits): Change[] {
  const found = final.state === "rejected" && final.cause === "port_taken";
  if (final.state === "rejected" && !found) return [];
  const until_ms = now_ms + (found ? HELD_MS : limits.port_rest_ms);
  return task.promised.ports.map(({ published }) => {
    const key = `${task.node_id}/${published}`;
    return { table: "ports", key, row: { key, until_ms, held_by: found ? final.reason : null } };
  });
}

type EndOfPorts = Pick<TaskFinal, "state" | "cause" | "reason">;
