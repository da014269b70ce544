// Writes to the standard streams before the function returns, for a process that is about to end.

import { writeSync } from "node:fs";

/** Writes a short text to standard output. Throws the system's error. */
export function sayNow(text: string): void {
  writeSync(1, text);
}

/** Writes a short text to standard error, the last place where anything can be said: its own errors are dropped. */
export function complainNow(text: string): void {
  try {
    writeSync(2, text);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
}
