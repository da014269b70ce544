// Kills a living task, on machines with control groups and on those without.

import { statOf, type FoundProcess } from "../proc";
import { killAll, Processes } from "../process/find";
import { sendSignal, type Sent } from "../process/signals";
import { killGroup, membersOf } from "./group";
import type { Group } from "./hierarchy";

const SIGKILL = 9;

/**
 * Returns the living processes of a task without a control group: those of its session, what was `known` as its own,
 * and all that descend from these. Its session counts while the main process has its pid, also dead: after that the
 * number may be a stranger's. No environment is read, which may have to come from a disk that hangs.
 */
export const ungrouped = (
  main: FoundProcess,
  group: Group,
  all: Processes,
  known: readonly FoundProcess[] = [],
): readonly FoundProcess[] => (group.length > 0 ? [] : all.find({ leader: main, recent: false, marker: null, known }));

/**
 * Kills the process group of a task's main process, and its control group; without one, all that is found of it.
 * Returns what became of the first signal. What fails keeps nothing else from being killed.
 */
export function killTask(main: FoundProcess, group: Group, all: Processes, known: readonly FoundProcess[] = []): Sent {
  let found = known;
  let sent: Sent = { is: "gone" };
  try {
    // Before anything dies, since the children of the dead are handed to others.
    found = ungrouped(main, group, all, known);
  } finally {
    sent = sendSignal(main, SIGKILL, "group");
    killAll(found);
    killGroup(group);
  }
  return sent;
}

/** Returns the living processes of a group. */
export const livingIn = (group: Group): readonly FoundProcess[] =>
  membersOf(group).flatMap((pid) => {
    const start = statOf(pid)?.start;
    return start === undefined ? [] : [{ pid, start }];
  });

/** A task of many main processes, which are known by its control group, or by its mark (`NAME=value`) without one. */
export interface ManyProcesses {
  readonly group: Group;
  readonly marker: string;
}

/** Returns what lives of such a task: in its group, or else, also where all have left that, with its mark. */
function livingOf({ group, marker }: ManyProcesses): readonly FoundProcess[] {
  const inside = livingIn(group);
  return inside.length > 0 ? inside : new Processes().find({ leader: null, recent: false, marker });
}

/** Returns the main processes of such a task: those that lead a session, and that no other one of it has started. */
export function mainsOf(many: ManyProcesses): readonly FoundProcess[] {
  const living = livingOf(many);
  const pids = new Set(living.map(({ pid }) => pid));
  return living.filter(({ pid }) => {
    const stat = statOf(pid);
    return stat?.session === pid && !pids.has(stat.parent);
  });
}

/** Kills all that lives of such a task. */
export function killMany(many: ManyProcesses): void {
  const living = livingOf(many);
  try {
    killGroup(many.group);
  } finally {
    killAll(living);
  }
}
