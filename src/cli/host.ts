// What the command line gets from its process: streams, environment, clock, interrupts. Tests pass their own.

import type { Ms } from "../core/units";
import type { Parts } from "./parts";

export interface Sink {
  readonly tty: boolean;
  /** Columns of the terminal; null when it is none. */
  readonly columns: number | null;
  write(data: string | Uint8Array): void;
  /** Resolves when everything written has been taken; what streams waits for it. */
  drained(): Promise<void>;
}

export interface InputSource {
  readonly tty: boolean;
  all(): Promise<string>;
  /** One line, or null at the end of the input. `hidden` does not echo it. */
  line(question: string, hidden: boolean): Promise<string | null>;
}

export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: string;
  readonly hostname: string;
  /** The Unix uid of this process; null where there is none. */
  readonly uid: number | null;
  readonly out: Sink;
  readonly err: Sink;
  readonly input: InputSource;
  readonly parts: Parts;
  readonly now: () => Ms;
  /** Calls `listener` on Ctrl-C and on a request to end, instead of ending; gives back how to stop that. */
  onInterrupt(listener: (signal: "SIGINT" | "SIGTERM") => void): () => void;
}
