// Signals by name, sent only to the process that was meant.

import { closeSync } from "node:fs";
import { constants } from "node:os";
import { openPidfd, signalPidfd } from "../libc";
import { isAlive } from "../proc";

/** Returns the number of `TERM`, `SIGTERM` or `15`, or null if this system has no such signal. */
export function signalNumber(name: string): number | null {
  const text = name.trim().toUpperCase();
  const known = constants.signals[(text.startsWith("SIG") ? text : `SIG${text}`) as NodeJS.Signals];
  if (known !== undefined) return known;
  const number = Number(text);
  return Number.isInteger(number) && number > 0 && number <= 64 ? number : null;
}

/** Returns the name without SIG. A number without a name stays a number. */
export function signalName(signal: string | number): string {
  const number = typeof signal === "number" ? signal : signalNumber(signal);
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return found === undefined ? String(signal) : found[0].slice(3);
}

export type Sent = { readonly is: "sent" } | { readonly is: "gone" } | { readonly is: "failed"; readonly why: string };

/**
 * Sends a signal to a process or its whole group, if it still is the process that began at `start`. The descriptor is
 * opened before that check, so that the pid cannot pass to a stranger in between.
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
