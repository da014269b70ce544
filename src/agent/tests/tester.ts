// Orders to test this node: one battery at a time. The result is kept and reported for as long as the server asks, on
// whatever connection there is.

import type { TestCommand, TestResult } from "../../core/model/node-tests";
import { messageOf } from "../../os/errors";
import type { ToAgent, ToServer } from "../../wire/agent";

export interface TestOrder {
  readonly id: string;
  readonly commands: readonly TestCommand[];
}

/** What a battery may use of the connection. */
export interface TestLine {
  /** Sends a text to the server and back. Resolves with the server's wall clock, or null if the connection was lost. */
  echo(data: string): Promise<number | null>;
  /** Reports which test is running: number `n` of `of`. */
  step(name: string, n: number, of: number): void;
  /** Aborts when another order came, or the agent ends. */
  readonly signal: AbortSignal;
}

export type Battery = (order: TestOrder, line: TestLine) => Promise<readonly TestResult[]>;

export interface Tester {
  take(message: Extract<ToAgent, { type: "test" | "echo" }>): void;
  /** Sends everything from now on over this connection; null if there is none. */
  connect(tell: ((message: ToServer) => void) | null): void;
  stop(): void;
}

type Running = { readonly id: string; readonly abort: AbortController };

export function createTester(battery: Battery, say: (line: string) => void): Tester {
  let tell: ((message: ToServer) => void) | null = null;
  let running: Running | null = null;
  let done: { readonly id: string; readonly results: readonly TestResult[] } | null = null;
  let last: Promise<void> = Promise.resolve();
  let echoes = 0;
  const echoing = new Map<number, (wall_ms: number | null) => void>();

  async function echo(data: string): Promise<number | null> {
    if (tell === null) return null;
    const n = ++echoes;
    const { promise, resolve } = Promise.withResolvers<number | null>();
    echoing.set(n, resolve);
    tell({ type: "echo", n, data });
    return promise;
  }

  function order({ id, commands }: TestOrder): void {
    if (done?.id === id) return tell?.({ type: "tested", ...done });
    if (running?.id === id) return;
    running?.abort.abort();
    const abort = new AbortController();
    const own: Running = { id, abort };
    running = own;
    const step: TestLine["step"] = (name, n, of) => tell?.({ type: "testing", id, name, n, of });
    // The battery before ends first, so that two never disturb each other.
    last = last.then(async () => {
      if (abort.signal.aborted) return;
      const results = await battery({ id, commands }, { echo, step, signal: abort.signal });
      if (running !== own || abort.signal.aborted) return;
      running = null;
      done = { id, results };
      tell?.({ type: "tested", ...done });
    });
    last = last.catch((error: unknown) => {
      // The result was not reported, so the server asks for it again in the next session, until its deadline.
      if (running === own) running = null;
      say(`the tests of this node could not be run: ${messageOf(error)}`);
    });
  }

  return {
    take(message) {
      if (message.type === "test") return order(message);
      echoing.get(message.n)?.(message.wall_ms);
      echoing.delete(message.n);
    },
    connect(next) {
      tell = next;
      for (const resolve of echoing.values()) resolve(null);
      echoing.clear();
    },
    stop() {
      running?.abort.abort();
      running = null;
      tell = null;
      for (const resolve of echoing.values()) resolve(null);
      echoing.clear();
    },
  };
}
