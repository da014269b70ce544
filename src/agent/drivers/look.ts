// What the files of a task and the kernel say of it, when no keeper is there to ask.

import type { Seen } from "../../core/record";
import { membersOf, type Group } from "../../os/cgroup";
import { bootId, isAlive, statOf } from "../../os/proc";
import { readClaim, readExit, readPid, type TaskExit } from "../taskdir";

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

export const seenEnded = (exit: TaskExit): Seen => ({ claimed: true, process: { is: "ended", ...exit } });

export const seenAlive = (pid: number, started_ms: number): Seen => ({
  claimed: true,
  process: { is: "alive", pid, started_ms },
});

/** Reads a task's directory. `kept`: a living keeper answers for it, so that its end would be told. */
export function lookAtTask(dir: string, kept: boolean): Looked {
  const claim = readClaim(dir);
  if (claim === null) return NONE;
  if (claim.by === "stop") return { ...NONE, seen: { claimed: true, process: { is: "none" } } };
  const exit = readExit(dir);
  if (exit !== null) return { seen: seenEnded(exit), target: null, group: [] };
  const vanished = (why: string): Looked => ({
    seen: { claimed: true, process: { is: "vanished", why } },
    target: null,
    group: [],
  });
  if (claim.by === "unknown") return vanished("it was claimed, and its keeper died before it could say more");
  if (claim.boot_id !== bootId()) return vanished("the machine was restarted while it ran");
  const pid = readPid(dir);
  if (pid !== null && pid.boot_id === bootId() && (kept || isAlive(pid.pid, pid.start))) {
    return { seen: seenAlive(pid.pid, pid.started_ms), target: pid, group: claim.group };
  }
  // Its keeper died before it noted the process, or left descendants behind: the group still knows.
  const member = membersOf(claim.group)[0];
  if (member !== undefined) {
    const target = { pid: member, start: statOf(member)?.start ?? "" };
    return { seen: seenAlive(member, pid?.started_ms ?? claim.at_ms), target, group: claim.group };
  }
  if (kept) return { seen: { claimed: true, process: { is: "none" } }, target: null, group: claim.group };
  return vanished(
    pid === null
      ? "its keeper died before it could say whether it began"
      : "it ended after its keeper had died, so its exit is not known",
  );
}
