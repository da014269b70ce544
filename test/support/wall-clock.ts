// A wall clock of its own for one program: libfaketime in front of it, driven by a file. The clocks that count since
// boot stay as they are, as they do when a machine's clock is corrected.

import { existsSync, writeFileSync } from "node:fs";

const LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/** Returns why this machine has no such clock, or null. */
export const noWallClock = (): string | null =>
  existsSync(LIBRARY) ? null : "libfaketime is not installed (Debian: faketime)";

export interface WallClock {
  /** What stands before the command line of the program. */
  readonly before: readonly string[];
  /** Moves the clock to this offset from the real one, as `+2h`, `-2h` or `+0s`. */
  set(offset: string): void;
}

export function makeWallClock(file: string, offset: string): WallClock {
  const set = (text: string): void => writeFileSync(file, text);
  set(offset);
  const variables = ["FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"];
  return { before: ["env", `LD_PRELOAD=${LIBRARY}`, `FAKETIME_TIMESTAMP_FILE=${file}`, ...variables], set };
}
