// Signals by name, sent to a process that is certainly the one that was meant.

import { closeSync } from "node:fs";
import { constants } from "node:os";
import { openPidfd, signalPidfd } from "../libc";
import { isAlive } from "../proc";

/** The number of `TERM`, `SIGTERM` or `15`; `null` for what is no signal here. */
export function signalNumber(name: string): number | null {
  const text = name.trim().toUpperCase();
  const known = constants.signals[(text.startsWith("SIG") ? text : `SIG${text}`) as NodeJS.Signals];
  if (known !== undefined) return known;
  const number = Number(text);
  return Number.isInteger(number) && number > 0 && number <= 64 ? number : null;
}

/** The name without SIG, as people write it; numbers without a name stay numbers. */
export function signalName(signal: string | number): string {
  const number = typeof signal === "number" ? signal : signalNumber(signal);
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return found === undefined ? String(signal) : found[0].slice(3);
}

export type Sent = { readonly is: "sent" } | { readonly is: "gone" } | { readonly is: "failed"; readonly why: string };

/**
 * Signals a process, or its whole group, if it still is the one that began at `start`. The descriptor is opened before
 * the check, so that the number cannot pass to a stranger in between.
 */
export function sendSignal(target: { pid: number; start: string }, signal: number, whole: "one" | "group"): Sent {
  const fd = openPidfd(target.pid);
  try {
    if (!isAlive(target.pid, target.start)) return { is: "gone" };
    if (fd !== null && signalPidfd(fd, signal, whole)) return { is: "sent" };
    process.kill(whole === "group" ? -target.pid : target.pid, signal);
    return { is: "sent" };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === "ESRCH" ? { is: "gone" } : { is: "failed", why: message };
  } finally {
    if (fd !== null) closeSync(fd);
  }
}
