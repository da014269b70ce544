// Finishes a task whose main process has ended. All processes that it left are killed first, so that its resources are
// free when its end is reported. Then the exit is written, again and again if the disk is full.

import { join } from "node:path";
import type { TaskExit } from "../../core/model/end";
import { bootMs, pause } from "../../os/clock";
import { killGroup, membersOf, memoryFacts, removeGroup } from "../../os/cgroup/group";
import { messageOf } from "../../os/errors";
import { clearAway, closeFile } from "../../os/files/files";
import { appendLines, partOf } from "../../os/files/task-files";
import type { Say } from "../../os/log";
import { carries, findProcesses, statOf } from "../../os/proc";
import { familyOf, orphans } from "../../os/process/orphans";
import { sendSignal } from "../../os/process/signals";
import type { ProcessExit } from "../../os/process/spawn";
import { clocksNow } from "../tasks/moments";
import { exitLine, FILES, startFailed } from "../tasks/taskdir";
import type { HeldTask, Surroundings } from "./begin";
import { capAtEnd } from "./growth";

const SIGKILL = 9;
/**
 * The pauses between looks at what is left. They grow, since a process that is stuck in the kernel may stay for long.
 */
const PATIENCE_MS = [5, 10, 20, 50, 100, 200, 500, 1_000];
const WRITE_AGAIN_MS = 1_000;

/**
 * Finishes a task. Resolves when none of its processes is left and its exit is on disk. `unwritten` hears of an exit
 * that the disk did not take at once.
 */
export async function finish(
  held: HeldTask,
  exit: ProcessExit,
  around: Surroundings,
  unwritten: (exit: TaskExit) => void,
): Promise<TaskExit> {
  const left = await clear(held);
  // The guard may have ended the task while this keeper hung.
  if (held.order.lease_ms !== null && (await around.guard.drop(held.order.uid))) held.ending ??= "lease_expired";
  const { peak_bytes, oom_kills } = memoryFacts(held.group);
  const couldNot = inTrouble(around.say, "what a task said of its start", { reason: null }, () =>
    couldNotBegin(held, exit),
  );
  const told: TaskExit = {
    exit_code: exit.exit_code,
    signal: exit.signal,
    started_ms: held.started_ms,
    ended_ms: bootMs(),
    peak_memory_bytes: peak_bytes ?? exit.max_rss_bytes,
    oom: oom_kills > 0,
    left,
    ...(held.ending === null ? couldNot : { cause: held.ending, reason: LEASE_OVER }),
  };
  const uncapped = (why: string): void => around.say("output could not be capped", { why });
  inTrouble(around.say, "the size of a task's output", undefined, () =>
    capAtEnd(held.dir, held.order.log_cap_bytes, uncapped),
  );
  // A group that cannot be removed contains groups that the task has made, with processes of their own.
  if (!removeGroup(held.group)) await remove(held);
  await recordExit(held.claim, told, around.say, () => unwritten(told));
  return told;
}

/** Reads or frees something of a task whose end must be told all the same, on a disk that may take and give nothing. */
function inTrouble<T>(say: Say, what: string, otherwise: T, act: () => T): T {
  try {
    return act();
  } catch (error) {
    say(`${what} is not known`, { why: messageOf(error) });
    return otherwise;
  }
}

/** Kills the processes that outlived the main process, until none is left. Returns the most that were found at once. */
async function clear(held: HeldTask): Promise<number> {
  let most = 0;
  for (let round = 0; ; round++) {
    const count = held.group.length > 0 ? killLeft(held) : sweepSession(held);
    most = Math.max(most, count);
    if (count === 0) return most;
    await pause(PATIENCE_MS[Math.min(round, PATIENCE_MS.length - 1)] ?? 0);
  }
}

function killLeft(held: HeldTask): number {
  const members = new Set(membersOf(held.group));
  const inside = members.size === 0 ? 0 : killGroup(held.group);
  return inside + killEscaped(held, members);
}

/**
 * Kills the processes that have left the task's group, as a task of root can. Their parents are dead, so they, or those
 * that they descend from, were handed to the keeper. They are known by the task's session, or by its mark in the
 * environment that they began with. Returns how many were found, without those that were `inside` the group.
 */
function killEscaped({ pid, order }: HeldTask, inside: ReadonlySet<number>): number {
  const left = orphans();
  if (left.length === 0) return 0;
  const escaped = left
    .filter((one) => !inside.has(one.pid) && (statOf(one.pid)?.session === pid || carries(one.pid, [order.marker])))
    .flatMap(familyOf);
  for (const one of escaped) sendSignal(one, SIGKILL, "one");
  return escaped.length;
}

/**
 * Kills a task's processes without control groups: those of its session, and those with its mark in the environment.
 * Returns how many were found.
 */
function sweepSession(held: HeldTask): number {
  const found = findProcesses(new Set([held.pid]), [held.order.marker]);
  for (const one of found) sendSignal(one, SIGKILL, "one");
  return found.length;
}

/** Returns what the switch of accounts wrote before it failed. Only a wrapped command has that file. */
function couldNotBegin(held: HeldTask, exit: ProcessExit): Pick<TaskExit, "cause" | "reason"> {
  if (!held.wrapped.tells) return { reason: null };
  const failed = exit.exit_code === 126 || exit.exit_code === 127;
  const said = failed ? partOf(held.dir, FILES.notes, "first", MOST_NOTES) : new Uint8Array(0);
  clearAway(join(held.dir, FILES.notes));
  const why = new TextDecoder().decode(said).trim();
  return why === "" ? { reason: null } : startFailed(why);
}

/** More than a sentence is not from the switch of accounts: the task itself could write to the file. */
const MOST_NOTES = 1_024;

/** Returns the end of a task of which nothing but its exit is known, since finishing it has failed. */
export const bareExit = (held: HeldTask, exit: ProcessExit): TaskExit => ({
  exit_code: exit.exit_code,
  signal: exit.signal,
  started_ms: held.started_ms,
  ended_ms: bootMs(),
  peak_memory_bytes: exit.max_rss_bytes,
  oom: false,
  left: 0,
  ...(held.ending === null ? { reason: null } : { cause: held.ending, reason: LEASE_OVER }),
});

export const LEASE_OVER = "its lease ran out: the server was not heard";

/**
 * Adds the exit to the claim, however long a disk that takes nothing delays that, and closes the claim. `unwritten` is
 * called when the first try has failed, so that agents hear of the end meanwhile.
 */
export async function recordExit(claim: number, exit: TaskExit, say: Say, unwritten: () => void): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      appendLines(claim, exitLine(exit, clocksNow()));
      return closeFile(claim);
    } catch (error) {
      if (tries === 0) {
        say("an exit cannot be written, and is tried again every second", { why: messageOf(error) });
        unwritten();
      }
      await pause(WRITE_AGAIN_MS);
    }
  }
}

/**
 * Removes a group that was not removable at once. It can be busy for a moment after its last process is gone, or
 * contain groups that a task of root has made.
 */
async function remove(held: HeldTask): Promise<void> {
  for (const ms of PATIENCE_MS) {
    await pause(ms);
    killGroup(held.group);
    if (removeGroup(held.group)) return;
  }
}
