// Copies a task's output from the server, byte for byte, also over broken connections.

import { pause } from "../../os/clock";
import { messageOf } from "../../os/errors";
import { ApiError, UnreachableError, type Client, type LogQuery } from "../../wire/client";
import type { Context } from "../context";
import { clean } from "../print/clean";

/** Which part of an output is copied, and how. */
export interface OutputPart {
  readonly since_ms?: number;
  /** Only the last so many lines of what is there. */
  readonly tail?: number;
  /** Each line begins with its time. */
  readonly times?: boolean;
}

/** Returns the wish for the output of a task that begins later: the whole is new, so none of it is cut off. */
export function wholeOf({ since_ms, times }: OutputPart): OutputPart {
  return { ...(since_ms === undefined ? {} : { since_ms }), ...(times === undefined ? {} : { times }) };
}

export interface LogSource extends OutputPart {
  readonly client: Client;
  /** The task's id or name. */
  readonly ref: string;
  readonly stream: "stdout" | "stderr";
  readonly follow: boolean;
  readonly attempt?: number;
  readonly signal?: AbortSignal;
}

/**
 * What became of a copy. `tail`: only the last bytes were left, and the notice was told. `part`: the rest did not come,
 * and `why` says what is known of that.
 */
export type Copied = { readonly is: "whole" | "tail" } | { readonly is: "part"; readonly why: string };

const AGAIN_MS = 500;
/** How often a follower asks again before it takes the last bytes alone: a node may be away for a moment only. */
const TAIL_TRIES = 6;

/**
 * Copies one stream, with `follow` until the task has ended. After a lost connection the copy begins again and skips
 * the bytes that were already written. Throws the server's refusal.
 */
export async function copyLog(
  context: Context,
  source: LogSource,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<Copied> {
  const { client, ref, signal, stream, follow } = source;
  const ended = (): boolean => signal?.aborted === true;
  const query: LogQuery = {
    stream,
    follow,
    ...(signal === undefined ? {} : { signal }),
    ...(source.attempt === undefined ? {} : { attempt: source.attempt }),
    ...(source.since_ms === undefined ? {} : { since_ms: source.since_ms }),
    ...(source.times === true ? { times: true } : {}),
  };
  // Where the last lines begin is found once. A copy that begins again begins there too.
  let from: Pick<LogQuery, "tail" | "offset"> = source.tail === undefined ? {} : { tail: source.tail };
  let copied = 0;
  let noticed = false;
  let tails = 0;
  let why = "it did not come in time";
  while (!ended()) {
    try {
      const answer = await client.logs(ref, { ...query, ...from });
      const isTail = answer.kept === "tail";
      if (isTail && follow && ++tails < TAIL_TRIES) {
        why = answer.notice ?? why;
        await answer.drop();
        await pause(AGAIN_MS, signal);
        continue;
      }
      if (answer.offset !== null) from = { offset: answer.offset };
      if (answer.notice !== null && !noticed && stream === "stdout") {
        context.note(`orch: ${clean(answer.task)}: ${clean(answer.notice)}`);
      }
      noticed = true;
      // If a task's output is gone, the server has only its last bytes. These do not continue what was already copied.
      if (isTail && copied > 0) {
        await answer.drop();
        return { is: "part", why: answer.notice ?? why };
      }
      let skip = copied;
      for await (const bytes of answer.bytes) {
        const fresh = skip >= bytes.length ? bytes.subarray(bytes.length) : bytes.subarray(skip);
        skip -= Math.min(skip, bytes.length);
        copied += fresh.length;
        if (fresh.length > 0) await write(fresh);
      }
      return { is: isTail ? "tail" : "whole" };
    } catch (error) {
      if (ended()) break;
      if (!follow || !isPassing(error)) throw error;
      why = messageOf(error);
      await pause(AGAIN_MS, signal);
    }
  }
  return { is: "part", why };
}

/** Returns whether to try again: the connection broke, or the node is away for a while. */
function isPassing(error: unknown): boolean {
  if (error instanceof ApiError) return error.code === "unavailable" || error.code === "too_many";
  return error instanceof UnreachableError;
}
