// The last output of ended tasks, which every report of their end contains until it is acknowledged. It is read once.

import { HOUSE_LIMITS } from "../../core/limits";
import type { Tail } from "../../core/model/end";
import { messageOf } from "../../os/errors";
import { partOf } from "../../os/files/task-files";
import { FILES } from "./taskdir";

export interface Tails {
  of(uid: string): Tail;
  forget(uid: string): void;
}

/** `dirOf` returns the directory of a task, wherever it is. */
export function createTails(dirOf: (uid: string) => string): Tails {
  const known = new Map<string, Tail>();
  const read = (uid: string, name: "stdout" | "stderr"): string => {
    try {
      return lastText(partOf(dirOf(uid), FILES[name], "last", HOUSE_LIMITS.log_tail_bytes));
    } catch (error) {
      // An end is told whether its output can be read or not.
      if ((error as NodeJS.ErrnoException).code === undefined) throw error;
      return `[this output cannot be read: ${messageOf(error)}]`;
    }
  };
  return {
    of: (uid) => {
      const before = known.get(uid);
      if (before !== undefined) return before;
      const tail = { stdout: read(uid, "stdout"), stderr: read(uid, "stderr") };
      known.set(uid, tail);
      return tail;
    },
    forget(uid) {
      known.delete(uid);
    },
  };
}

/** Decodes bytes as text without the first character if the cut has halved it. */
export function lastText(bytes: Uint8Array): string {
  let at = 0;
  while (bytes.length === HOUSE_LIMITS.log_tail_bytes && at < 3 && ((bytes[at] ?? 0) & 0xc0) === 0x80) at++;
  return new TextDecoder().decode(bytes.subarray(at));
}
