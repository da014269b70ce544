// What operators do to a node: drain, labels, taints, forgetting it, and deciding about tasks that no server knows.

import { observeInventory, type IntakeContext } from "../../core/intake/observe";
import type { Change, State } from "../../core/model/rows-state";
import type { WorkloadRow } from "../../core/model/rows-work";
import type { TaskRow } from "../../core/model/rows-task";
import type { NodeRow, Orphan } from "../../core/model/rows-node";
import type { Promised } from "../../core/model/promised";
import { emptySlot } from "../../core/pass/slot";
import { isWanted, parseName, shortId, slotKey } from "../../core/model/task";
import type { Taint } from "../../core/model/workload";
import type { Draft } from "../../store/store";
import { findApp } from "../work/apply";
import { oneByUid } from "../work/resolve";
import { notFound, RefusedError } from "../refused";

/** A node by its name, or by the start of its id. */
export function demandNode(state: State, ref: string): NodeRow {
  const named = state.nodes.values().find((node) => node.name === ref);
  const found = named ?? oneByUid(state.nodes.values(), ref, (node) => node.id);
  if (found === null) throw notFound(`there is no node ${ref.slice(0, 100)}`, "orch nodes shows what there is");
  return found;
}

export function putNode(draft: Draft, before: NodeRow, row: NodeRow, verb: string, detail: string): NodeRow {
  draft.put([{ table: "nodes", key: row.id, row }]);
  draft.event({ verb, object: before.name, project: null, detail });
  return row;
}

export const drained = (
  node: NodeRow,
  by: string,
  now_ms: number,
  deadline_ms: number | null,
  reason: string | null,
): NodeRow => ({
  ...node,
  intent: "draining",
  // Said again it is the same drain: what is not said stays.
  drain: {
    since_ms: node.drain?.since_ms ?? now_ms,
    deadline_ms: deadline_ms ?? node.drain?.deadline_ms ?? null,
    by,
    reason: reason ?? node.drain?.reason ?? null,
  },
});

/** Also against the word of its own agent, which may say it again. */
export const resumed = (node: NodeRow): NodeRow => ({
  ...node,
  intent: "schedulable",
  drain: null,
  leaving: null,
});

/** Takes a node in as it is: what its tests found, or would have found, is an operator's to answer for. */
export const untested = (node: NodeRow): NodeRow => ({ ...node, admission: "ready", testing: null });

/** Labels that agents find out by themselves. */
const AUTOMATIC: ReadonlySet<string> = new Set(["os", "arch", "hostname"]);

export function relabelled(node: NodeRow, set: Readonly<Record<string, string>>, remove: readonly string[]): NodeRow {
  const own = [...Object.keys(set), ...remove].find((key) => AUTOMATIC.has(key));
  if (own !== undefined)
    throw new RefusedError("bad_request", `the label ${own} is set by the agent itself`, "Use another name");
  const gone = new Set(remove);
  const kept = Object.entries(node.labels).filter(([key]) => !gone.has(key));
  return { ...node, labels: Object.fromEntries([...kept, ...Object.entries(set)]) };
}

/** A taint is known by its key and effect; setting one again changes its value. */
export function retainted(node: NodeRow, set: readonly Taint[], remove: readonly string[]): NodeRow {
  const gone = new Set(remove);
  const kept = node.taints.filter(
    (taint) => !gone.has(taint.key) && !set.some((one) => one.key === taint.key && one.effect === taint.effect),
  );
  return { ...node, taints: [...kept, ...set] };
}

/**
 * Takes a node out of the cluster. With living tasks only on the operator's word that the machine is off (`fenced`):
 * that is proof, as if the machine had come back with nothing.
 */
export function forgetNode(draft: Draft, node: NodeRow, fenced: boolean, intake: IntakeContext): void {
  const tasks = draft.state.tasks
    .values()
    .filter((task) => task.node_id === node.id)
    .toArray();
  if (tasks.length > 0 && !fenced) {
    throw new RefusedError(
      "conflict",
      `${node.name} still has ${tasks.length === 1 ? "a task" : `${tasks.length} tasks`}`,
      `Drain it first (orch node drain ${node.name}); if the machine is off for good: ` +
        `orch node forget ${node.name} --fenced`,
    );
  }
  const { cluster } = draft.state;
  const nothing = {
    boot_id: node.boot_id,
    applied: { timeline: cluster.timeline, revision: draft.revision, since: 0 },
    entries: [],
    unreadable: [],
  };
  const { changes } = observeInventory(draft.state, node.id, nothing, intake);
  const recovering = cluster.recovering?.filter((id) => id !== node.id) ?? null;
  draft.put([
    ...changes.map(asFenced),
    {
      table: "cluster",
      key: "cluster",
      row: { ...draft.state.cluster, recovering: recovering === null || recovering.length === 0 ? null : recovering },
    },
    { table: "nodes", key: node.id, row: null },
    { table: "graves", key: node.id, row: { uid: node.id, at_ms: draft.now_ms } },
  ]);
  draft.event({
    verb: "forgotten",
    object: node.name,
    project: null,
    detail: fenced ? `said to be off; ${tasks.length} tasks are lost` : "",
  });
}

