// The only real clocks: wall time for people, boot time for deadlines, and wall time that no jump moves.

import { readFileSync } from "node:fs";
import { bootTime } from "./libc";

/** Unix time in milliseconds, as the machine believes it. */
export const nowMs = (): number => Date.now();

/** Milliseconds since the machine booted, sleep included: what leases count on. */
export function bootMs(): number {
  const exact = bootTime();
  if (exact !== null) return exact;
  if (process.platform !== "linux") return performance.now();
  return Math.round(Number.parseFloat(readFileSync("/proc/uptime", "utf8")) * 1000);
}

/** A clock that starts at wall time and then runs on boot time, so that a corrected clock moves no deadline. */
export function steadyClock(): () => number {
  const offset = nowMs() - bootMs();
  return () => Math.round(offset + bootMs());
}

/** Milliseconds with their fractions, from no particular moment: for measuring what takes less than one. */
export const preciseMs = (): number => performance.now();
