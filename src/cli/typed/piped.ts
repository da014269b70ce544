// What is piped into `orch run`: read whole before anything is asked of the server, so that each attempt of the run
// gets the same bytes.

import { formatBytes } from "../../core/format";
import { HOUSE_LIMITS } from "../../core/limits";
import type { Context } from "../context";
import { UsageError } from "../failure";

/** After this time the person is told what is waited for. */
const SAY_AFTER_MS = 1_000;

/** Returns the bytes that a pipe or a file gives; null if there are none. Throws UsageError if they are too many. */
export async function pipedInput({ host, note }: Context): Promise<Uint8Array<ArrayBuffer> | null> {
  const most = HOUSE_LIMITS.input_bytes;
  const saying = setTimeout(
    () => note("orch: reading standard input to its end, since the run gets it (-n takes none)"),
    SAY_AFTER_MS,
  );
  try {
    const piped = await host.input.piped(most);
    if (piped.is === "bytes") return piped.bytes;
    if (piped.is === "none") return null;
    if (piped.is === "unreadable") throw new UsageError(`standard input: ${piped.why}`, "-n takes none");
    throw new UsageError(
      `standard input is larger than ${formatBytes(most)}, the most that a run gets; nothing was started`,
      "Put it where the nodes can read it, or give -n for none",
    );
  } finally {
    clearTimeout(saying);
  }
}
