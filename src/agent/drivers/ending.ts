// Signals and kills sent directly by the agent. They also work when the keeper is old, busy or dead.

import { askToEnd } from "../../os/cgroup/ask";
import type { Group } from "../../os/cgroup/hierarchy";
import { killTask, ungrouped } from "../../os/cgroup/kill";
import { messageOf } from "../../os/errors";
import type { FoundProcess } from "../../os/proc";
import { Processes } from "../../os/process/find";
import { signalNumber, type Sent } from "../../os/process/signals";
import type { ProcessHandle } from "./look";

export interface Victim {
  readonly handle: ProcessHandle;
  readonly group: Group;
}

export interface Ending {
  /** Sends a signal, and lets a task that was stopped go on, so that it can obey. */
  signal(victim: Victim, signal: string): void;
  kill(victim: Victim): void;
  /** Asks once, and kills when the grace is over. This is for a task without a record, which no loop can follow. */
  stop(victim: Victim): void;
  close(): void;
}

const SIGTERM = 15;
const STRAY_GRACE_MS = 10_000;

export function createEnding(say: (line: string) => void): Ending {
  const timers = new Set<ReturnType<typeof setTimeout>>();

  const tell = ({ pid }: ProcessHandle, sent: Sent): void => {
    if (sent.is === "failed") say(`process ${pid} could not be signalled: ${sent.why}`);
  };
  const ask = (handle: ProcessHandle, signal: number, group: Group): void =>
    tell(handle, askToEnd(handle, signal, group));

  const kill = ({ handle, group }: Victim, known: readonly FoundProcess[] = []): void =>
    tell(handle, killTask(handle, group, new Processes(), known));

  const killAfter = (victim: Victim, known: readonly FoundProcess[], ms: number): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      try {
        kill(victim, known);
      } catch (error) {
        say(`process ${victim.handle.pid} could not be ended, which is tried again: ${messageOf(error)}`);
        killAfter(victim, known, ms);
      }
    }, ms);
    timers.add(timer);
  };

  return {
    signal: ({ handle, group }, signal) => ask(handle, signalNumber(signal) ?? SIGTERM, group),
    kill: (victim) => kill(victim),
    stop: (victim) => {
      // What it has started may outlive it, and is found by it only now.
      const known = ungrouped(victim.handle, victim.group, new Processes());
      ask(victim.handle, SIGTERM, victim.group);
      killAfter(victim, known, STRAY_GRACE_MS);
    },
    close: () => {
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
