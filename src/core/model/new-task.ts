// Makes the row of a new task. It is the only place that does, so that a new column has one first value.

import type { NodeRow } from "./rows-node";
import type { TaskIdentity, TaskRow } from "./rows-task";
import type { RunRow, WorkloadRow } from "./rows-work";
import { jobName } from "./task";

/** The fields in which new tasks differ. Optional fields have a first value that suits most tasks. */
export interface NewTask extends Partial<
  Pick<TaskRow, "desired" | "stop" | "grant_until" | "unix_user" | "exclusive" | "observed" | "batch" | "heir_of">
> {
  readonly uid: string;
  readonly identity: TaskIdentity;
  /** The node of the task, and the node's boot. */
  readonly node: Pick<NodeRow, "id" | "boot_id">;
  readonly promised: TaskRow["promised"];
  readonly created_ms: TaskRow["created_ms"];
  readonly assigned_revision: TaskRow["assigned_revision"];
}

/**
 * Returns the row of a new task. Unless other fields are given, the task shall run, has no grant, and is not reported
 * yet.
 */
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
  batch: null,
  heir_of: null,
  ...given,
});

/** Returns the identity in a task's row, without the row's other fields. */
export function identityIn(task: TaskRow): TaskIdentity {
  const { owner_uid, app_uid, project, user, app, workload, kind, run } = task;
  const { version, spec_hash, slot, member, attempt } = task;
  return { owner_uid, app_uid, project, user, app, workload, kind, run, version, spec_hash, slot, member, attempt };
}

/** Returns the identity of an attempt in a slot of a workload or run. */
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
