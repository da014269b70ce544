// A command line without a process: what it writes is kept, what it would start is recorded.

import type { Host, Sink } from "../../src/cli/host";
import type { Parts } from "../../src/cli/parts";

export interface Stage {
  readonly host: Host;
  out(): string;
  err(): string;
  /** Presses Ctrl-C. */
  interrupt(): void;
}

interface Given {
  readonly env?: Record<string, string>;
  readonly home?: string;
  readonly cwd?: string;
  readonly uid?: number;
  readonly tty?: boolean;
  readonly columns?: number;
  readonly input?: string;
  /** What is piped into a run. */
  readonly piped?: Uint8Array<ArrayBuffer>;
  readonly now_ms?: number;
  readonly parts?: Partial<Parts>;
}

const refuse = (what: string) => (): Promise<never> => Promise.reject(new Error(`this test starts no ${what}`));
const NO_PARTS: Parts = {
  startServer: refuse("server"),
  runAgent: refuse("agent"),
  restore: refuse("restore"),
};

export function stage(given: Given = {}): Stage {
  const written = { out: "", err: "" };
  const sink = (name: "out" | "err"): Sink => ({
    tty: given.tty ?? false,
    columns: given.tty === true ? (given.columns ?? 80) : null,
    rows: given.tty === true ? 24 : null,
    write: (data) => {
      written[name] += typeof data === "string" ? data : new TextDecoder().decode(data);
    },
    drained: () => Promise.resolve(),
  });
  const listeners: ((signal: "SIGINT" | "SIGTERM") => void)[] = [];
  const lines = (given.input ?? "").split("\n");
  const host: Host = {
    env: given.env ?? {},
    cwd: given.cwd ?? "/nowhere",
    home: given.home ?? "/nowhere",
    hostname: "box1",
    uid: given.uid ?? 1000,
    out: sink("out"),
    err: sink("err"),
    parts: { ...NO_PARTS, ...given.parts },
    input: {
      tty: given.tty ?? false,
      all: () => Promise.resolve(given.input ?? ""),
      piped: () => Promise.resolve(given.piped === undefined ? { is: "none" } : { is: "bytes", bytes: given.piped }),
      line: (question) => {
        written.err += question;
        return Promise.resolve(lines.shift() ?? null);
      },
    },
    becomeService: () => undefined,
    outliveReader: () => undefined,
    becomeJob: () => undefined,
    now: () => given.now_ms ?? 1_700_000_000_000,
    onInterrupt: (listener) => {
      listeners.push(listener);
      return () => {
        listeners.splice(listeners.indexOf(listener), 1);
      };
    },
  };
  return { host, out: () => written.out, err: () => written.err, interrupt: () => listeners.at(-1)?.("SIGINT") };
}
