// Whose doing the end of a task is: an order, a limit of its own, its memory, or itself. Which stop is in force while
// the task lives, and what its record says once it is over.

import { formatBytes } from "../format";
import { NO_RESULT, type EndCause, type TaskExit, type RecordEnd } from "../model/end";
import type { TaskRecord } from "../model/record";
import type { Bytes, Ms } from "../units";

/** A stop that is in force. */
export interface Stop {
  readonly signal: string;
  readonly grace_ms: Ms;
  readonly at_ms: Ms;
  /** What the server ordered is no failure of the task; what the agent decided by itself is. */
  readonly by: "order" | "time_limit" | "device_fault";
  /** For people. */
  readonly why: string;
}

/** The stop that is in force: the one ordered, or an earlier one of the task's time limit or of a verdict over it. */
export function stopOf(record: TaskRecord, started_ms: Ms, now_ms: Ms): Stop | null {
  const { assignment, verdict } = record;
  const limit = assignment.time_limit_ms;
  const own: Stop[] = [];
  if (limit !== null)
    own.push({ ...assignment.stop, at_ms: started_ms + limit, by: "time_limit", why: "time limit reached" });
  if (verdict !== null) own.push({ ...assignment.stop, at_ms: verdict.at_ms, by: "device_fault", why: verdict.why });
  const first = own.filter(({ at_ms }) => at_ms <= now_ms).sort((a, b) => a.at_ms - b.at_ms)[0] ?? null;
  if (record.stop === null || (first !== null && first.at_ms < record.stop.at_ms)) return first;
  return { ...record.stop, by: "order" };
}

/**
 * The end of a task whose process is over. `blame` is what its kernel said shortly before that it did to its card;
 * null where it said nothing.
 */
export function endOfExit(record: TaskRecord, exit: TaskExit, blame: string | null): RecordEnd {
  const stop = stopOf(record, exit.started_ms, exit.ended_ms);
  const facts = factsOf(exit);
  if (stop?.by === "order" && exit.ended_ms >= stop.at_ms) return { ...facts, state: "stopped", reason: stop.why };
  if (stop !== null && stop.by !== "order") return { ...facts, state: "failed", cause: stop.by, reason: stop.why };
  if (exit.oom) {
    const reason = outOfMemory(record, exit.peak_memory_bytes);
    return { ...facts, state: "failed", cause: "out_of_memory", reason };
  }
  const end = ownEnd(exit);
  if (end.state === "succeeded" || blame === null) return end;
  return { ...end, reason: end.reason === null ? blame : `${blame}; ${end.reason}` };
}

/** The end that an exit makes by itself: with nobody's order, limit or card in sight. */
export function ownEnd(exit: TaskExit): RecordEnd {
  const facts = factsOf(exit);
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

/** The end of what never ran, or of which nobody knows how it ended. */
export const endWithoutResult = (
  state: "stopped" | "rejected" | "gone",
  cause: EndCause | null,
  reason: string,
  now_ms: Ms,
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
