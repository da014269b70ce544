// Tasks of removed agents: their data directory is gone, no agent of it lives, and their processes run on. Nobody may
// decide about them from here, so they are only named, for people who wonder what holds the machine.

import { dirname, join } from "node:path";
import { HOUSE_LIMITS } from "../../core/limits";
import type { ForeignTask } from "../../core/model/rows-node";
import { MIB, SECOND_MS } from "../../core/units";
import { messageOf } from "../../os/errors";
import { exists, namesIn } from "../../os/files/files";
import { residentBytes, startedMs } from "../../os/proc";
import { Processes } from "../../os/process/find";
import { survivorsIn, type LivingNote } from "../tasks/living";
import { ownAgent, runRoot } from "./rundir";

const EVERY_MS = 30 * SECOND_MS;
/** Memory is told in such steps, so that not every look is news. */
const STEP_BYTES = 64 * MIB;

export interface ForeignWatch {
  now(): readonly ForeignTask[];
  close(): void;
}

/** Looks for such tasks now and then. `run` is the run directory of this agent, whose own tasks are not among them. */
export function watchForeign(run: string, say: (line: string) => void, changed: () => void): ForeignWatch {
  let found: readonly ForeignTask[] = [];
  let said = "";
  const look = (): void => {
    try {
      const now = foreignTasks(runRoot(), run);
      const news = JSON.stringify(now) !== JSON.stringify(found);
      found = now;
      if (news) changed();
    } catch (error) {
      const why = messageOf(error);
      if (why !== said) say(`tasks of removed agents could not be looked for: ${why}`);
      said = why;
    }
  };
  look();
  const timer = setInterval(look, EVERY_MS);
  return { now: () => found, close: () => clearInterval(timer) };
}

function foreignTasks(root: string, own: string): ForeignTask[] {
  const all = new Processes();
  return namesIn(root)
    .map((name) => join(root, name))
    .filter((dir) => dir !== own && ownAgent(dir) === null)
    .flatMap((dir) => survivorsIn(dir))
    .filter((note) => !exists(dataOf(note)))
    .slice(0, HOUSE_LIMITS.foreign_tasks)
    .map((note) => ({
      name: note.name,
      pid: note.pid,
      data: dataOf(note),
      since_ms: startedMs(note.start),
      memory_bytes: memoryOf(note, all),
    }));
}

/** Returns the data directory of a task's agent: the task's own directory is `<data>/agent/tasks/UID`. */
const dataOf = ({ dir }: LivingNote): string => dirname(dirname(dirname(dir)));

/** Returns the memory of all processes of the task's session, and of what descends from them. */
function memoryOf({ pid, start }: LivingNote, all: Processes): number {
  const found = all.find({ leader: { pid, start }, recent: true, marker: null });
  const bytes = found.reduce((sum, one) => sum + residentBytes(one.pid), 0);
  return Math.ceil(bytes / STEP_BYTES) * STEP_BYTES;
}
