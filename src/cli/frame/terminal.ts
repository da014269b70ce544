// The real process as a Host: standard streams, prompts and interrupts. Main passes in the function that ends the
// process.

import { messageOf } from "../../os/errors";
import { isInputGiven, self, standardInput } from "../../os/files/private-files";
import { complainNow, mayBeTerminal, writeNow } from "../../os/streams";
import type { Host, Sink, InputSource } from "../host";
import { UsageError } from "../failure";
import type { Parts } from "../parts";
import { clean } from "../print/clean";
import { sentence } from "../print/wrap";
import { lostOutput } from "./lost-output";

const SIGNAL_EXIT = { SIGINT: 130, SIGTERM: 143 } as const;

export interface Process {
  readonly host: Host;
  /**
   * Resolves when all output has left the process. Returns whether all of it could be written; a service does not ask.
   */
  readonly flushed: () => Promise<boolean>;
}

/** `token` is the one of the environment, from which it is gone by now. */
export function processHost(
  parts: Parts,
  token: string | undefined,
  now: () => number,
  end: (code: number) => void,
): Process {
  const env = token === undefined ? process.env : { ...process.env, ORCH_TOKEN: token };
  let isService = false;
  let isJob = false;
  let needsReader = true;
  let isWhole = true;
  const out = sinkOf(
    1,
    () => process.stdout,
    env,
    (error) => {
      if (isService || (error.code === "EPIPE" && !needsReader)) return;
      const { exit, line } = lostOutput(error, isJob);
      if (line !== "") complainNow(line);
      end(exit);
    },
  );
  // Nothing can be said about a lost message. It changes the exit code of a command that did all else.
  const err = sinkOf(
    2,
    () => process.stderr,
    env,
    (error) => {
      if (isService) return;
      if (error.code === "EPIPE") return needsReader ? end(lostOutput(error).exit) : undefined;
      isWhole = false;
    },
  );
  const host: Host = {
    ...self(),
    env,
    ...workingDirectory(),
    out: out.sink,
    err: err.sink,
    input: source,
    parts,
    now,
    onInterrupt: interrupts(end),
    becomeService: () => {
      isService = true;
    },
    outliveReader: () => {
      needsReader = false;
    },
    becomeJob: () => {
      isJob = true;
    },
  };
  return {
    host,
    flushed: async () => {
      await Promise.all([out.flushed(), err.flushed()]);
      return isWhole;
    },
  };
}

/** Returns the working directory, or where it was, if it was removed: most commands do not need it. */
function workingDirectory(): Pick<Host, "cwd" | "isCwdGone"> {
  try {
    return { cwd: process.cwd() };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return { cwd: process.env["PWD"] ?? "/", isCwdGone: true };
  }
}

interface Output {
  readonly sink: Sink;
  readonly flushed: () => Promise<void>;
}

const COLUMNS_UNKNOWN = 80;

/**
 * Returns how wide a terminal is: what the environment says, else its own size. Some terminals say 0, as those of
 * `script` without one.
 */
export function columnsOf(size: number | undefined, said: string | undefined): number {
  const given = /^[1-9]\d{0,4}$/.test(said ?? "") ? Number(said) : 0;
  return [given, size ?? 0].find((columns) => columns > 0) ?? COLUMNS_UNKNOWN;
}

/**
 * A file or a pipe is written to directly, as long as it takes what comes. From then on, and for all else, the
 * runtime's stream is: what is written waits in it.
 */
