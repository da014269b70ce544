// Merges the lines of several logs by the times that they begin with. Bytes stay as they are.

import { splitTime, TIME_LENGTH } from "../../wire/log-times";
import { LINE_MOST } from "./log-sink";

const NEWLINE = 10;

/** Yields the lines that `copy` writes, each with its newline. A line that is too long comes in several parts. */
export async function* linesOf(copy: (write: (bytes: Uint8Array) => Promise<void>) => Promise<void>) {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const copied = (async (): Promise<void> => {
    try {
      await copy(async (bytes) => writer.write(bytes));
      await writer.close();
    } catch (error) {
      // The reader is told, and whoever has stopped reading needs no word.
      await writer.abort(error);
    }
  })();
  let parts: Uint8Array[] = [];
  let held = 0;
  const line = (end: readonly Uint8Array[] = []): Uint8Array => {
    const whole = Buffer.concat([...parts, ...end]);
    parts = [];
    held = 0;
    return whole;
  };
  for await (const bytes of readable) {
    let from = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, from)) {
      yield line([bytes.subarray(from, end + 1)]);
      from = end + 1;
    }
    parts.push(bytes.subarray(from));
    held += bytes.length - from;
    if (held > LINE_MOST) yield line();
  }
  if (held > 0) yield line();
  await copied;
}

interface Head {
  readonly line: Uint8Array;
  readonly time_ms: number;
}

/**
 * Gives `emit` the lines of all logs, the earliest first; of equal times those of the log that came last go on. A line
 * without a time belongs to the one before it.
 */
export async function mergeByTime(
  logs: readonly AsyncGenerator<Uint8Array>[],
  emit: (line: Uint8Array, log: number) => Promise<void>,
): Promise<void> {
  const decoder = new TextDecoder();
  const headOf = async (log: AsyncGenerator<Uint8Array>, before_ms: number): Promise<Head | null> => {
    const { done, value } = await log.next();
    if (done === true) return null;
    const { time_ms } = splitTime(decoder.decode(value.subarray(0, TIME_LENGTH)));
    return { line: value, time_ms: time_ms ?? before_ms };
  };
  try {
    const heads = await Promise.all(logs.map(async (log) => headOf(log, 0)));
    let last = 0;
    for (;;) {
      let first = heads[last] == null ? -1 : last;
      heads.forEach((head, at) => {
        if (head !== null && head.time_ms < (heads[first]?.time_ms ?? Number.POSITIVE_INFINITY)) first = at;
      });
      const [head, log] = [heads[first], logs[first]];
      if (head == null || log === undefined) return;
      await emit(head.line, first);
      heads[first] = await headOf(log, head.time_ms);
      last = first;
    }
  } finally {
    await Promise.all(logs.map(async (log) => log.return(undefined)));
  }
}
