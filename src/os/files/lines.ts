// Both ends of a unix socket that carries JSON lines: agent and keeper talk over one. Lines that the socket does not
// take yet are kept up to a bound. A peer that does not read is disconnected.

import { chmodSync } from "node:fs";
import { preciseMs } from "../clock";
import { messageOf } from "../errors";
import { parsedJson } from "./json";

export interface LinePeer {
  send(message: unknown): void;
  close(): void;
}

export interface LineHandlers {
  message(message: unknown): void;
  /** Called once, whichever end closed the connection. `why` tells what this end could not bear, if that was it. */
  closed(why: string | null): void;
}

/** How long what is sent in one turn of the process may wait for the end of that turn. */
const TOGETHER_MS = 32;

const MOST_BUFFERED = 64 * 1024 * 1024;

interface RawSocket {
  write(data: Uint8Array): number;
  end(): void;
  terminate(): void;
}

/** Splits incoming bytes into lines, and keeps outgoing bytes that the socket does not take yet. */
class Wire implements LinePeer {
  #handlers: LineHandlers | null = null;
  #socket: RawSocket | null = null;
  #input = "";
  #output = new Uint8Array(0);
  #queued: string[] = [];
  /** When this turn of the process began to send, or null if it has sent nothing. What follows is sent together. */
  #sent_ms: number | null = null;
  #why: string | null = null;
  readonly #decoder = new TextDecoder();

  begin(socket: RawSocket, onPeer: (peer: LinePeer) => LineHandlers): void {
    this.#socket = socket;
    this.#handlers = onPeer(this);
  }

  send(message: unknown): void {
    if (this.#socket === null) return;
    this.#queued.push(`${JSON.stringify(message)}\n`);
    if (this.#sent_ms === null) {
      this.#sent_ms = preciseMs();
      queueMicrotask(() => this.#flush());
      setImmediate(() => {
        this.#sent_ms = null;
        this.#flush();
      });
    } else if (preciseMs() - this.#sent_ms > TOGETHER_MS) {
      this.#sent_ms = preciseMs();
      this.#flush();
    }
  }

  #flush(): void {
    if (this.#queued.length === 0) return;
    const more = Buffer.from(this.#queued.join(""));
    this.#queued = [];
    this.#output = this.#output.length === 0 ? more : Buffer.concat([this.#output, more]);
    if (this.#output.length > MOST_BUFFERED) this.fail("the other end does not read");
    else this.drain();
  }

  drain(): void {
    while (this.#socket !== null && this.#output.length > 0) {
      const written = this.#socket.write(this.#output);
      if (written <= 0) return;
      this.#output = this.#output.subarray(written);
    }
  }

  take(chunk: Uint8Array): void {
    this.#input += this.#decoder.decode(chunk, { stream: true });
    for (let at = this.#input.indexOf("\n"); at >= 0; at = this.#input.indexOf("\n")) {
      const line = this.#input.slice(0, at);
      this.#input = this.#input.slice(at + 1);
      const message = parsedJson(line);
      // A peer that sends anything but JSON is disconnected.
      if (message === undefined) return this.fail("the other end sent a line that is no JSON");
      this.#handlers?.message(message);
    }
    if (this.#input.length > MOST_BUFFERED) this.fail("the other end sent a line without an end");
  }

  /** Ends the connection, and not this process, for what one message has made fail. */
  fail(why: string): void {
    this.#why ??= why;
    this.#socket?.terminate();
  }

  end(): void {
    this.#socket = null;
    const handlers = this.#handlers;
    this.#handlers = null;
    handlers?.closed(this.#why);
  }

  close(): void {
    this.#flush();
    this.#socket?.end();
  }
}

/** The most bytes that a socket's path may have: sun_path in unix(7) without its final zero. */
export const longestPath = 107;

export interface LineServer {
  stop(): void;
}

/** Listens on a socket that only its owner may open. */
export function listenLines(path: string, onPeer: (peer: LinePeer) => LineHandlers): LineServer {
  const server = Bun.listen<Wire>({
    unix: path,
    socket: {
      open(socket) {
        socket.data = new Wire();
        socket.data.begin(socket, onPeer);
      },
      data: (socket, chunk) => socket.data.take(chunk),
      drain: (socket) => socket.data.drain(),
      close: (socket) => socket.data.end(),
      error: (socket, error) => socket.data.fail(messageOf(error)),
    },
  });
  chmodSync(path, 0o600);
  return { stop: () => server.stop(true) };
}

/** `code` is the system's error: EACCES where the socket belongs to another account, ENOENT where there is none. */
export type Connected =
  | { readonly is: "connected"; readonly peer: LinePeer }
  | { readonly is: "failed"; readonly code: string | null; readonly why: string };

/** Connects to a socket, or returns why that failed. */
export async function connectLines(path: string, onPeer: (peer: LinePeer) => LineHandlers): Promise<Connected> {
  const wire = new Wire();
  try {
    await Bun.connect({
      unix: path,
      socket: {
        open: (socket) => wire.begin(socket, onPeer),
        data: (_socket, chunk) => wire.take(chunk),
        drain: () => wire.drain(),
        close: () => wire.end(),
        error: (_socket, error) => wire.fail(messageOf(error)),
      },
    });
    return { is: "connected", peer: wire };
  } catch (error) {
    const { code } = error as { readonly code?: unknown };
    return { is: "failed", code: typeof code === "string" ? code : null, why: messageOf(error) };
  }
}
