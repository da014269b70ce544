// Signals and kills sent directly by the agent. They also work when the keeper is old, busy or dead.

import { askToEnd } from "../../os/cgroup/ask";
import type { Group } from "../../os/cgroup/hierarchy";
import { killMany, killTask, mainsOf, ungrouped } from "../../os/cgroup/kill";
import { messageOf } from "../../os/errors";
import type { FoundProcess } from "../../os/proc";
import { Processes } from "../../os/process/find";
import { signalNumber, type Sent } from "../../os/process/signals";
import type { ProcessHandle } from "./look";

export interface Victim {
  /** The main process. Null: a batch, which has one for each element that runs. */
  readonly handle: ProcessHandle | null;
  readonly group: Group;
  /** How the environment of its processes marks them. */
  readonly marker: string;
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
/** How long after a batch was asked to end it is looked for elements that its keeper had begun meanwhile. */
const ASK_AGAIN_MS = 500;

export function createEnding(say: (line: string) => void): Ending {
  const timers = new Set<ReturnType<typeof setTimeout>>();

  const tell = ({ pid }: FoundProcess, sent: Sent): void => {
    if (sent.is === "failed") say(`process ${pid} could not be signalled: ${sent.why}`);
  };

  /** Does something later. What fails is said in these words, and tried again. */
  const later = (ms: number, failed: string, act: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      try {
        act();
      } catch (error) {
        say(`${failed}, which is tried again: ${messageOf(error)}`);
        later(ms, failed, act);
      }
    }, ms);
    timers.add(timer);
  };

  const ask = (victim: Victim, signal: number): void => {
    const { handle, group } = victim;
    if (handle !== null) return tell(handle, askToEnd(handle, signal, group));
    const asked = askMains(victim, signal, new Set());
    later(ASK_AGAIN_MS, "elements could not be signalled", () => {
      askMains(victim, signal, asked);
    });
  };

  /** Signals the elements of a batch that were not signalled before. Returns those that are by now. */
  const askMains = (victim: Victim, signal: number, before: ReadonlySet<string>): ReadonlySet<string> => {
    const asked = new Set(before);
    for (const main of mainsOf(victim)) {
      const key = `${main.pid} ${main.start}`;
      if (!asked.has(key)) tell(main, askToEnd(main, signal, victim.group));
      asked.add(key);
    }
    return asked;
  };

  const kill = (victim: Victim, known: readonly FoundProcess[] = []): void => {
    const { handle, group } = victim;
    if (handle === null) killMany(victim);
    else tell(handle, killTask(handle, group, new Processes(), known));
  };

  return {
    signal: (victim, signal) => ask(victim, signalNumber(signal) ?? SIGTERM),
    kill: (victim) => kill(victim),
    stop: (victim) => {
      const { handle, group } = victim;
      // What it has started may outlive it, and is found by it only now.
      const known = handle === null ? [] : ungrouped(handle, group, new Processes());
      ask(victim, SIGTERM);
      later(STRAY_GRACE_MS, "a task could not be ended", () => kill(victim, known));
    },
    close: () => {
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