const FENCED = "its node was forgotten, said to be off";

/** The inventory's words about absence, in the words of what really happened. */
function asFenced(change: Change): Change {
  if (change.table === "ended_tasks" && change.row.observed.state === "lost") {
    return { ...change, row: { ...change.row, observed: { ...change.row.observed, reason: FENCED } } };
  }
  if (change.table === "slots" && change.row !== null) {
    const ends = change.row.ends.map((end) => (end.state === "lost" ? { ...end, reason: FENCED } : end));
    return { ...change, row: { ...change.row, ends } };
  }
  return change;
}

export function demandOrphan(node: NodeRow, ref: string): Orphan {
  const found = oneByUid(node.orphans, ref, (orphan) => orphan.uid);
  if (found === null)
    throw notFound(`${node.name} has no orphan ${ref.slice(0, 100)}`, `orch show ${node.name} lists them`);
  return found;
}

const NOTHING: Promised = {
  cpu_milli: 0,
  memory_bytes: 0,
  disk_bytes: 0,
  countables: {},
  memory_limited: false,
  devices: [],
  ports: [],
};

const without = (node: NodeRow, orphan: Orphan): NodeRow => ({
  ...node,
  orphans: node.orphans.filter((one) => one.uid !== orphan.uid),
});

/** Orders an orphan to stop: it becomes a task of nobody, so that the order is repeated until its end is known. */
export function stopOrphan(draft: Draft, node: NodeRow, orphan: Orphan, by: string): void {
  const task: TaskRow = {
    uid: orphan.uid,
    owner_uid: orphan.uid,
    app_uid: null,
    project: "",
    user: by,
    app: null,
    workload: "orphan",
    kind: "job",
    run: null,
    version: 0,
    spec_hash: "",
    slot: 0,
    member: 0,
    ...identityOf(draft, node, orphan, "stop"),
    desired: "stop",
    stop: { why: `an orphan, stopped by ${by}`, signal: "TERM", grace_ms: 10_000, at_ms: draft.now_ms },
  };
  draft.put([
    { table: "nodes", key: node.id, row: without(node, orphan) },
    { table: "tasks", key: task.uid, row: task },
  ]);
  draft.event({ verb: "stopped", object: `${node.name} ${orphan.name}`, project: null, detail: "an orphan" });
}

function identityOf(draft: Draft, node: NodeRow, orphan: Orphan, desired: TaskRow["desired"]) {
  const attempt = parseName(orphan.name)?.attempt ?? 1;
  return {
    attempt,
    node_id: node.id,
    boot_id: node.boot_id,
    desired,
    stop: null,
    grant_until: attempt,
    written_off: null,
    promised: orphan.held ?? NOTHING,
    unix_user: null,
    exclusive: false,
    created_ms: draft.now_ms,
    assigned_revision: draft.revision,
    observed:
      orphan.pid === null
        ? { state: "starting" as const }
        : { state: "running" as const, pid: orphan.pid, started_ms: draft.now_ms },
  };
}

/** Takes an orphan in as the replica that its name says, when that slot is wanted and free. */
export function adoptOrphan(draft: Draft, node: NodeRow, orphan: Orphan): TaskRow {
  const { workload, slot } = freeSlotOf(draft.state, orphan);
  const key = slotKey(workload.uid, slot);
  const { uid: owner_uid, app_uid, project, user, app, name, kind, version, spec_hash } = workload;
  const task: TaskRow = {
    uid: orphan.uid,
    owner_uid,
    app_uid,
    project,
    user,
    app,
    workload: name,
    kind,
    run: null,
    version,
    spec_hash,
    slot,
    member: 0,
    ...identityOf(draft, node, orphan, "run"),
  };
  const row = draft.state.slots.get(key) ?? emptySlot(owner_uid, slot);
  draft.put([
    { table: "nodes", key: node.id, row: without(node, orphan) },
    { table: "tasks", key: task.uid, row: task },
    { table: "slots", key, row: { ...row, attempts: Math.max(row.attempts, task.attempt) } },
  ]);
  draft.event({
    verb: "adopted",
    object: `${app}.${name}.${slot}`,
    project,
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
  const workload = state.workloads
    .values()
    .find(
      (row) =>
        row.app === name.app &&
        row.name === name.workload &&
        !row.removing &&
        findApp(state, row.project, row.app) !== undefined,
    );
  if (workload === undefined) throw no("no app declares it");
  if (workload.kind !== "service") throw no(`a ${workload.kind} is not adopted, only replicas of services are`);
  if (orphan.pid === null) throw no("it does not run");
  const { replicas } = workload.settings;
  if (slot >= replicas) throw no(`${workload.app}.${workload.name} keeps ${replicas} replicas`);
  const taken = state.tasks
    .values()
    .some((task) => task.owner_uid === workload.uid && task.slot === slot && isWanted(task));
  if (taken) throw no("the slot has another task");
  return { workload, slot };
}
