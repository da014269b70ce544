// The stream of server-sent events of `GET /v1/watch`, read line by line.

import type { WatchEvent } from "./api/watch";
import { UnreachableError } from "./request";

/** Yields each event of the stream that `open` returns. Comments, which keep the stream alive, are dropped. */
export async function* eventsOf(open: () => Promise<Response>, url: string): AsyncGenerator<WatchEvent> {
  const { body } = await open();
  if (body === null) return;
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for await (const bytes of body) {
      const blocks = (rest + decoder.decode(bytes, { stream: true })).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const event = eventOf(block);
        if (event !== null) yield event;
      }
    }
  } catch (error) {
    throw new UnreachableError(`the connection to ${url} was lost`, "Watch again from the last revision", {
      cause: error,
    });
  }
}

function eventOf(block: string): WatchEvent | null {
  const data = block
    .split("\n")
    .filter((line) => line.startsWith("data:"))
    .map((line) => line.slice(5).trim())
    .join("\n");
  return data === "" ? null : (JSON.parse(data) as WatchEvent);
}
