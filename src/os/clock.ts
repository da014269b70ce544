// The only real clocks: wall time for people, boot time for deadlines, and wall time that never jumps. Also the
// functions that wait.

import { readFileSync } from "node:fs";
import { uptime } from "node:os";
import { bootTime } from "./libc";

/** The two kinds of moments, as `core/units` names them. */
type BootMs = number & { readonly clock?: "boot" };
type WallMs = number & { readonly clock?: "wall" };

/**
 * Returns the Unix time in milliseconds according to the machine's clock, which may be wrong and be corrected. It is
 * for people; nothing is decided on it.
 */
export const nowMs = (): WallMs => Date.now();

/** Where the kernel's clock cannot be read, all processes of a machine agree within a second. */
const UP_AT_START_MS = uptime() * 1_000 - performance.now();

/** Returns the milliseconds since the machine booted, sleep included. Everything is decided on this clock. */
export function bootMs(): BootMs {
  const exact = bootTime();
  if (exact !== null) return exact;
  if (process.platform !== "linux") return Math.round(UP_AT_START_MS + performance.now());
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

/** The longest time that a timer of the system takes. */
const LONGEST_MS = 2 ** 31 - 1;

/** Calls `act` once at a moment since boot, or right after if that has passed. Returns what keeps it from that. */
export function atMoment(at_ms: BootMs, act: () => void): () => void {
  const arm = (): ReturnType<typeof setTimeout> =>
    setTimeout(look, Math.min(Math.max(at_ms - bootMs(), 0), LONGEST_MS));
  const look = (): void => {
    if (bootMs() >= at_ms) act();
    else timer = arm();
  };
  let timer = arm();
  return () => clearTimeout(timer);
}

/** Waits for `wait_ms`, or until `signal` aborts. */
export function pause(wait_ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, wait_ms);
    signal?.addEventListener("abort", done, { once: true });
  });
}

/** Resolves as `promise` does, or with `otherwise` after `limit_ms`. */
export function within<T>(limit_ms: number, promise: Promise<T>, otherwise: T): Promise<T> {
  const late = Promise.withResolvers<T>();
  const timer = setTimeout(() => late.resolve(otherwise), limit_ms);
  return Promise.race([promise, late.promise]).finally(() => clearTimeout(timer));
}

/** In how many steps the life of this process is counted. */
const STEPS = 8;

/**
 * Calls `late` once this process has lived for `limit_ms`. A time in which it was stopped counts as one step at most:
 * what came meanwhile is taken in before the next. Returns what ends the waiting.
 */
export function afterLiving(limit_ms: number, late: () => void): () => void {
  let left = STEPS;
  const step = (): void => {
    if (--left === 0) late();
    else timer = setTimeout(step, limit_ms / STEPS);
  };
  let timer = setTimeout(step, limit_ms / STEPS);
  return () => clearTimeout(timer);
}

/** Resolves as `promise` does, or with `otherwise` after this process has lived for `limit_ms`. */
export function withinLife<T>(limit_ms: number, promise: Promise<T>, otherwise: T): Promise<T> {
  const late = Promise.withResolvers<T>();
  const end = afterLiving(limit_ms, () => late.resolve(otherwise));
  return Promise.race([promise, late.promise]).finally(end);
}

/** Resolves after everything else that is ready has run, so that loops over many things do not block the process. */
export const breathe = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });
