// Orphans: tasks of a node that the server does not know, or whose records the agent cannot read. An operator stops an
// orphan, or adopts it as the replica that its name stands for.

import { compareText } from "../../core/canonical";
import { NO_PROMISE } from "../../core/model/promised";
import type { NodeRow, Orphan } from "../../core/model/rows-node";
import type { State } from "../../core/model/rows-state";
import { identityOf, newTask } from "../../core/model/new-task";
import type { TaskIdentity, TaskRow } from "../../core/model/rows-task";
import type { WorkloadRow } from "../../core/model/rows-work";
import { saySlots, slotsOf } from "../../core/model/slots";
import { parseName, shortId, slotKey, slotName, withUid } from "../../core/model/task";
import { emptySlot } from "../../core/pass/slot";
import type { Draft } from "../../store/store";
import { findApp } from "../work/apps";
import { notFound, RefusedError } from "../refused";

export function requireOrphan(node: NodeRow, ref: string): Orphan {
  const [found, second] = withUid(node.orphans, ref, (orphan) => orphan.uid);
  if (second !== undefined) throw new RefusedError("conflict", `several ids begin with ${ref}`, "Write more of it");
  if (found === undefined)
    throw notFound(`${node.name} has no orphan ${ref.slice(0, 100)}`, `orch show ${node.name} lists them`);
  return found;
}

const without = (node: NodeRow, orphan: Orphan): NodeRow => ({
  ...node,
  orphans: node.orphans.filter((one) => one.uid !== orphan.uid),
});

/**
 * Orders an orphan to stop. An orphan that the server does not know becomes a task without a workload, so that the
 * order is repeated until the task's end is known.
 */
export function stopOrphan(draft: Draft, node: NodeRow, orphan: Orphan, by: string): void {
  const known = draft.state.tasks.get(orphan.uid);
  if (known !== undefined && known.node_id !== node.id) {
    throw new RefusedError("conflict", `${orphan.name} is a task of another node`, "orch ps shows where it runs");
  }
  const stop = { why: `an orphan, stopped by ${by}`, signal: "TERM", grace_ms: 10_000, at_ms: draft.now_ms };
  // An orphan can be a known task whose record the agent cannot read. That task keeps its row.
  const row = known ?? strayTask(draft, node, orphan, by);
  // An order to take an heir back would leave it running if it has begun.
  const isOrdered = row.desired === "stop" && row.stop?.unbegun !== true;
  const task: TaskRow = isOrdered ? row : { ...row, desired: "stop", stop };
  draft.put([
    { table: "nodes", key: node.id, row: without(node, orphan) },
    { table: "tasks", key: task.uid, row: task },
  ]);
  draft.event({
    verb: "stopped",
    object: `${node.name} ${orphan.name}`,
    project: null,
    node_id: node.id,
    detail: "an orphan",
  });
}

/** Returns the task of an orphan that belongs to no workload. The task is its own owner. */
const strayTask = (draft: Draft, node: NodeRow, orphan: Orphan, by: string): TaskRow =>
  knownTask(draft, node, orphan, {
    owner_uid: orphan.uid,
    app_uid: null,
    project: "",
    user: by,
    app: null,
    workload: orphan.name.replace(/#\d+$/, ""),
    kind: "job",
    run: null,
    version: 0,
    spec_hash: "",
    slot: 0,
    member: 0,
    attempt: attemptOf(orphan),
  });

const attemptOf = ({ name }: Orphan): number => parseName(name)?.attempt ?? 1;

/**
 * Returns the task that an orphan becomes. The task's start is set to now, since nobody knows how long its process has
 * been running.
 */
const knownTask = (draft: Draft, node: NodeRow, orphan: Orphan, identity: TaskIdentity): TaskRow =>
  newTask({
    uid: orphan.uid,
    identity,
    node,
    promised: orphan.held ?? NO_PROMISE,
    created_ms: draft.now_ms,
    assigned_revision: draft.revision,
    observed:
      orphan.pid === null ? { state: "starting" } : { state: "running", pid: orphan.pid, started_ms: draft.now_ms },
  });

/**
 * Adopts an orphan as the replica that its name stands for. Throws RefusedError if that slot is not wanted or not free,
 * or if the orphan does not run or is a known task.
 */
export function adoptOrphan(draft: Draft, node: NodeRow, orphan: Orphan): TaskRow {
  const { workload, slot } = freeSlotOf(draft.state, orphan);
  const key = slotKey(workload.uid, slot);
  const identity = identityOf(workload, { slot, member: 0, attempt: attemptOf(orphan) });
  const task = knownTask(draft, node, orphan, identity);
  const row = draft.state.slots.get(key) ?? emptySlot(workload.uid, slot);
  draft.put([
    { table: "nodes", key: node.id, row: without(node, orphan) },
    { table: "tasks", key: task.uid, row: task },
    { table: "slots", key, row: { ...row, attempts: Math.max(row.attempts, task.attempt) } },
  ]);
  draft.event({
    verb: "adopted",
    object: slotName(task),
    project: task.project,
    node_id: node.id,
    detail: `on ${node.name}, as task ${shortId(orphan.uid)}`,
  });
  return task;
}

function freeSlotOf(state: State, orphan: Orphan): { workload: WorkloadRow; slot: number } {
  const no = (why: string): RefusedError =>
    new RefusedError(
      "conflict",
      `${orphan.name} cannot be adopted: ${why}`,
      "Stop it, or leave it as it is: it counts as used room until it ends",
    );
  const name = parseName(orphan.name);
  if (name?.is !== "workload" || name.slot === null) throw no("no app declares it");
  const { slot } = name;
  // Without a signed project the name is the node's word: it must not choose between the projects of others.
  const project = orphan.project ?? name.project;
  const declared = state.workloads
    .values()
    .filter(
      (row) =>
        row.app === name.app &&
        row.name === name.workload &&
        (project === null || row.project === project) &&
        !row.removing &&
        findApp(state, row.project, row.app) !== undefined,
    )
    .toArray();
  const [workload] = declared;
  if (workload === undefined) throw no(`no app ${project === null ? "" : `of project ${project} `}declares it`);
  if (declared.length > 1) {
    const projects = declared.map((row) => row.project).toSorted(compareText);
    throw no(`projects ${projects.join(", ")} have such an app, and no server has signed of which of them it is`);
  }
  if (workload.kind !== "service") throw no(`a ${workload.kind} is not adopted, only replicas of services are`);
  if (orphan.pid === null) throw no("it does not run");
  if (state.tasks.has(orphan.uid)) throw no("it is a task that is known, whose record its agent cannot read");
  const slots = slotsOf(workload);
  if (!slots.includes(slot)) {
    const keeps = slots.length === 0 ? "no replica" : `the replicas ${saySlots(slots)}`;
    throw no(`${workload.app}.${workload.name} keeps ${slots.length === 1 ? `replica ${saySlots(slots)}` : keeps}`);
  }
  const taken = state.tasks
    .values()
    .some((task) => task.owner_uid === workload.uid && task.slot === slot && task.written_off === null);
  if (taken) throw no("the slot has another task");
  return { workload, slot };
}
