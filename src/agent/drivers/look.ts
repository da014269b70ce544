// What a task's claim and the kernel show of the task when no keeper can be asked.

import type { TaskExit } from "../../core/model/end";
import type { Seen, TaskHandle } from "../../core/model/record";
import type { BootMs } from "../../core/units";
import { membersOf } from "../../os/cgroup/group";
import type { Group } from "../../os/cgroup/hierarchy";
import { bootId, isAlive, statOf } from "../../os/proc";
import { bootOfStart } from "../tasks/moments";
import type { Attempt } from "../tasks/taskdir";

/** The handle of a process of this boot. No other process has, or had, both this pid and this start time. */
export interface ProcessHandle extends TaskHandle {
  readonly start: string;
}

export interface Looked {
  readonly seen: Seen;
  /** The process to signal, or null if none lives. */
  readonly handle: ProcessHandle | null;
  /** Whether the main process has ended, and only what it left lives. */
  readonly left?: true;
  readonly group: Group;
}

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

const vanished = (why: string, rebooted = false): Looked => ({
  seen: { claimed: true, process: { is: "vanished", rebooted, why } },
  handle: null,
  group: [],
});

/**
 * Returns what lives in a group without its noted main process; null if nothing does. `noted` says that the main
 * process was noted, so that it has ended. If it was not, it is the oldest process that leads a session of its own, as
 * the first process of a task does.
 */
function livingIn(group: Group, noted: boolean): { readonly handle: ProcessHandle; readonly left: boolean } | null {
  const members = membersOf(group).flatMap((pid) => {
    const stat = statOf(pid);
    return stat === null ? [] : [{ pid, start: stat.start, leads: stat.session === pid }];
  });
  const [first] = members;
  if (first === undefined) return null;
  const [leader] = members.filter(({ leads }) => leads).toSorted((a, b) => Number(a.start) - Number(b.start));
  const { pid, start } = noted ? first : (leader ?? first);
  return { handle: { pid, start }, left: noted || leader === undefined };
}

const aliveIn = (living: { handle: ProcessHandle; left: boolean }, started_ms: BootMs, group: Group): Looked => ({
  ...lookedAlive(living.handle, started_ms, group),
  ...(living.left ? { left: true } : {}),
});

/** Looks at a task whose directory is gone, so that only a line in its keeper's journal is left of it. */
export function lookAtNote({ pid, start, group }: ProcessHandle & { readonly group: Group }): Looked {
  if (isAlive(pid, start)) return lookedAlive({ pid, start }, bootOfStart(start) ?? 0, group);
  const living = livingIn(group, true);
  if (living !== null) return aliveIn(living, bootOfStart(living.handle.start) ?? 0, group);
  return vanished("its directory was lost while it ran, so its exit is not known");
}

/**
 * Looks at a task by its claim, `attempt`. `kept` says that a living keeper answers for the task and would report its
 * end.
 */
export function lookAtAttempt(attempt: Attempt | null, kept: boolean): Looked {
  if (attempt === null) return NONE;
  const { claimed, process, exit, code, group } = attempt;
  if (claimed === "stop") return { ...NONE, seen: { claimed: true, process: { is: "none" } } };
  if (exit !== null) return lookedEnded(exit);
  const beginning: Looked = { seen: { claimed: true, process: { is: "beginning" } }, handle: null, group };
  if (claimed === "unknown") {
    return kept ? beginning : vanished("it was claimed, and its keeper died before it could say more");
  }
  if (attempt.boot_id !== bootId()) {
    // Where the main process had ended, the restart has ended only what that had left.
    return code === null ? vanished("the machine was restarted while it ran", true) : lookedEnded(code);
  }
  if (process !== null && (kept || isAlive(process.pid, process.start))) {
    return lookedAlive({ pid: process.pid, start: process.start }, process.started_ms, group);
  }
  // The keeper died before it noted the process, or descendants outlived the process: the group still shows them.
  const living = livingIn(group, process !== null);
  if (living !== null) return aliveIn(living, process?.started_ms ?? attempt.at_ms, group);
  if (kept) return beginning;
  if (code !== null) return lookedEnded(code);
  return vanished(
    process === null
      ? "its keeper died before it could say whether it began"
      : "it ended after its keeper had died, so its exit is not known",
  );
}
