// How a task begins: the one place where a whole row of it is made, so that a new column has one first value.

import type { NodeRow } from "./rows-node";
import type { TaskIdentity, TaskRow } from "./rows-task";
import type { RunRow, WorkloadRow } from "./rows-work";
import { jobName } from "./task";

/** What tells a new task from every other, and what of it does not begin as with most tasks. */
export interface NewTask extends Partial<
  Pick<TaskRow, "desired" | "stop" | "grant_until" | "unix_user" | "exclusive" | "observed">
> {
  readonly uid: string;
  readonly identity: TaskIdentity;
  /** Where it lives, and in which boot. */
  readonly node: Pick<NodeRow, "id" | "boot_id">;
  readonly promised: TaskRow["promised"];
  readonly created_ms: TaskRow["created_ms"];
  readonly assigned_revision: TaskRow["assigned_revision"];
}

/** The row of a new task: unless something else is given, it shall run, gets no grant, and nobody has heard of it. */
export const newTask = ({ identity, node, ...given }: NewTask): TaskRow => ({
  ...identity,
  node_id: node.id,
  boot_id: node.boot_id,
  desired: "run",
  stop: null,
  grant_until: identity.attempt,
  written_off: null,
  unix_user: null,
  exclusive: false,
  observed: { state: "assigned" },
  ...given,
});

/** Who an attempt of a workload's or run's slot is. */
export const identityOf = (
  owner: WorkloadRow | RunRow,
  numbers: Pick<TaskIdentity, "slot" | "member" | "attempt">,
): TaskIdentity => ({
  owner_uid: owner.uid,
  app_uid: owner.app_uid,
  project: owner.project,
  user: owner.user,
  app: owner.app,
  workload: "run" in owner ? jobName(owner) : owner.name,
  kind: "run" in owner ? "job" : owner.kind,
  run: "run" in owner ? owner.run : null,
  version: owner.version,
  spec_hash: owner.spec_hash,
  slot: numbers.slot,
  member: numbers.member,
  attempt: numbers.attempt,
});
