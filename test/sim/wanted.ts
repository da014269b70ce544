// Whether anybody wants a task, derived from the rows that people wrote, in other words than the plan's.

import type { State } from "../../src/core/model/rows-state";
import type { RunRow, WorkloadRow } from "../../src/core/model/rows-work";
import type { TaskRow } from "../../src/core/model/rows-task";
import { isFinal } from "../../src/core/model/lifecycle";

/** Returns why it is right to stop this task, or null. `members` is the size of its gang. */
export function reasonToStop(task: TaskRow, before: TaskRow, state: State, members: number): string | null {
  if (task.written_off !== null) return "it was given up";
  if (isDraining(task, state)) return "its node drains";
  if (isRepelled(task, state)) return "a taint moves it away";
  if (isTainted(task, state) && task.kind !== "job" && before.observed.state === "preparing") return "it has not begun";
  if (!state.nodes.has(task.node_id)) return "its node was forgotten";
  if (before.desired === "prepare") return "its gang is not together";
  if (task.batch === null && hasTwin(task, state)) return "another attempt holds its slot";
  const run = state.runs.get(task.owner_uid);
  if (run !== undefined) return reasonOfRun(task, run, state, members);
  const workload = state.workloads.get(task.owner_uid);
  return workload === undefined ? "its owner is gone" : reasonOfWorkload(task, workload, state);
}

export const isDraining = ({ node_id }: TaskRow, { nodes }: Pick<State, "nodes">): boolean =>
  (nodes.get(node_id)?.drain ?? null) !== null;

/** Simulated work tolerates nothing. */
export const isRepelled = ({ node_id }: TaskRow, { nodes }: Pick<State, "nodes">): boolean =>
  (nodes.get(node_id)?.taints ?? []).some(({ effect }) => effect === "no_execute");

/** Simulated work tolerates nothing, and what a node would not get any more begins there no more. */
const isTainted = ({ node_id }: TaskRow, state: State): boolean =>
  (state.nodes.get(node_id)?.taints ?? []).some(({ effect }) => effect !== "prefer_not");

function reasonOfRun(task: TaskRow, run: RunRow, state: State, members: number): string | null {
  if (run.cancel !== null) return "its run was cancelled";
  if (isFinal(run.state)) return "its run is over";
  if (run.array !== null) return null;
  const gang = [...state.tasks.values()].filter(
    (other) => other.owner_uid === task.owner_uid && other.attempt === task.attempt,
  );
  if (gang.some((other) => isDraining(other, state))) return "the node of a member drains";
  if (gang.some((other) => isRepelled(other, state))) return "a taint moves a member away";
  const silent = gang.some((other) => state.nodes.get(other.node_id)?.contact !== "connected");
  if (silent && run.settings.on_node_loss !== "wait") return "the node of a member is silent";
  const ends = state.slots.get(`${task.owner_uid}/${task.slot}`)?.ends ?? [];
  if (gang.length + ends.filter((end) => end.attempt === task.attempt).length < members) return "a member is missing";
  return ends.some((end) => end.attempt >= task.attempt && end.uid !== task.uid) ? "another member has ended" : null;
}

function reasonOfWorkload(task: TaskRow, workload: WorkloadRow, state: State): string | null {
  if (workload.removing || state.apps.get(workload.app_uid)?.removing !== false) return "it is being removed";
  if (workload.version !== task.version) return "a newer version is wanted";
  if (workload.kind === "service" && !slotsAsked(workload).includes(task.slot)) return "it was scaled down";
  return null;
}

/** Returns the slots that a service shall have: the lowest numbers that were not given up, one a replica. */
export function slotsAsked({ settings, without }: WorkloadRow): number[] {
  const slots: number[] = [];
  for (let slot = 0; slots.length < settings.replicas; slot++) if (without?.includes(slot) !== true) slots.push(slot);
  return slots;
}

/** Returns whether two attempts of one slot exist, adopted after a restore or a false alarm. One of them has to go. */
const hasTwin = (task: TaskRow, state: State): boolean =>
  [...state.tasks.values()].some(
    (other) =>
      other.uid !== task.uid &&
      other.owner_uid === task.owner_uid &&
      other.slot === task.slot &&
      other.member === task.member &&
      other.version === task.version &&
      other.desired !== "stop",
  );
