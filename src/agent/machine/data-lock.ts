// The lock of a data directory, since two agents on one directory would both be the node and both start its tasks.

import { join } from "node:path";
import { nowMs } from "../../os/clock";
import { wordsOf } from "../../os/files/disk";
import { noteHolderSlowly, takeLock } from "../../os/files/lock";
import { ownAgent } from "./rundir";

export type DataLocked =
  { readonly is: "taken"; readonly release: () => void } | { readonly is: "held"; readonly who: string };

/**
 * Locks a data directory; `closed` says that nothing can be written there. A disk may be read-only when one agent
 * starts and writable when another one does, so each takes the lock in its run directory too. That one is for one boot,
 * and for one XDG_RUNTIME_DIR; the lock in the data directory is for all that can write there.
 */
export function lockData(data: string, run: string, closed: boolean, say: (line: string) => void): DataLocked {
  const taken: (() => void)[] = [];
  const release = (): void => {
    for (const one of taken.splice(0)) one();
  };
  const files = (closed ? [run] : [data, run]).map((dir) => join(dir, "lock"));
  for (const file of files) {
    const locked = takeLock(file);
    if (locked.is === "held") {
      release();
      const { holder } = locked;
      return {
        is: "held",
        who: holder === null ? "another agent" : `the agent of process ${holder.pid} on ${holder.host}`,
      };
    }
    taken.push(locked.release);
  }
  // An agent of an earlier release has no lock in the run directory where the data directory was writable.
  const own = ownAgent(run);
  if (own !== null) {
    release();
    return { is: "held", who: `the agent of process ${own.pid}` };
  }
  for (const file of files) {
    noteHolderSlowly(file, nowMs()).catch((error: unknown) =>
      say(`a lock has no note of its holder: ${wordsOf(error)}`),
    );
  }
  return { is: "taken", release };
}
