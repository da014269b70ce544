// A watch over several connections: it continues from the last revision that it saw. A lost connection is noted once.

import { pause } from "../../os/clock";
import type { WatchEvent } from "../../wire/api/watch";
import { UnreachableError, type Client } from "../../wire/client";
import type { Context } from "../context";
import { EXIT } from "../failure";

const PAUSES_MS = [200, 500, 1_000, 2_000, 5_000];

/** Yields the changes after `since`, until `signal` aborts. A lost connection is made again. */
export async function* watchFrom(
  context: Context,
  client: Client,
  since: number,
  signal?: AbortSignal,
): AsyncGenerator<WatchEvent> {
  const ended = (): boolean => signal?.aborted === true;
  let revision = since;
  let lost = 0;
  while (!ended()) {
    try {
      for await (const event of client.watch(revision, signal)) {
        if (lost > 0) context.note(`orch: connected again to ${client.url}`);
        lost = 0;
        revision = event.revision;
        yield event;
      }
    } catch (error) {
      if (!(error instanceof UnreachableError)) throw error;
    }
    if (ended()) return;
    if (lost === 0) context.note(`orch: lost the connection to ${client.url}; what runs goes on. Trying again`);
    await pause(PAUSES_MS[Math.min(lost, PAUSES_MS.length - 1)] ?? 0, signal);
    lost += 1;
  }
}

/** Returns the server's answer, or null while the server cannot be reached. Its work goes on meanwhile. */
export async function unlessAway<T>(ask: () => Promise<T>): Promise<T | null> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof UnreachableError) return null;
    throw error;
  }
}

/**
 * Returns the exit code of what is waited for. Ctrl-C leaves it: `goesOn` says that it goes on, and how to look again.
 */
export async function untilLeft(context: Context, goesOn: string, waiting: Promise<number>): Promise<number> {
  const { promise: left, resolve } = Promise.withResolvers<number>();
  const stopListening = context.host.onInterrupt(() => {
    context.note(`orch: ${goesOn}`);
    resolve(EXIT.interrupted);
  });
  try {
    return await Promise.race([waiting, left]);
  } finally {
    stopListening();
  }
}

/** Returns a text without its durations, so that passing time alone is no change. */
export const withoutTimes = (why: string): string => why.replaceAll(/\b(\d+[dhms])+\b/g, "");
