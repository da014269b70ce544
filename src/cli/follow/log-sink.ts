// Sinks for copied output: raw for files and pipes, cleaned on a terminal, by lines under a task's name, or by lines
// for JSON.

import type { Context } from "../context";
import type { Sink } from "../host";
import { clean, logCleaner } from "../print/clean";

export interface LogSink {
  write(bytes: Uint8Array): Promise<void>;
  /** Writes the bytes that were held back. */
  end(): void;
}

/**
 * Returns a sink that writes bytes unchanged. On a terminal it keeps colours and carriage returns, and removes every
 * other control.
 */
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

/** The most characters of a line. A longer line is cut into several. */
export const LINE_MOST = 64 * 1024;

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

/**
 * Returns a sink that writes whole lines, each behind its task's name. On a terminal what all names there begin with
 * (`shared`) is left out.
 */
export function namedSink(context: Context, sink: Sink, name: string, shared: string): LogSink {
  const own = sink.tty && name.startsWith(shared) ? name.slice(shared.length) : name;
  const head = context.style.cyan(`${clean(own)} |`);
  return lineSink(
    (line) => sink.write(`${head} ${sink.tty ? clean(line) : line}\n`),
    () => sink.drained(),
  );
}
