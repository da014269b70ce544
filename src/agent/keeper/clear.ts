// Clears away what a main process has left when it ended: its processes are killed, in its control group and outside of
// it, until none is found.

import { pause } from "../../os/clock";
import { isGroupEmpty, killGroup, membersOf, removeGroup } from "../../os/cgroup/group";
import { gatherThreads } from "../../os/cgroup/enter";
import type { Cgroups, Group } from "../../os/cgroup/hierarchy";
import { messageOf } from "../../os/errors";
import type { Say } from "../../os/log";
import { beganWith, statOf } from "../../os/proc";
import { killAll, Processes } from "../../os/process/find";
import { familyOf, orphans } from "../../os/process/orphans";

/**
 * The pauses between looks at what is left. They grow, since a process that is stuck in the kernel may stay for long.
 */
const PATIENCE_MS = [5, 10, 20, 50, 100, 200, 500, 1_000];
/** Before this look at what is left, threads of this process are looked for in it, which takes a while. */
const GATHER_AT = 3;

/** A main process that has ended, and by what is known what it has left. */
export interface Left {
  /** What it was, for people. */
  readonly name: string;
  readonly group: Group;
  readonly pid: number;
  readonly start: string;
  /** `NAME=value` in the environment of all its processes, as of those of its task. */
  readonly marker: string;
  /** What is beside the marker, where its task has other main processes; missing where it has none. */
  readonly beside?: string;
}

/** Does for a task what its end must not depend on, on a disk that may take and give nothing. */
export function inTrouble<T>(say: Say, failed: string, otherwise: T, act: () => T): T {
  try {
    return act();
  } catch (error) {
    say(failed, { why: messageOf(error) });
    return otherwise;
  }
}

/**
 * Kills the processes that outlived the main process, until none is left. Returns the most that were found at once.
 * What cannot be looked at may live, so it is looked at again, however long that takes.
 */
export async function clear(left: Left, say: Say): Promise<number> {
  let most = 0;
  let failed = false;
  let count = 0;
  for (let round = 0; ; round++) {
    try {
      // No stranger gets the number of a session that has processes, and none has got it in the first round.
      count = left.group.length > 0 ? killGrouped(left) : sweepSession(left, round === 0 || count > 0);
      most = Math.max(most, count);
      if (count === 0) return most;
    } catch (error) {
      if (!failed) say(`what ${left.name} has left is not known, and is tried again`, { why: messageOf(error) });
      failed = true;
    }
    await pause(PATIENCE_MS[Math.min(round, PATIENCE_MS.length - 1)] ?? 0);
  }
}

function killGrouped(left: Left): number {
  const members = new Set(isGroupEmpty(left.group) ? [] : membersOf(left.group));
  const inside = members.size === 0 ? 0 : killGroup(left.group);
  return inside + killEscaped(left, members);
}

/**
 * Kills the processes that have left the task's group, as a task of root can. Their parents are dead, so they, or those
 * that they descend from, were handed to the keeper. They are known by the task's session, or by its mark in the
 * environment that they began with. Returns how many were found, without those that were `inside` the group.
 */
function killEscaped({ pid, marker, beside }: Left, inside: ReadonlySet<number>): number {
  const left = orphans();
  if (left.length === 0) return 0;
  const isMarked = (entries: readonly string[]): boolean =>
    entries.includes(marker) && (beside === undefined || entries.includes(beside));
  const escaped = left
    .filter((one) => !inside.has(one.pid) && (statOf(one.pid)?.session === pid || isMarked(beganWith(one.pid))))
    .flatMap(familyOf);
  return killAll(escaped);
}

/**
 * Kills a task's processes without control groups: those of its session, those with its mark in the environment, and
 * what descends from them. Returns how many were found.
 */
const sweepSession = ({ pid, start, marker, beside }: Left, recent: boolean): number =>
  killAll(
    new Processes().find({ leader: { pid, start }, recent, marker, ...(beside === undefined ? {} : { beside }) }),
  );

/**
 * Removes a group that was not removable at once. It can be busy for a moment after its last process is gone, or
 * contain groups that a task of root has made, or a thread of this process that began while another was in there.
 */
export async function removeLater(group: Group, cgroups: Cgroups, say: Say): Promise<boolean> {
  for (const [tries, ms] of PATIENCE_MS.entries()) {
    await pause(ms);
    if (tries === GATHER_AT) gatherThreads(cgroups);
    inTrouble(say, "what a task has left in its control group could not be killed", 0, () => killGroup(group));
    if (removeGroup(group)) return true;
  }
  return false;
}
