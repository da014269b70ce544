// Why a task ends: by an order, by a limit of its own, for its memory or its card, or by itself. Which stop is in force
// while the task lives, and what its record says once it is over.

import { formatBytes } from "../format";
import { isStartTrouble, NO_RESULT, type EndCause, type TaskExit, type RecordEnd } from "../model/end";
import type { Asked, StopReason, TaskRecord } from "../model/record";
import type { BootMs, Bytes, Ms } from "../units";

/** A stop that is in force. */
export interface Stop extends StopReason {
  readonly signal: string;
  readonly grace_ms: Ms;
  readonly at_ms: BootMs;
}

/**
 * Returns the stop that is in force, or null: the one that was ordered, or an earlier one for the task's time limit or
 * for a verdict on it.
 */
export function stopOf(record: TaskRecord, started_ms: BootMs, now_ms: BootMs): Stop | null {
  const { assignment, verdict } = record;
  const limit = assignment.time_limit_ms;
  const own: Stop[] = [];
  if (limit !== null) own.push({ ...assignment.stop, at_ms: limitAt(record, started_ms, limit), ...OVER_LIMIT });
  if (verdict !== null) own.push({ ...assignment.stop, at_ms: verdict.at_ms, by: "device_fault", why: verdict.why });
  const first = own.filter(({ at_ms }) => at_ms <= now_ms).sort((a, b) => a.at_ms - b.at_ms)[0] ?? null;
  if (record.stop === null || (first !== null && first.at_ms < record.stop.at_ms)) return first;
  return { ...record.stop, by: "order" };
}

const OVER_LIMIT = { by: "time_limit", why: "time limit reached" } as const;

/** Returns when a task's time limit stops it. A limit that was changed meanwhile stops nothing in the past. */
export const limitAt = ({ limit_ms }: Pick<TaskRecord, "limit_ms">, started_ms: BootMs, limit: Ms): BootMs =>
  Math.max(started_ms + limit, limit_ms ?? Number.NEGATIVE_INFINITY);

/**
 * Returns the end of a task whose process is over. `blame` is what the kernel said shortly before about what the task
 * did to its card, or null. `asked` is the signal by which this agent asked it to stop, or null: what the agent itself
 * ended always has the agent's reason.
 */
export function endOfExit(record: TaskRecord, exit: TaskExit, blame: string | null, asked: Asked | null): RecordEnd {
  const own = asked === null || asked.by === "order" ? null : asked;
  const stop: Pick<Stop, "by" | "why" | "at_ms"> | null = stopOf(record, exit.started_ms, exit.ended_ms) ?? own;
  const facts = factsOf(exit);
  if (stop?.by === "order" && exit.ended_ms >= stop.at_ms) return { ...facts, state: "stopped", reason: stop.why };
  if (stop !== null && stop.by !== "order") return { ...facts, state: "failed", cause: stop.by, reason: stop.why };
  if (exit.oom) {
    const reason = outOfMemory(record, exit.peak_memory_bytes);
    return { ...facts, state: "failed", cause: "out_of_memory", reason };
  }
  const end = ownEnd(exit);
  if (end.state !== "failed" || blame === null) return end;
  return { ...end, reason: end.reason === null ? blame : `${blame}; ${end.reason}` };
}

/** Returns the end that follows from an exit alone, without orders, limits and cards. */
export function ownEnd(exit: TaskExit): RecordEnd {
  const facts = factsOf(exit);
  const { cause, reason, exit_code } = exit;
  // A node's trouble is no failure of the task: it never began, and is tried elsewhere.
  if (isStartTrouble(cause)) {
    return { ...NO_RESULT, state: "rejected", cause, reason, exit_code, finished_ms: exit.ended_ms, next_uid: null };
  }
  if (exit.oom) return { ...facts, state: "failed", cause: "out_of_memory", reason: "out of memory" };
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
