// What the files of a task and the kernel say of it, when no keeper is there to ask.

import type { TaskExit } from "../../core/model/end";
import type { Seen } from "../../core/model/record";
import { membersOf } from "../../os/cgroup/group";
import type { Group } from "../../os/cgroup/hierarchy";
import { bootId, isAlive, statOf } from "../../os/proc";
import { readAttempt } from "../tasks/taskdir";

export interface Target {
  readonly pid: number;
  readonly start: string;
}

export interface Looked {
  readonly seen: Seen;
  /** The process to signal; `null` when none lives. */
  readonly target: Target | null;
  readonly group: Group;
}

const NONE: Looked = { seen: { claimed: false, process: { is: "none" } }, target: null, group: [] };

export const seenEnded = (exit: TaskExit): Seen => ({
  claimed: true,
  process: { is: "ended", ...exit },
});

export const seenAlive = (pid: number, started_ms: number): Seen => ({
  claimed: true,
  process: { is: "alive", pid, started_ms },
});

/** A task whose directory is gone, and with it everything but a line in its keeper's journal. */
export function lookAtNote({ pid, start, group }: Target & { readonly group: Group }): Looked {
  if (isAlive(pid, start)) return { seen: seenAlive(pid, 0), target: { pid, start }, group };
  const member = membersOf(group)[0];
  if (member !== undefined) {
    return { seen: seenAlive(member, 0), target: { pid: member, start: statOf(member)?.start ?? "" }, group };
  }
  const why = "its directory was lost while it ran, so its exit is not known";
  return { seen: { claimed: true, process: { is: "vanished", why } }, target: null, group: [] };
}

/** Reads a task's directory. `kept`: a living keeper answers for it, so that its end would be told. */
export function lookAtTask(dir: string, kept: boolean): Looked {
  const attempt = readAttempt(dir);
  if (attempt === null) return NONE;
  const { claimed, process, exit, group } = attempt;
  if (claimed === "stop") return { ...NONE, seen: { claimed: true, process: { is: "none" } } };
  if (exit !== null) return { seen: seenEnded(exit), target: null, group: [] };
  const vanished = (why: string): Looked => ({
    seen: { claimed: true, process: { is: "vanished", why } },
    target: null,
    group: [],
  });
  const beginning: Looked = { seen: { claimed: true, process: { is: "beginning" } }, target: null, group };
  if (claimed === "unknown") {
    return kept ? beginning : vanished("it was claimed, and its keeper died before it could say more");
  }
  if (attempt.boot_id !== bootId()) return vanished("the machine was restarted while it ran");
  if (process !== null && (kept || isAlive(process.pid, process.start))) {
    return { seen: seenAlive(process.pid, process.started_ms), target: process, group };
  }
  // Its keeper died before it noted the process, or left descendants behind: the group still knows.
  const member = membersOf(group)[0];
  if (member !== undefined) {
    const target = { pid: member, start: statOf(member)?.start ?? "" };
    return { seen: seenAlive(member, process?.started_ms ?? attempt.at_ms), target, group };
  }
  if (kept) return beginning;
  return vanished(
    process === null
      ? "its keeper died before it could say whether it began"
      : "it ended after its keeper had died, so its exit is not known",
  );
}