function sinkOf(
  fd: 1 | 2,
  opened: () => NodeJS.WriteStream,
  env: Host["env"],
  lost: (error: NodeJS.ErrnoException) => void,
): Output {
  let direct = writeNow(fd);
  let pending = 0;
  const waiting: (() => void)[] = [];
  const left = (error?: Error | null): void => {
    if (error instanceof Error) lost(error);
    if (--pending > 0) return;
    for (const resolve of waiting.splice(0)) resolve();
  };
  // Each write is counted until it has left the process. The callback of an empty write could come before the earlier
  // writes have left.
  const flushed = (): Promise<void> =>
    pending === 0
      ? Promise.resolve()
      : new Promise((resolve) => {
          waiting.push(resolve);
        });
  let kept: NodeJS.WriteStream | null = null;
  const stream = (): NodeJS.WriteStream => {
    if (kept !== null) return kept;
    // Each failed write is told to its own callback. Without a listener the same error would end the process.
    return (kept = opened().on("error", () => undefined));
  };
  /** Returns what is left of it for the stream, or null if all has left or is lost. */
  const writeDirectly = (data: string | Uint8Array): string | Uint8Array | null => {
    if (direct === null) return data;
    try {
      const rest = direct(typeof data === "string" ? Buffer.from(data) : data);
      if (rest.length === 0) return null;
      direct = null;
      return rest;
    } catch (error) {
      lost(error as NodeJS.ErrnoException);
      return null;
    }
  };
  const tty = mayBeTerminal(fd) && stream().isTTY;
  const sink: Sink = {
    tty,
    get columns() {
      return tty ? columnsOf(stream().columns, env["COLUMNS"]) : null;
    },
    get rows() {
      return tty && stream().rows > 0 ? stream().rows : null;
    },
    write: (data) => {
      const rest = writeDirectly(data);
      if (rest === null) return;
      pending++;
      stream().write(rest, left);
    },
    drained: async () => {
      if (kept?.writableNeedDrain === true) await flushed();
    },
  };
  return { sink, flushed };
}

const source: InputSource = {
  tty: mayBeTerminal(0) && process.stdin.isTTY,
  async all() {
    const bytes = await standardInput();
    if (bytes === null) throw new UsageError("standard input does not end", "A spec has at most 256 KiB");
    return new TextDecoder().decode(bytes);
  },
  async piped(most_bytes) {
    if (this.tty || !isInputGiven()) return { is: "none" };
    try {
      const bytes = await standardInput(most_bytes);
      if (bytes === null) return { is: "too_large" };
      return bytes.length === 0 ? { is: "none" } : { is: "bytes", bytes };
    } catch (error) {
      return { is: "unreadable", why: messageOf(error) };
    }
  },
  line: (question, hidden) => {
    // A question may begin on a line of its own. It names things of others.
    const columns =
      mayBeTerminal(2) && process.stderr.isTTY ? columnsOf(process.stderr.columns, process.env["COLUMNS"]) : null;
    const lines = question.split("\n").flatMap((line) => sentence(clean(line).trimEnd(), columns));
    const asked = `${lines.join("\n")} `;
    return hidden && source.tty ? hiddenLine(asked) : plainLine(asked);
  },
};

async function plainLine(question: string): Promise<string | null> {
  const { createInterface } = await import("node:readline/promises");
  const reader = createInterface({ input: process.stdin, output: process.stderr, terminal: false });
  process.stderr.write(question);
  const line = await new Promise<string | null>((resolve) => {
    reader.once("line", resolve);
    reader.once("close", () => resolve(null));
  });
  reader.close();
  return line;
}

/** Reads a line without echo. The terminal is in raw mode meanwhile, in which Ctrl-C is a letter. */
async function hiddenLine(question: string): Promise<string | null> {
  const { stdin, stderr } = process;
  stderr.write(question);
  stdin.setRawMode(true);
  stdin.resume();
  let interrupted = false;
  const line = await new Promise<string | null>((resolve) => {
    let typed = "";
    const take = (chunk: Buffer): void => {
      for (const char of chunk.toString("utf8")) {
        if (char === "\x03" || char === "\x04" || char === "\r" || char === "\n") {
          stdin.off("data", take);
          interrupted = char === "\x03";
          resolve(char === "\r" || char === "\n" ? typed : null);
          return;
        }
        typed = char === "\x7f" || char === "\b" ? typed.slice(0, -1) : typed + char;
      }
    };
    stdin.on("data", take);
  });
  stdin.setRawMode(false);
  stdin.pause();
  stderr.write("\n");
  if (interrupted) process.emit("SIGINT", "SIGINT");
  return line;
}

/**
 * Handles each signal once: the newest listener gets it. Without a listener the process ends with the exit code that
 * shells expect.
 */
function interrupts(end: (code: number) => void): Host["onInterrupt"] {
  const listeners: Parameters<Host["onInterrupt"]>[0][] = [];
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      const listener = listeners.at(-1);
      if (listener === undefined) end(SIGNAL_EXIT[signal]);
      else listener(signal);
    });
  }
  return (listener) => {
    listeners.push(listener);
    return () => {
      const at = listeners.lastIndexOf(listener);
      if (at >= 0) listeners.splice(at, 1);
    };
  };
}
