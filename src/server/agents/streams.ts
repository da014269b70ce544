// Streams of bytes that an agent sends on request (logs), multiplexed over its one connection. An agent sends no more
// than it has credit for.

import { decodeFrame } from "../../wire/tunnel";
import { toAgent, type ToAgent, type ToServer } from "../../wire/agent";
import { messageText } from "../../wire/fit";
import type { AgentSocket } from "../context";

export interface LogRequest {
  readonly uid: string;
  readonly name: "stdout" | "stderr";
  readonly offset: number;
  readonly follow: boolean;
  /** The number of the element of an array, of which `uid` is a batch. */
  readonly element?: number;
  readonly since_age_ms: number | null;
  /** Only the last so many lines of what is there. */
  readonly tail_lines?: number;
  /** Each line begins with its time. */
  readonly times?: true;
}

export interface OpenedLog extends AsyncIterable<Uint8Array> {
  /** Resolves with the offset at which a log with `tail_lines` begins; null if it ends before its agent has said so. */
  readonly begins: Promise<number | null>;
}

export interface Streams {
  openLog(request: LogRequest): OpenedLog;
  take(message: Extract<ToServer, { type: "opened" | "end" }>): void;
  bytes(frame: Uint8Array): void;
  /** Ends every open stream with this error. */
  broken(why: string): void;
}

/** A stream that ended early. The message says why. */
export class StreamError extends Error {
  override name = "StreamError";
}

/** How many bytes an agent may send ahead of the reader. */
export const STREAM_CREDIT_BYTES = 256 * 1024;

/** Chunks below this size are joined, so that a stream in tiny pieces needs no more memory than another. */
const SMALL_BYTES = 2 * 1024;

interface Incoming {
  readonly chunks: Uint8Array[];
  /** How many bytes the agent may still send. */
  credit: number;
  end: { readonly error: string | null } | null;
  wake: (() => void) | null;
  readonly began: (offset: number | null) => void;
}

function finish(stream: Incoming, error: string | null): void {
  stream.end ??= { error };
  stream.began(null);
  stream.wake?.();
}

function keep(stream: Incoming, bytes: Uint8Array): void {
  const last = stream.chunks.at(-1);
  if (last !== undefined && last.length + bytes.length <= SMALL_BYTES) {
    stream.chunks[stream.chunks.length - 1] = Buffer.concat([last, bytes]);
  } else stream.chunks.push(bytes);
  stream.wake?.();
}

/** The streams of one connection. */
interface Tunnel {
  readonly open: Map<number, Incoming>;
  readonly send: (message: ToAgent) => void;
}

async function* read({ open, send }: Tunnel, id: number, stream: Incoming): AsyncGenerator<Uint8Array> {
  try {
    for (;;) {
      const chunk = stream.chunks.shift();
      if (chunk !== undefined) {
        yield chunk;
        stream.credit += chunk.length;
        send({ type: "credit", stream: id, bytes: chunk.length });
      } else if (stream.end !== null) {
        if (stream.end.error !== null) throw new StreamError(stream.end.error);
        return;
      } else {
        await new Promise<void>((resolve) => {
          stream.wake = resolve;
        });
      }
    }
  } finally {
    if (stream.end === null) send({ type: "close", stream: id });
    open.delete(id);
  }
}

/**
 * Ends a stream whose reader is gone, also while no bytes come. A generator's own `return` would first wait for the
 * next bytes.
 */
function leave(tunnel: Tunnel, id: number, bytes: AsyncGenerator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
  drop(tunnel, id, null);
  return bytes.return(undefined);
}

/** Ends a stream from this side. What its agent still sends of it is not kept. */
function drop({ open, send }: Tunnel, id: number, error: string | null): void {
  const stream = open.get(id);
  if (stream === undefined) return;
  if (stream.end === null) send({ type: "close", stream: id });
  stream.chunks.length = 0;
  open.delete(id);
  finish(stream, error);
}

export function createStreams(socket: AgentSocket): Streams {
  const open = new Map<number, Incoming>();
  let count = 0;
  const send = (message: ToAgent): void => {
    socket.send(messageText(toAgent, message));
  };
  const tunnel: Tunnel = { open, send };
  return {
    openLog(request) {
      const id = ++count;
      const { promise: begins, resolve: began } = Promise.withResolvers<number | null>();
      const stream: Incoming = { chunks: [], credit: STREAM_CREDIT_BYTES, end: null, wake: null, began };
      open.set(id, stream);
      send({ type: "open", stream: id, credit: STREAM_CREDIT_BYTES, what: { kind: "log", ...request } });
      const bytes = read(tunnel, id, stream);
      const iterator = { next: () => bytes.next(), return: () => leave(tunnel, id, bytes) };
      return { begins, [Symbol.asyncIterator]: () => iterator };
    },
    take(message) {
      const stream = open.get(message.stream);
      if (stream === undefined) return;
      if (message.type === "end") finish(stream, message.error);
      else stream.began(message.offset);
    },
    bytes(frame) {
      const { stream: id, bytes } = decodeFrame(frame);
      const stream = open.get(id);
      if (stream === undefined || bytes.length === 0) return;
      stream.credit -= bytes.length;
      if (stream.credit < 0) drop(tunnel, id, "its node sent more than it was allowed to");
      else keep(stream, bytes);
    },
    broken(why) {
      for (const stream of open.values()) finish(stream, why);
    },
  };
}
