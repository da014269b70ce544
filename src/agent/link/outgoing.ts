// Logs that the server asked for, sent in frames, and only as many as the server has given credit for.

import { messageOf } from "../../os/errors";
import type { ToAgent, ToServer } from "../../wire/agent";
import { encodeFrame } from "../../wire/tunnel";

type Request = Extract<ToAgent, { type: "open" }>["what"];

export interface Outgoing {
  take(message: Extract<ToAgent, { type: "open" | "credit" | "close" }>): void;
  closed(): void;
}

/**
 * Opens a log and yields its bytes as they come. `signal` ends it when the reader has gone, and `begins` is called with
 * the offset of the first byte.
 */
export type Reader = (
  what: Request,
  signal: AbortSignal,
  begins: (offset: number) => void,
) => AsyncIterable<Uint8Array>;

interface Stream {
  credit: number;
  wake: (() => void) | null;
  readonly abort: AbortController;
}

const FRAME_BYTES = 32 * 1024;

export function createOutgoing(send: (data: Uint8Array | string) => void, read: Reader): Outgoing {
  const streams = new Map<number, Stream>();
  const tell = (message: ToServer): void => send(JSON.stringify(message));

  async function pump(id: number, stream: Stream, what: Request): Promise<void> {
    const begins = (offset: number): void => {
      if (what.tail_lines !== undefined) tell({ type: "opened", stream: id, offset });
    };
    for await (const bytes of read(what, stream.abort.signal, begins)) {
      for (let at = 0; at < bytes.length; at += FRAME_BYTES) {
        const part = bytes.subarray(at, at + FRAME_BYTES);
        while (stream.credit < part.length && !stream.abort.signal.aborted) {
          await new Promise<void>((resolve) => {
            stream.wake = resolve;
          });
        }
        if (stream.abort.signal.aborted) return;
        stream.credit -= part.length;
        send(encodeFrame(id, part));
      }
    }
  }

  function open(message: Extract<ToAgent, { type: "open" }>): void {
    const stream: Stream = { credit: message.credit, wake: null, abort: new AbortController() };
    streams.set(message.stream, stream);
    const ended = (error: string | null): void => {
      if (streams.delete(message.stream) && !stream.abort.signal.aborted)
        tell({ type: "end", stream: message.stream, error });
    };
    pump(message.stream, stream, message.what)
      .then(() => ended(null))
      .catch((error: unknown) => ended(messageOf(error)));
  }

  function abort(stream: Stream): void {
    stream.abort.abort();
    stream.wake?.();
  }

  return {
    take(message) {
      if (message.type === "open") return open(message);
      const stream = streams.get(message.stream);
      if (stream === undefined) return;
      if (message.type === "credit") {
        stream.credit += message.bytes;
        stream.wake?.();
        return;
      }
      streams.delete(message.stream);
      abort(stream);
    },
    closed() {
      for (const stream of streams.values()) abort(stream);
      streams.clear();
    },
  };
}
