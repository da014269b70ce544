// Finishes a task whose main process has ended. All processes that it left are killed first, so that its resources are
// free when its end is reported. Then the exit is written, again and again if the disk is full.

import { join } from "node:path";
import type { TaskExit } from "../../core/model/end";
import { bootMs, pause } from "../../os/clock";
import { memoryFacts, removeGroup } from "../../os/cgroup/group";
import { messageOf } from "../../os/errors";
import { clearAway, closeFile } from "../../os/files/files";
import { appendLines, isTaskFile, partOf } from "../../os/files/task-files";
import type { Say } from "../../os/log";
import type { ProcessExit } from "../../os/process/spawn";
import { clocksNow } from "../tasks/moments";
import { codeLine, exitLine, FILES, startFailed, type StartCause } from "../tasks/taskdir";
import { clear, inTrouble, removeLater, type Left } from "./clear";
import { BEGUN } from "./command";
import { letGo, type HeldTask, type Surroundings } from "./begin";
import { capAtEnd } from "./growth";

const WRITE_AGAIN_MS = 1_000;

export const LEASE_OVER = "its lease ran out: the server was not heard";
const BY_LEASE = { cause: "lease_expired", reason: LEASE_OVER } as const;

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
  const { say } = around;
  const bare = bareExit(held, exit);
  // The first kills are sent, and the guard is asked, before the disk is asked for anything, since it may hang.
  const cleared = clear(leftOf(held), say);
  // The guard may have ended the task while this keeper hung.
  const expired = held.order.lease_ms !== null && around.guard.exited(held.order.uid);
  const settled = Promise.all([cleared, expired]);
  const own = ownExit(held, bare, say);
  // What is left may not be killable, and outlive this keeper.
  inTrouble(say, "an exit could not be noted before its task is cleared away", undefined, () =>
    appendLines(held.claim, codeLine(own, clocksNow())),
  );
  const told = await clearAll(held, own, settled, around).catch((error: unknown) => {
    say(`task ${held.order.name} could not be finished`, { why: messageOf(error) });
    return own;
  });
  await recordExit(held.claim, told, say, () => unwritten(told));
  return told;
}

const leftOf = ({ order, group, pid, start }: HeldTask): Left => ({
  name: `task ${order.name}`,
  group,
  pid,
  start,
  marker: order.marker,
});

/** Returns the exit of a main process that has just ended. */
const bareExit = (held: HeldTask, exit: ProcessExit): TaskExit => ({
  exit_code: exit.exit_code,
  signal: exit.signal,
  started_ms: held.started_ms,
  ended_ms: bootMs(),
  peak_memory_bytes: exit.max_rss_bytes,
  oom: false,
  left: 0,
  ...(held.blamed_until_ms > bootMs() ? BY_LEASE : { reason: null }),
});

/** Adds to an exit what is known of the task while it is not yet cleared away. */
function ownExit(held: HeldTask, bare: TaskExit, say: Say): TaskExit {
  const known = withMemory(held, bare, say);
  if (bare.cause !== undefined) return known;
  const start = inTrouble(say, "what a task said of its start is not known", { reason: null }, () =>
    couldNotBegin(held, bare),
  );
  return { ...known, ...start };
}

function withMemory(held: HeldTask, exit: TaskExit, say: Say): TaskExit {
  return inTrouble(say, "the memory that a task has used is not known", exit, () => {
    const { peak_bytes, oom_kills } = memoryFacts(held.group);
    return { ...exit, peak_memory_bytes: peak_bytes ?? exit.peak_memory_bytes, oom: oom_kills > 0 };
  });
}

/** Waits until a task is cleared away, and frees what it had. Returns its exit, with what became known meanwhile. */
async function clearAll(
  held: HeldTask,
  own: TaskExit,
  settled: Promise<[left: number, by_lease: boolean]>,
  around: Surroundings,
): Promise<TaskExit> {
  const { say } = around;
  const [left, by_lease] = await settled;
  letGo(held.order, around);
  // What was left may have used more before it was killed.
  const used = left === 0 ? own : withMemory(held, own, say);
  const told = { ...used, ended_ms: bootMs(), left, ...(by_lease ? BY_LEASE : {}) };
  const uncapped = (why: string): void => say("output could not be capped", { why });
  inTrouble(say, "the size of a task's output is not known", undefined, () =>
    capAtEnd(held.dir, held.order.log_cap_bytes, uncapped),
  );
  // A group that cannot be removed contains groups that the task has made, with processes of their own.
  if (!removeGroup(held.group)) await removeLater(held.group, around.cgroups, say);
  return told;
}

/**
 * Returns why a command did not begin, by what the switch of accounts wrote before it failed. Only a wrapped command
 * has that file. Where not even the switch came so far as to write, its words are the last of the task's output.
 */
export function couldNotBegin(
  held: Pick<HeldTask, "wrapped" | "dir">,
  { exit_code }: Pick<TaskExit, "exit_code">,
): Pick<TaskExit, "cause" | "reason"> {
  if (!held.wrapped.tells || !isTaskFile(held.dir, FILES.notes)) return { reason: null };
  const said = textOf(partOf(held.dir, FILES.notes, "first", MOST_NOTES));
  clearAway(join(held.dir, FILES.notes));
  // One that was killed, or that says to have done well, is believed.
  if (said === BEGUN || exit_code === null || exit_code === 0) return { reason: null };
  const [, cause, why] = /^(no_command|no_directory) ([^]*)$/.exec(said) ?? [];
  if (why !== undefined) return startFailed(why, cause as StartCause);
  const words = textOf(partOf(held.dir, FILES.stderr, "last", MOST_NOTES));
  return startFailed(`its account could not be entered${words === "" ? "" : `: ${words}`}`, "node_unable");
}

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes).trim();

/** More than a sentence is not from the switch of accounts: the task itself could write to the file. */
const MOST_NOTES = 1_024;

/**
 * Adds the exit to the claim, however long a disk that takes nothing delays that, and closes the claim. `unwritten` is
 * called when the first try has failed, so that agents hear of the end meanwhile.
 */
export async function recordExit(claim: number, exit: TaskExit, say: Say, unwritten: () => void): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      appendLines(claim, exitLine(exit, clocksNow()));
      break;
    } catch (error) {
      if (tries === 0) {
        say("an exit cannot be written, and is tried again every second", { why: messageOf(error) });
        unwritten();
      }
      await pause(WRITE_AGAIN_MS);
    }
  }
  // It is closed once: after that its number may be that of another task's claim.
  inTrouble(say, "a claim could not be closed", undefined, () => closeFile(claim));
}
