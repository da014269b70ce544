// Where copied output goes: raw where nobody looks, made harmless on a terminal, line by line under a name or as JSON.

import type { Context } from "../context";
import type { Sink } from "../host";
import { clean, logCleaner } from "../print/clean";

export interface LogSink {
  write(bytes: Uint8Array): Promise<void>;
  /** What was still held back. */
  end(): void;
}

/** Bytes as they are; on a terminal only colours and carriage returns are left of what controls it. */
export function plainSink(sink: Sink): LogSink {
  if (!sink.tty) {
    return {
      write: async (bytes) => {
        sink.write(bytes);
        await sink.drained();
      },
      end: () => undefined,
    };
  }
  const decoder = new TextDecoder();
  const cleaner = logCleaner();
  return {
    write: async (bytes) => {
      sink.write(cleaner(decoder.decode(bytes, { stream: true })));
      await sink.drained();
    },
    end: () => sink.write(cleaner(decoder.decode()) + cleaner(null)),
  };
}

/** Whole lines, given to `take`; a line that never ends is cut. */
const LINE_MOST = 64 * 1024;

export function lineSink(take: (line: string) => void, drained: () => Promise<void>): LogSink {
  const decoder = new TextDecoder();
  let rest = "";
  return {
    write: async (bytes) => {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) take(line);
      if (rest.length > LINE_MOST) {
        take(rest);
        rest = "";
      }
      await drained();
    },
    end: () => {
      rest += decoder.decode();
      if (rest !== "") take(rest);
    },
  };
}

/** One line after the other, each under its task's name. */
export function namedSink(context: Context, sink: Sink, name: string): LogSink {
  const head = context.style.cyan(`${clean(name)} |`);
  return lineSink(
    (line) => sink.write(`${head} ${sink.tty ? clean(line) : line}\n`),
    () => sink.drained(),
  );
}
