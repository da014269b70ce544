// Starts the compiled binary, for tests, demo and bench: a long-lived part whose output goes to a file, or one command.

import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isAlive, processOf, signal } from "./processes";
import { waitUntil } from "./wait";

export const BINARY = join(import.meta.dir, "..", "..", "dist", "orch");

export function requireBinary(): void {
  if (!existsSync(BINARY)) throw new Error("dist/orch is not there: run `bun run build` first");
}

export interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Runs one command to its end. */
export async function runOrch(args: readonly string[], env: Env, input?: string): Promise<Result> {
  const child = Bun.spawn([BINARY, ...args], {
    env: { ...env },
    stdout: "pipe",
    stderr: "pipe",
    stdin: input === undefined ? "ignore" : new TextEncoder().encode(input),
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, out, err };
}

/** A part that runs until it is stopped. Its output goes to a file, so that it never depends on a reader. */
export class Program {
  readonly #child: Bun.Subprocess;

  private constructor(
    readonly name: string,
    readonly log: string,
    child: Bun.Subprocess,
  ) {
    this.#child = child;
  }

  static start(name: string, args: readonly string[], log: string, env: Env): Program {
    return Program.startAs(name, [BINARY, ...args], log, env);
  }

  /** Starts a whole command line, where something stands in front of the binary. */
  static startAs(name: string, argv: readonly string[], log: string, env: Env): Program {
    const output = openSync(log, "a");
    const child = Bun.spawn([...argv], { env: { ...env }, stdin: "ignore", stdout: output, stderr: output });
    closeSync(output);
    return new Program(name, log, child);
  }

  get pid(): number {
    return this.#child.pid;
  }

  get exited(): Promise<number> {
    return this.#child.exited;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null && isAlive(this.pid);
  }

  output(): string {
    return existsSync(this.log) ? readFileSync(this.log, "utf8") : "";
  }

  /** Waits for a line that matches, and returns the match. Fails at once if the program ends before. */
  async line(pattern: RegExp, deadline_ms = 15_000): Promise<RegExpExecArray> {
    const found = await waitUntil(
      `${this.name} to print ${pattern}`,
      () => pattern.exec(this.output()) ?? (this.running ? null : "ended"),
      deadline_ms,
    );
    if (found === "ended") throw new Error(`${this.name} ended before it printed ${pattern}:\n${this.output()}`);
    return found;
  }

  async kill(name: NodeJS.Signals = "SIGKILL"): Promise<number> {
    const found = processOf(this.pid);
    if (found !== null) signal(found, name);
    return this.exited;
  }
}
