// The surroundings that a command gets from its process: streams, environment, clock, interrupts. Tests pass their own.

import type { Ms } from "../core/units";
import type { Parts } from "./parts";

export interface Sink {
  readonly tty: boolean;
  /** The terminal's number of columns, or null if the sink is no terminal: then nothing is cut or folded for it. */
  readonly columns: number | null;
  /** The terminal's number of lines, or null if the sink is no terminal or does not say. */
  readonly rows: number | null;
  write(data: string | Uint8Array): void;
  /** Resolves when everything written has been taken. Commands that stream output wait for it. */
  drained(): Promise<void>;
}

/** What standard input gives to a run. `none`: a terminal, /dev/null, nothing at all, or a pipe without a byte. */
export type Piped =
  | { readonly is: "none" }
  | { readonly is: "bytes"; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly is: "too_large" }
  | { readonly is: "unreadable"; readonly why: string };

export interface InputSource {
  readonly tty: boolean;
  all(): Promise<string>;
  /** Reads what a pipe, a file or a socket gives, to its end, as it is. */
  piped(most_bytes: number): Promise<Piped>;
  /** Asks a question and returns the typed line, or null at the end of the input. A `hidden` line is not echoed. */
  line(question: string, hidden: boolean): Promise<string | null>;
}

export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Whether that directory was removed meanwhile: nothing can start in it. */
  readonly isCwdGone?: boolean;
  readonly home: string;
  readonly hostname: string;
  /** The Unix uid of this process, or null on a system without uids. */
  readonly uid: number | null;
  readonly out: Sink;
  readonly err: Sink;
  readonly input: InputSource;
  readonly parts: Parts;
  readonly now: () => Ms;
  /**
   * Calls `listener` on SIGINT and SIGTERM, which then do not end the process. Returns a function that removes the
   * listener.
   */
  onInterrupt(listener: (signal: "SIGINT" | "SIGTERM") => void): () => void;
  /**
   * From now on output that cannot be written is dropped. Services call this: their lines are a log, and a full disk
   * must not end them. Others end at their first lost output.
   */
  becomeService(): void;
  /**
   * From now on a reader that goes away, as `head` does, ends nothing. Commands that change something call this: what
   * they were asked for is done, whoever reads what they say of it.
   */
  outliveReader(): void;
  /** From now on the exit code is a job's: lost output gives one that no job has by itself. */
  becomeJob(): void;
}
