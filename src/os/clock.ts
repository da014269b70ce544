// The only real clocks: wall time for people, boot time for deadlines, and a wall clock that a corrected system clock
// does not move.

import { readFileSync } from "node:fs";
import { bootTime } from "./libc";

/** Returns the Unix time in milliseconds, as the machine believes it. */
export const nowMs = (): number => Date.now();

/** Returns the milliseconds since the machine booted, sleep included. Leases are counted on this clock. */
export function bootMs(): number {
  const exact = bootTime();
  if (exact !== null) return exact;
  if (process.platform !== "linux") return performance.now();
  return Math.round(Number.parseFloat(readFileSync("/proc/uptime", "utf8")) * 1000);
}

/**
 * Makes a clock that starts at wall time and then runs on boot time, so that a corrected system clock moves no
 * deadline.
 */
export function steadyClock(): () => number {
  const offset = nowMs() - bootMs();
  return () => Math.round(offset + bootMs());
}

/**
 * Returns milliseconds with fractions, counted from an arbitrary moment: for measuring durations below a millisecond.
 */
export const preciseMs = (): number => performance.now();
