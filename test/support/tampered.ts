// Has the kernel's answers to one process tampered with, from outside (strace): the N-th write or sync of some files
// kills it, right before or right after it is made, or fails.

import { existsSync, readFileSync } from "node:fs";
import { isAlive } from "./processes";
import { waitUntil } from "./wait";

/** Why nothing can be tampered with here, or null. */
export function noTampering(): string | null {
  if (Bun.which("strace") === null) return "strace is not installed (Debian: strace)";
  const scope = "/proc/sys/kernel/yama/ptrace_scope";
  const isKept = process.getuid?.() !== 0 && existsSync(scope) && readFileSync(scope, "utf8").trim() !== "0";
  return isKept ? "not root, and only root may trace other processes here" : null;
}

export type TamperedCall = "write" | "fdatasync" | "fsync" | "fchmod" | "mkdir" | "rename";

/**
 * What happens at a call: `before` it is made, or `after` it, the process is killed; or it fails with an error, and so
 * do `more` ones after it.
 */
export type Tampering =
  | { readonly is: "killed"; readonly when: "before" | "after" }
  | { readonly is: "failed"; readonly error: "ENOSPC" | "EIO"; readonly more: number };

export interface Tampered {
  /** Leaves the process alone again, and returns how many calls there were. */
  end(): Promise<number>;
}

const LOOK_EVERY_MS = 50;
/** A signal that ends a process that does not expect it, once the call is over. KILL does before it is made. */
const AFTER = "VTALRM";

function injection(call: TamperedCall, at: number, what: Tampering): string {
  if (what.is === "killed") return `${call}:signal=${what.when === "before" ? "KILL" : AFTER}:when=${at}`;
  return `${call}:error=${what.error}:when=${at}..${at + what.more}`;
}

/**
 * Tampers with the `at`-th call, from 1, of one kind that a process makes from now on to one of these files, or to any
 * if there are none. Each thread's calls are counted for themselves.
 */
export async function tamper(
  pid: number,
  paths: readonly string[],
  call: TamperedCall,
  at: number,
  what: Tampering,
): Promise<Tampered> {
  const argv = ["strace", "-f", "-p", String(pid), ...paths.flatMap((path) => ["-P", path])];
  const child = Bun.spawn([...argv, "-e", `trace=${call}`, "-e", `inject=${injection(call, at, what)}`], {
    stderr: "pipe",
    stdout: "ignore",
    stdin: "ignore",
  });
  // It may miss that all threads have ended, and would hold the dead process for ever.
  const looking = setInterval(() => {
    if (!isAlive(pid)) child.kill("SIGKILL");
  }, LOOK_EVERY_MS);
  child.exited.finally(() => clearInterval(looking)).catch(console.error);
  const reader = child.stderr.getReader();
  const decoder = new TextDecoder();
  let said = "";
  const read = async (): Promise<boolean> => {
    const { done, value } = await reader.read();
    said += decoder.decode(value);
    return done;
  };
  await waitUntil("strace to be attached", async () => {
    if (await read()) throw new Error(`strace has ended: ${said}`);
    return said.includes(`Process ${pid} attached`);
  });
  const rest = (async () => {
    while (!(await read()));
  })();
  return {
    async end() {
      if (child.exitCode === null) child.kill("SIGINT");
      await Promise.all([child.exited, rest]);
      return said.split("\n").filter((line) => line.includes(`${call}(`)).length;
    },
  };
}
