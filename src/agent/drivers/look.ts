// What the claim of a task and the kernel say of it, when no keeper is there to ask.

import type { TaskExit } from "../../core/model/end";
import type { Seen, TaskHandle } from "../../core/model/record";
import { membersOf } from "../../os/cgroup/group";
import type { Group } from "../../os/cgroup/hierarchy";
import { bootId, isAlive, statOf } from "../../os/proc";
import type { Attempt } from "../tasks/taskdir";

/** A process of this boot: no other one has, or had, both its pid and its start time. */
export interface ProcessHandle extends TaskHandle {
  readonly start: string;
}

export interface Looked {
  readonly seen: Seen;
  /** The process to signal; `null` when none lives. */
  readonly handle: ProcessHandle | null;
  readonly group: Group;
}

const NONE: Looked = { seen: { claimed: false, process: { is: "none" } }, handle: null, group: [] };

export const lookedEnded = (exit: TaskExit): Looked => ({
  seen: { claimed: true, process: { is: "ended", ...exit } },
  handle: null,
  group: [],
});

export const lookedAlive = (handle: ProcessHandle, started_ms: number, group: Group): Looked => ({
  seen: { claimed: true, process: { is: "alive", handle, started_ms } },
  handle,
  group,
});

const vanished = (why: string): Looked => ({
  seen: { claimed: true, process: { is: "vanished", why } },
  handle: null,
  group: [],
});

/** A process that is in a group now; `null` when none is. */
function memberOf(group: Group): ProcessHandle | null {
  const pid = membersOf(group)[0];
  return pid === undefined ? null : { pid, start: statOf(pid)?.start ?? "" };
}

/** A task whose directory is gone, and with it everything but a line in its keeper's journal. */
export function lookAtNote({ pid, start, group }: ProcessHandle & { readonly group: Group }): Looked {
  const handle = isAlive(pid, start) ? { pid, start } : memberOf(group);
  if (handle !== null) return lookedAlive(handle, 0, group);
  return vanished("its directory was lost while it ran, so its exit is not known");
}

/** `attempt`: what the claim says; `kept`: a living keeper answers for the task, so that its end would be told. */
export function lookAtAttempt(attempt: Attempt | null, kept: boolean): Looked {
  if (attempt === null) return NONE;
  const { claimed, process, exit, group } = attempt;
  if (claimed === "stop") return { ...NONE, seen: { claimed: true, process: { is: "none" } } };
  if (exit !== null) return lookedEnded(exit);
  const beginning: Looked = { seen: { claimed: true, process: { is: "beginning" } }, handle: null, group };
  if (claimed === "unknown") {
    return kept ? beginning : vanished("it was claimed, and its keeper died before it could say more");
  }
  if (attempt.boot_id !== bootId()) return vanished("the machine was restarted while it ran");
  if (process !== null && (kept || isAlive(process.pid, process.start))) {
    return lookedAlive({ pid: process.pid, start: process.start }, process.started_ms, group);
  }
  // Its keeper died before it noted the process, or left descendants behind: the group still knows.
  const member = memberOf(group);
  if (member !== null) return lookedAlive(member, process?.started_ms ?? attempt.at_ms, group);
  if (kept) return beginning;
  return vanished(
    process === null
      ? "its keeper died before it could say whether it began"
      : "it ended after its keeper had died, so its exit is not known",
  );
}
