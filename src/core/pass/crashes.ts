// What is said of a slot that crashes again and again. The plan and every view of a task say it with these words,
// whether the plan makes the next attempt or the slot's agent does.

import type { SlotRow, TaskEnd } from "../model/rows-work";
import type { TaskRow } from "../model/rows-task";
import type { Ms } from "../units";
import { crashesIn, lastCrash } from "./slot";
import type { PlanLimits, TimedWords } from "./snapshot";

/** Words crashes: `crashed 12× in a row, last exit code 3`. A later stop does not hide how the last crash ended. */
export function sayCrashes(slot: SlotRow): string {
  const crash = lastCrash(slot);
  const how = crash === null ? howEnded(slot) : sayLast(crash);
  return slot.streak === 1 ? `crashed 1×, ${how}` : `crashed ${slot.streak}× in a row, ${how}`;
}

/** Words how the newest attempt ended: `last exit code 1`. */
export function howEnded(slot: SlotRow): string {
  const end = slot.ends.find((each) => each.state !== "succeeded") ?? slot.ends[0];
  return end === undefined ? "not started yet" : sayLast(end);
}

function sayLast({
  state,
  exit_code,
  signal,
  reason,
}: Pick<TaskEnd, "state" | "exit_code" | "signal" | "reason">): string {
  const why = reason === null ? "" : `: ${reason}`;
  if (signal !== null) return `last ended by signal ${signal}${why}`;
  // Only a service or a daemon is asked about after an end that a job would call a success.
  if (state === "succeeded" && reason === null) return "last ended by itself with exit code 0, and is to run on";
  if (exit_code !== null) return `last exit code ${exit_code}${why}`;
  return `last ${state}${why}`;
}

/** Returns what keeps a slot from its next attempt until its back-off is over; null if nothing does. */
export function sayBackOff(slot: SlotRow, now_ms: Ms): TimedWords | null {
  const rest_ms = slot.not_before_ms - now_ms;
  if (rest_ms <= 0) return null;
  const last = slot.streak > 0 ? sayCrashes(slot) : howEnded(slot);
  return { before: `${last}; starts again in `, is: "rest", ms: rest_ms, after: "" };
}

type Asked = Pick<TaskRow, "kind" | "version" | "observed">;

/**
 * Returns whether the agent of a service or a daemon holds an attempt back, which it has made by itself after a crash.
 * For people the slot waits, as it does where the plan makes the next attempt.
 */
export const isHeldBack = ({ kind, version, observed }: Asked, slot: SlotRow | undefined, now_ms: Ms): boolean =>
  kind !== "job" &&
  observed.state === "preparing" &&
  slot !== undefined &&
  crashesIn(slot, version) > 0 &&
  slot.not_before_ms > now_ms;

/** Returns how often a task's slot has crashed in a row; 0 once the task has run for long enough to end the streak. */
export function crashesOf(
  { version, observed }: Asked,
  slot: SlotRow | undefined,
  now_ms: Ms,
  { stable_ms }: Pick<PlanLimits, "stable_ms">,
): number {
  const isStable = observed.state === "running" && now_ms - observed.started_ms >= stable_ms;
  return isStable ? 0 : crashesIn(slot, version);
}
