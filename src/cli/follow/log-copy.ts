// Copies a task's output from the server, byte for byte, also over broken connections.

import { pause } from "../../os/clock";
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

const AGAIN_MS = 500;

/**
 * Copies one stream, with `follow` until the task has ended. After a lost connection the copy begins again and skips
 * the bytes that were already written. Throws the server's refusal.
 */
export async function copyLog(
  context: Context,
  source: LogSource,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
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
  while (!ended()) {
    try {
      const answer = await client.logs(ref, { ...query, ...from });
      if (answer.offset !== null) from = { offset: answer.offset };
      if (answer.notice !== null && !noticed && stream === "stdout") {
        context.note(`orch: ${clean(answer.task)}: ${clean(answer.notice)}`);
      }
      noticed = true;
      // If a task's output is gone, the server has only its last bytes. These do not continue what was already copied.
      if (answer.kept === "tail" && copied > 0) return;
      let skip = copied;
      for await (const bytes of answer.bytes) {
        const fresh = skip >= bytes.length ? bytes.subarray(bytes.length) : bytes.subarray(skip);
        skip -= Math.min(skip, bytes.length);
        copied += fresh.length;
        if (fresh.length > 0) await write(fresh);
      }
      return;
    } catch (error) {
      if (ended()) return;
      if (!follow || !isPassing(error)) throw error;
      await pause(AGAIN_MS, signal);
    }
  }
}

/** Returns whether to try again: the connection broke, or the node is away for a while. */
function isPassing(error: unknown): boolean {
  if (error instanceof ApiError) return error.code === "unavailable" || error.code === "too_many";
  // An error that the runtime throws in the middle of an answer has a code. A bug of orch has none.
  return error instanceof UnreachableError || (error instanceof Error && "code" in error);
}
