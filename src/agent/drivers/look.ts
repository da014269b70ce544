// What a task's claim and the kernel show of the task when no keeper can be asked.

import type { TaskExit } from "../../core/model/end";
import type { Seen, TaskHandle } from "../../core/model/record";
import type { BootMs } from "../../core/units";
import type { Group } from "../../os/cgroup/hierarchy";
import { livingIn } from "../../os/cgroup/kill";
import { bootId, isAlive, statOf } from "../../os/proc";
import { bootOfStart } from "../tasks/moments";
import type { Attempt } from "../tasks/taskdir";

/** The handle of a process of this boot. No other process has, or had, both this pid and this start time. */
export interface ProcessHandle extends TaskHandle {
  readonly pid: number;
  readonly start: string;
}

export interface Looked {
  readonly seen: Seen;
  /** The process to signal, or null if none lives. A batch has none: its elements' are looked for. */
  readonly handle: ProcessHandle | null;
  /** What lives of a task whose main process has ended; null while that cannot be known. */
  readonly left?: readonly ProcessHandle[] | null;
  readonly group: Group;
}

/**
 * Finds what lives of a task outside of its group, by its main process as far as that was noted; null if that cannot be
 * known now. It is asked only for a task that seems to be over, since it reads all processes of the machine.
 */
export type Search = (main: ProcessHandle | null) => readonly ProcessHandle[] | null;

const NONE: Looked = { seen: { claimed: false, process: { is: "none" } }, handle: null, group: [] };

export const lookedEnded = (exit: TaskExit): Looked => ({
  seen: { claimed: true, process: { is: "ended", ...exit } },
  handle: null,
  group: [],
});

export const lookedAlive = (handle: ProcessHandle, started_ms: BootMs, group: Group): Looked => ({
  seen: { claimed: true, process: { is: "alive", handle, started_ms } },
  handle,
  group,
});

/** A batch that lives. No single process stands for it: `pid` is one of it, if one is known. */
export const lookedBatch = (
  started_ms: BootMs,
  group: Group,
  places: number | undefined,
  pid: number | null = null,
): Looked => ({
  seen: { claimed: true, process: { is: "alive", handle: { pid }, started_ms, places } },
  handle: null,
  group,
});

const beginning = (group: Group): Looked => ({
  seen: { claimed: true, process: { is: "beginning" } },
  handle: null,
  group,
});

const vanished = (why: string, rebooted = false): Looked => ({
  seen: { claimed: true, process: { is: "vanished", rebooted, why } },
  handle: null,
  group: [],
});

/**
 * Returns what lives of a task, in its group or outside of it, without its noted main process; null if nothing does. If
 * `main` is null, that process was not noted: then it is the oldest one that leads a session of its own, as the first
 * process of a task does.
 */
function outliving(
  group: Group,
  main: ProcessHandle | null,
  search: Search,
): (Pick<Looked, "left"> & { readonly handle: ProcessHandle }) | null {
  const inside = livingIn(group);
  const found = inside.length > 0 ? inside : search(main);
  if (found === null) return main === null ? null : { handle: main, left: null };
  const [first] = found;
  if (first === undefined) return null;
  const leaders = main === null ? found.filter(({ pid }) => statOf(pid)?.session === pid) : [];
  const [leader] = leaders.toSorted((a, b) => Number(a.start) - Number(b.start));
  return leader === undefined ? { handle: first, left: found } : { handle: leader };
}

/** Looks at a task whose directory is gone, so that only a line in its keeper's journal is left of it. */
export function lookAtNote({ pid, start, group }: ProcessHandle & { readonly group: Group }, search: Search): Looked {
  const main = { pid, start };
  const living = isAlive(pid, start) ? { handle: main } : outliving(group, main, search);
  if (living === null) return vanished("its directory was lost while it ran, so its exit is not known");
  return { ...lookedAlive(living.handle, bootOfStart(living.handle.start) ?? 0, group), ...living };
}

/** Returns what a claim alone says of its task; null if it says that the task may live. */
function lookAtClaim(attempt: Attempt, kept: boolean): Looked | null {
  const { claimed, exit, code, group, told } = attempt;
  if (claimed === "stop") {
    return { ...NONE, seen: { claimed: true, process: { is: "none", ...(told === null ? {} : { told }) } } };
  }
  if (exit !== null) return lookedEnded(exit);
  if (claimed === "unknown") {
    return kept ? beginning(group) : vanished("it was claimed, and its keeper died before it could say more");
  }
  if (attempt.boot_id === bootId()) return null;
  // Where the main process had ended, the restart has ended only what that had left.
  return code === null ? vanished("the machine was restarted while it ran", true) : lookedEnded(code);
}

const UNSAID = "its keeper died before it could say whether it began";

/**
 * Looks at a task by its claim, `attempt`. `kept` says that a living keeper answers for the task and would report its
 * end.
 */
export function lookAtAttempt(attempt: Attempt | null, kept: boolean, search: Search): Looked {
  if (attempt === null) return NONE;
  const told = lookAtClaim(attempt, kept);
  if (told !== null) return told;
  const { process, code, group } = attempt;
  const main = process === null ? null : { pid: process.pid, start: process.start };
  const began_ms = process?.started_ms ?? attempt.at_ms;
  if (main !== null && (kept || isAlive(main.pid, main.start))) return lookedAlive(main, began_ms, group);
  // The keeper died before it noted the process, or descendants outlived the process.
  const living = outliving(group, main, search);
  if (living !== null) return { ...lookedAlive(living.handle, began_ms, group), ...living };
  if (kept) return beginning(group);
  if (code !== null) return lookedEnded(code);
  return vanished(process === null ? UNSAID : "it ended after its keeper had died, so its exit is not known");
}

/** What the journal of a batch says. */
export interface BatchFacts {
  /** Whether there is one. */
  readonly begun: boolean;
  readonly places: number | undefined;
}

/**
 * Looks at a batch by its claim. With a keeper it lives until that tells its end, and without one for as long as
 * anything of it does.
 */
export function lookAtBatch(attempt: Attempt | null, kept: boolean, search: Search, facts: BatchFacts): Looked {
  if (attempt === null) return NONE;
  const told = lookAtClaim(attempt, kept);
  if (told !== null) return told;
  const { process, code, group, at_ms } = attempt;
  const { begun, places } = facts;
  const started_ms = process?.started_ms ?? at_ms;
  if (kept) return begun ? lookedBatch(started_ms, group, places) : beginning(group);
  const inside = livingIn(group);
  const found = inside.length > 0 ? inside : search(null);
  if (found === null || found.length > 0) return lookedBatch(started_ms, group, places, found?.[0]?.pid);
  if (code !== null) return lookedEnded(code);
  return vanished(begun ? "its keeper died while it ran" : UNSAID);
}
