// The agent is the heir of a keeper that died: for the tasks that live on it does what their keeper did. It caps and
// marks their output, and when a main process has ended, it ends what that process left.

import { shortId } from "../../core/model/task";
import { killGroup } from "../../os/cgroup/group";
import type { Group } from "../../os/cgroup/hierarchy";
import { findProcesses } from "../../os/proc";
import { sendSignal } from "../../os/process/signals";
import { resumeGrowth, type Growth } from "../keeper/growth";
import type { Looked } from "./look";

const SIGKILL = 9;

/** A living task without a keeper. */
export interface Inherited {
  readonly uid: string;
  readonly growth: Growth;
  readonly group: Group;
  /** The session that the main process leads, or led. */
  readonly session: number | null;
}

/** Takes over a task from what is seen of it. `dir` is its directory, `cap_bytes` the cap of each of its streams. */
export const inherit = (uid: string, looked: Looked, dir: string, cap_bytes: number): Inherited => ({
  uid,
  growth: resumeGrowth(dir, cap_bytes),
  group: looked.group,
  session: looked.handle?.pid ?? null,
});

/**
 * Kills what is left of a task whose main process has ended: its group, its session, and what began with its mark in
 * the environment. Returns how many were found.
 */
export function clearInherited({ uid, group, session }: Inherited): number {
  const inside = killGroup(group);
  // All processes are read only once the group is empty, since that takes long on a large machine.
  if (inside > 0) return inside;
  const found = findProcesses(new Set(session === null ? [] : [session]), [`ORCH_TASK=${shortId(uid)}`]);
  for (const one of found) sendSignal(one, SIGKILL, "one");
  return found.length;
}
