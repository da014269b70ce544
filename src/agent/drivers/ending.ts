// Signals and kills sent directly by the agent. They also work when the keeper is old, busy or dead.

import { killGroup } from "../../os/cgroup/group";
import type { Group } from "../../os/cgroup/hierarchy";
import { findProcesses } from "../../os/proc";
import { sendSignal, signalNumber } from "../../os/process/signals";
import type { ProcessHandle } from "./look";

export interface Victim {
  readonly handle: ProcessHandle;
  readonly group: Group;
}

export interface Ending {
  signal(handle: ProcessHandle, signal: string): void;
  kill(victim: Victim): void;
  /** Asks once, and kills when the grace is over. This is for a task without a record, which no loop can follow. */
  stop(victim: Victim): void;
  close(): void;
}

const SIGTERM = 15;
const SIGKILL = 9;
const STRAY_GRACE_MS = 10_000;

export function createEnding(say: (line: string) => void): Ending {
  const timers = new Set<ReturnType<typeof setTimeout>>();

  const send = (handle: ProcessHandle, signal: number): void => {
    const sent = sendSignal(handle, signal, "group");
    if (sent.is === "failed") say(`process ${handle.pid} could not be signalled: ${sent.why}`);
  };

  const kill = ({ handle, group }: Victim): void => {
    send(handle, SIGKILL);
    if (group.length > 0) killGroup(group);
    // Without control groups, the task's session is what finds its processes.
    else for (const one of findProcesses(new Set([handle.pid]), [])) sendSignal(one, SIGKILL, "one");
  };

  return {
    signal: (handle, signal) => send(handle, signalNumber(signal) ?? SIGTERM),
    kill,
    stop: (victim) => {
      send(victim.handle, SIGTERM);
      const timer = setTimeout(() => {
        timers.delete(timer);
        kill(victim);
      }, STRAY_GRACE_MS);
      timers.add(timer);
    },
    close: () => {
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
