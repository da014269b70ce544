// Why a task ends: by an order, by a limit of its own, for its memory or its card, or by itself. Which stop is in force
// while the task lives, and what its record says once it is over.

import { formatAge, formatBytes } from "../format";
import { isStartTrouble, NO_RESULT, type EndCause, type TaskExit, type RecordEnd } from "../model/end";
import type { Asked, Assignment, StopReason, TaskRecord } from "../model/record";
import { SECOND_MS, type BootMs, type Bytes, type Ms } from "../units";

/** A stop that is in force. */
export interface Stop extends StopReason {
  readonly signal: string;
  readonly grace_ms: Ms;
  readonly at_ms: BootMs;
}

/**
 * Returns the stop that is in force for a task that has begun, or null: the one that was ordered, or an earlier one for
 * the task's time limit or for a verdict on it. An order that holds only for a task that has not begun is void.
 */
export function stopOf(record: TaskRecord, started_ms: BootMs, now_ms: BootMs): Stop | null {
  const { assignment, verdict } = record;
  const limit = ownLimitOf(assignment);
  const own: Stop[] = [];
  if (limit !== null) own.push({ ...assignment.stop, at_ms: limitAt(record, started_ms, limit), ...OVER_LIMIT });
  if (verdict !== null) own.push({ ...assignment.stop, at_ms: verdict.at_ms, by: "device_fault", why: verdict.why });
  const first = own.filter(({ at_ms }) => at_ms <= now_ms).sort((a, b) => a.at_ms - b.at_ms)[0] ?? null;
  if (record.stop === null || record.stop.unbegun === true || (first !== null && first.at_ms < record.stop.at_ms))
    return first;
  return { ...record.stop, by: "order" };
}

const OVER_LIMIT = { by: "time_limit", why: "time limit reached" } as const;

/** How long after a batch's last element has to be over the agent ends what lives of it: its keeper is dead. */
const KEEPER_LATE_MS = 10 * SECOND_MS;

/**
 * Returns the time limit of a task as a whole. That of a batch is one of each of its elements, and its keeper's to
 * enforce. What outlives the keeper is over when the element that may have begun last is.
 */
export function ownLimitOf({ batch, time_limit_ms, stop }: Assignment): Ms | null {
  if (batch === undefined || time_limit_ms === null) return time_limit_ms;
  return batch.begins_for_ms + time_limit_ms + stop.grace_ms + KEEPER_LATE_MS;
}

/** Returns when a task's time limit stops it. A limit that was changed meanwhile stops nothing in the past. */
export const limitAt = ({ limit_ms }: Pick<TaskRecord, "limit_ms">, started_ms: BootMs, limit: Ms): BootMs =>
  Math.max(started_ms + limit, limit_ms ?? Number.NEGATIVE_INFINITY);

/**
 * Returns the end of a task whose process is over. `blame` is what the kernel said shortly before about what the task
 * did to its card, or null. What the agent itself ended always has the agent's reason.
 */
export function endOfExit(record: TaskRecord, exit: TaskExit, blame: string | null, told: ToldToStop): RecordEnd {
  const { asked } = told;
  const own = asked === null || asked.by === "order" ? null : asked;
  const inForce = stopOf(record, exit.started_ms, exit.ended_ms);
  const isByItself = inForce?.by === "order" && mayHaveDone(record) && isUnstopped(exit, inForce, told);
  const due = isByItself ? null : inForce;
  const stop: Pick<Stop, "by" | "why" | "at_ms"> | null = due ?? own;
  const facts = factsOf(exit);
  if (due?.by === "time_limit" && isUnstopped(exit, due, told)) {
    const late = formatAge(exit.ended_ms - due.at_ms);
    const reason = `it ended by itself ${late} after its time limit, since its agent did not run to stop it`;
    return { ...facts, state: "succeeded", reason };
  }
  if (stop?.by === "order" && exit.ended_ms >= stop.at_ms) return { ...facts, state: "stopped", reason: stop.why };
  if (stop !== null && stop.by !== "order") return { ...facts, state: "failed", cause: stop.by, reason: stop.why };
  if (exit.oom) {
    const reason = outOfMemory(record, exit.peak_memory_bytes);
    // Its main process has coped with the death of another one, unless the spec says that nothing can.
    const isNote = exit.exit_code === 0 && exit.cause === undefined && record.assignment.oom !== "any";
    if (isNote) return { ...facts, state: "succeeded", reason: `a process of it was killed: ${reason}` };
    return { ...facts, state: "failed", cause: "out_of_memory", reason };
  }
  const end = ownEnd(exit);
  if (end.state !== "failed" || blame === null) return end;
  return { ...end, reason: end.reason === null ? blame : `${blame}; ${end.reason}` };
}

