// The standard input of tasks over the connection: the agent asks for a part, and the server sends it as a frame under
// the number of the question. A connection that ends answers what is open, so that the next one is asked.

import type { FetchAnswer } from "../tasks/inputs";
import { decodeFrame } from "../../wire/tunnel";
import type { ServerHandlers, ServerLink } from "./link";

export const FETCHES: ServerHandlers<"unfetched"> = {
  unfetched: (link, { fetch, why }) => answer(link, fetch, { is: "unfetched", why }),
};

/** Asks for the next part of a task's input. */
export function fetchPart(link: ServerLink, uid: string, offset: number): Promise<FetchAnswer> {
  if (link.phase !== "live") return Promise.resolve({ is: "unconnected" });
  const { promise, resolve } = Promise.withResolvers<FetchAnswer>();
  answer(link, link.fetches.n, { is: "unconnected" });
  link.fetches.n += 1;
  link.fetches.answered = resolve;
  link.send({ type: "fetch", fetch: link.fetches.n, uid, offset });
  return promise;
}

/** Takes a frame of the server. Returns false if nothing was asked for under its number. */
export function takeFrame(link: ServerLink, frame: ArrayBuffer): boolean {
  const { stream, bytes } = decodeFrame(new Uint8Array(frame));
  if (stream !== link.fetches.n || link.fetches.answered === null) return false;
  answer(link, stream, { is: "part", bytes });
  return true;
}

/** Ends the question that is open, as its connection has ended. */
export const endFetches = (link: ServerLink): void => answer(link, link.fetches.n, { is: "unconnected" });

function answer({ fetches }: ServerLink, n: number, what: FetchAnswer): void {
  if (n !== fetches.n || fetches.answered === null) return;
  const { answered } = fetches;
  fetches.answered = null;
  answered(what);
}
