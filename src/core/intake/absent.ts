// What it proves that an inventory does not name a task: that the task is over, nothing yet, or that people must be
// asked.

import type { EndCause } from "../model/end";
import type { TaskRow } from "../model/rows-task";
import type { Inventory } from "../model/record";

export type AbsenceProof =
  | { readonly is: "lost"; readonly cause: EndCause; readonly why: string }
  | { readonly is: "wait" }
  | { readonly is: "ask" };

export const NO_RECORD = "its node has no record of it";
const REBOOTED = { is: "lost", cause: "node_rebooted", why: "its node rebooted" } as const;

/**
 * Returns what follows from a task's absence. Absence is proof only in a complete inventory that covers the task's
 * revision. A disk that was lost proves nothing.
 */
export function proofOfAbsence(task: TaskRow, inventory: Inventory, timeline: string): AbsenceProof {
  const { applied } = inventory;
  const rebooted = task.boot_id !== inventory.boot_id;
  // The disk is newer than the task, which may have had a record on an older disk.
  const vouched = applied !== null && applied.since < task.assigned_revision;
  const covered = vouched && applied.timeline === timeline && applied.revision >= task.assigned_revision;
  // An unreadable record may be the task's, or that of a successor that the agent made since.
  const whole = inventory.unreadable.length === 0;
  if (covered && whole) {
    return rebooted ? REBOOTED : { is: "lost", cause: "no_record", why: NO_RECORD };
  }
  if (task.observed.state === "assigned" && vouched && !covered) {
    if (!rebooted) return { is: "wait" };
    if (whole) return { ...REBOOTED, why: "its node rebooted before it was told" };
  }
  // The reboot ended the task's processes. Only a job's result could have been on the lost disk.
  if (rebooted && task.kind !== "job" && whole) return REBOOTED;
  return { is: "ask" };
}
