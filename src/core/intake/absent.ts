// Judges a task that its node's inventory does not name: the task is lost, or nobody knows how it ended, or the server
// waits, or people must look.

import type { EndCause } from "../model/end";
import type { NodeRow } from "../model/rows-node";
import type { TaskRow } from "../model/rows-task";
import type { Inventory } from "../model/record";

export type AbsenceProof =
  | { readonly is: "lost" | "unknown"; readonly cause: EndCause; readonly why: string }
  | { readonly is: "wait" }
  | { readonly is: "ask" };

export const NO_RECORD = { is: "unknown", cause: "no_record", why: "its node has no record of it" } as const;
const REBOOTED = { is: "lost", cause: "node_rebooted", why: "its node rebooted" } as const;
const GIVEN_UP = { is: "lost", cause: "no_record", why: "it was given up, and its node has no record of it" } as const;
const NEW_DISK = { ...NO_RECORD, why: "its node's agent has a new data directory, without the records of before" };

/**
 * Returns what follows from a task's absence. A task is lost only if its agent was not told of it before the node
 * rebooted. An agent that was told had a record of the task, which is gone since, and with it how the task ended: a job
 * may have completed. So it is `unknown`, and it does not run again by itself. `ask`: the task may be behind a record
 * that cannot be read.
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
  if (task.observed.state === "assigned" && vouched && !covered) {
    // It never came, and what was given up is never sent again.
    if (task.written_off !== null) return GIVEN_UP;
    if (!rebooted) return { is: "wait" };
    if (whole) return { ...REBOOTED, why: "its node rebooted before it was told" };
  }
  if (!whole) return { is: "ask" };
  // Its processes may live on, and only its lease ends them. A second one must not begin beside them.
  if (task.exclusive && !vouched && !rebooted) return { is: "ask" };
  // An attempt that was given up is never sent again, so its agent may cover it without having been told.
  if (task.observed.state === "assigned" && task.written_off !== null && vouched) return GIVEN_UP;
  // The reboot ended the task's processes. Only a job's result could have been on the lost disk.
  if (rebooted && task.kind !== "job") return REBOOTED;
  return vouched ? NO_RECORD : NEW_DISK;
}
