// Runs a command on trial: in a process group of its own, with a clean environment and a time limit, its last output
// kept. The whole group is killed at the end, and also when this process dies.

import { within } from "../clock";
import { own } from "./own";
import { signalName } from "./signals";
import { startCompanion } from "./spawn";

export interface TrialOrder {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly timeout_ms: number;
  /** Ends the trial early. */
  readonly signal: AbortSignal;
}

export type Trial =
  | { readonly is: "ended"; readonly code: number | null; readonly signal: string | null; readonly tail: string }
  | { readonly is: "late"; readonly tail: string }
  | { readonly is: "failed"; readonly why: string };

const TAIL_CHARS = 2_000;
/**
 * How long to wait for output after the process has ended. A process that it left behind may hold the pipe open for
 * ever.
 */
const DRAIN_MS = 200;

/** A shell script that kills the group `$1` when its input ends without a word. */
const GUARD = `trap "" TERM INT HUP
read -r word && exit 0
kill -9 "-$1"`;

/** Runs the command to its end, which comes with the time limit at the latest. */
export async function runTrial(order: TrialOrder): Promise<Trial> {
  const child = start(order);
  if (typeof child === "string") return { is: "failed", why: child };
  const guard = startCompanion(["/bin/sh", "-c", GUARD, "orch-guard", String(child.pid)]);
  const kill = (): void => killGroup(child.pid);
  const late = Promise.withResolvers<"late">();
  const timer = setTimeout(() => late.resolve("late"), order.timeout_ms);
  const stop = (): void => late.resolve("late");
  order.signal.addEventListener("abort", stop, { once: true });
  const tail = { text: "" };
  const read = Promise.all([keepTail(child.stdout, tail), keepTail(child.stderr, tail)]);
  const outcome = await Promise.race([child.exited, late.promise]);
  clearTimeout(timer);
  order.signal.removeEventListener("abort", stop);
  kill();
  guard?.dismiss();
  await within(DRAIN_MS, read, null);
  if (outcome === "late") return { is: "late", tail: tail.text };
  const signal = child.signalCode === null ? null : signalName(child.signalCode);
  return { is: "ended", code: signal === null ? outcome : null, signal, tail: tail.text };
}

function start({ argv, cwd, env }: TrialOrder): Bun.Subprocess<"ignore", "pipe", "pipe"> | string {
  try {
    return own(
      Bun.spawn([...argv], {
        stdio: ["ignore", "pipe", "pipe"],
        env: { ...env },
        cwd,
        detached: true,
      }),
    );
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return `${argv[0]} is not there`;
    return code === "EACCES" ? `${argv[0]} is not executable` : message;
  }
}

async function keepTail(stream: ReadableStream<Uint8Array>, tail: { text: string }): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of stream)
    tail.text = (tail.text + decoder.decode(chunk, { stream: true })).slice(-TAIL_CHARS);
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    // ESRCH: nothing of the group is left.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
