// Judges a task that its node's inventory does not name: the task is lost, or the server waits, or people must be
// asked.

import type { EndCause } from "../model/end";
import type { NodeRow } from "../model/rows-node";
import type { TaskRow } from "../model/rows-task";
import type { Inventory } from "../model/record";

export type AbsenceProof =
  | { readonly is: "lost"; readonly cause: EndCause; readonly why: string }
  | { readonly is: "wait" }
  | { readonly is: "ask" };

export const NO_RECORD = "its node has no record of it";
const REBOOTED = { is: "lost", cause: "node_rebooted", why: "its node rebooted" } as const;

/**
 * Returns what follows from a task's absence. Absence from a complete inventory that covers the task's revision proves
 * that the task is lost. Without that cover, a complete inventory proves it only after a reboot, and for a job only if
 * its agent had not been told of the task.
 */
export function proofOfAbsence(
  task: TaskRow,
  { rebound }: Pick<NodeRow, "rebound">,
  inventory: Inventory,
  timeline: string,
): AbsenceProof {
  const { applied } = inventory;
  // A key proves a reboot only of what it has seen itself: the task was assigned to it, or it has seen another boot.
  const ownBoot =
    rebound === null || task.assigned_revision > rebound.revision || inventory.boot_id !== rebound.boot_id;
  const rebooted = task.boot_id !== inventory.boot_id && ownBoot;
  // The agent's disk is older than the task, so no record of the task can be on an earlier disk.
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
