// The stream of server-sent events of `GET /v1/watch`, read line by line.

import type { WatchEvent } from "./api/watch";
import { UnreachableError } from "./request";
import { fromText } from "./text";

/**
 * Yields each event of the stream that `open` returns. Comments, which keep the stream alive, are dropped. An event
 * that is none of this protocol, such as one of a newer server, is a `resync` at the revision before it.
 */
export async function* eventsOf(open: () => Promise<Response>, url: string, since = 0): AsyncGenerator<WatchEvent> {
  const [{ body }, { watchEvent }] = await Promise.all([open(), import("./api/watch")]);
  if (body === null) return;
  const decoder = new TextDecoder();
  let rest = "";
  let revision = since;
  try {
    for await (const bytes of body) {
      const blocks = (rest + decoder.decode(bytes, { stream: true })).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const data = dataOf(block);
        if (data === "") continue;
        const read = fromText(watchEvent, data);
        const event: WatchEvent = read.is === "read" ? read.value : { kind: "resync", revision };
        revision = event.revision;
        yield event;
      }
    }
  } catch (error) {
    throw new UnreachableError(`the connection to ${url} was lost`, "Watch again from the last revision", {
      cause: error,
    });
  }
}

const dataOf = (block: string): string =>
  block
    .split("\n")
    .filter((line) => line.startsWith("data:"))
    .map((line) => line.slice(5).trim())
    .join("\n");
