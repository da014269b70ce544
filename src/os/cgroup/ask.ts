// Asks a task to end by a signal, in such a way that it can obey: whatever of it was stopped or frozen goes on.

import { existsSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { sendSignal, type Sent } from "../process/signals";
import { tryWrite } from "./dirs";
import { membersOf } from "./group";
import type { Group } from "./hierarchy";

const { SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT } = constants.signals;
const STOPS: ReadonlySet<number> = new Set([SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU]);

/** Sends a signal to a task's process and its process group, and lets the task go on if it was stopped or frozen. */
export function askToEnd(target: { pid: number; start: string }, signal: number, group: Group): Sent {
  const sent = sendSignal(target, signal, "group");
  if (STOPS.has(signal)) return sent;
  for (const dir of group) if (existsSync(join(dir, "cgroup.freeze"))) tryWrite(join(dir, "cgroup.freeze"), "0");
  sendSignal(target, SIGCONT, "group");
  // A process that became another one between the look and the signal is not harmed: SIGCONT ends nothing.
  for (const pid of membersOf(group)) continueOne(pid);
  return sent;
}

function continueOne(pid: number): void {
  try {
    process.kill(pid, SIGCONT);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
  }
}