/** Returns whether a task that returned 0 has done its work. Of a batch elements are left, and a bad card spoils it. */
const mayHaveDone = ({ assignment: { identity, batch }, verdict }: TaskRecord): boolean =>
  identity.kind === "job" && batch === undefined && verdict === null;

/** Whether a task was asked to stop, as far as its agent knows. */
export interface ToldToStop {
  /** The signal by which this agent process asked it to stop, or null. */
  readonly asked: Asked | null;
  /** When this agent process began. An earlier one may have asked, and left no word of it. */
  readonly begun_ms: BootMs;
}

/** How long after its grace a task that was asked to stop may still end, until it is killed. */
const KILL_LATE_MS = 2 * SECOND_MS;

/**
 * Returns whether a task that returned 0 after it had to stop has not been stopped: its agent was there and has not
 * asked it, as where the agent itself was stopped or the task began late, or it went on for longer than one that was
 * asked can.
 */
function isUnstopped({ exit_code, cause, ended_ms }: TaskExit, due: Stop, { asked, begun_ms }: ToldToStop): boolean {
  if (exit_code !== 0 || cause !== undefined) return false;
  if (asked !== null) return due.by === "order" && asked.at_ms > ended_ms;
  return begun_ms <= due.at_ms || ended_ms > due.at_ms + due.grace_ms + KILL_LATE_MS;
}

/** Returns the end that follows from an exit alone, without orders, limits and cards. */
export function ownEnd(exit: TaskExit): RecordEnd {
  const facts = factsOf(exit);
  const { cause, reason, exit_code } = exit;
  // A node's trouble is no failure of the task: it never began, and is tried elsewhere.
  if (isStartTrouble(cause)) {
    return { ...NO_RESULT, state: "rejected", cause, reason, exit_code, finished_ms: exit.ended_ms, next_uid: null };
  }
  if (exit.oom && exit_code !== 0) {
    return { ...facts, state: "failed", cause: "out_of_memory", reason: "out of memory" };
  }
  if (exit.exit_code === 0 && exit.cause === undefined) return { ...facts, state: "succeeded", reason: null };
  return { ...facts, state: "failed", ...(exit.cause === undefined ? {} : { cause: exit.cause }), reason: exit.reason };
}

const factsOf = (exit: TaskExit) => ({
  started_ms: exit.started_ms,
  finished_ms: exit.ended_ms,
  exit_code: exit.exit_code,
  signal: exit.signal,
  peak_memory_bytes: exit.peak_memory_bytes,
  next_uid: null,
});

/** Returns the end of a task that never ran, or whose result is not known. */
export const endWithoutResult = (
  state: "stopped" | "rejected" | "unknown" | "gone",
  cause: EndCause | null,
  reason: string,
  now_ms: BootMs,
): RecordEnd => ({
  ...NO_RESULT,
  state,
  ...(cause === null ? {} : { cause }),
  reason,
  finished_ms: now_ms,
  next_uid: null,
});

function outOfMemory(record: TaskRecord, peak_bytes: Bytes | null): string {
  const { memory_bytes, memory_limited } = record.assignment.promised;
  const limit = memory_limited ? `limit ${formatBytes(memory_bytes)}` : "the machine had no more";
  return `out of memory: ${limit}, peak ${peak_bytes === null ? "unknown" : formatBytes(peak_bytes)}`;
}
