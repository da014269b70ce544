// Nodes and their cards as the API shows them: capacity, promises, and who holds which card.

import { drainingOf } from "../../core/pass/drain";
import { isHeir } from "../../core/model/heirs";
import { nodeState, type NodeState } from "../../core/model/lifecycle";
import type { Role, State } from "../../core/model/rows-state";
import type { TaskRow } from "../../core/model/rows-task";
import type { NodeRow } from "../../core/model/rows-node";
import type { Promised } from "../../core/model/promised";
import type { NodeTests } from "../../core/model/node-tests";
import { admissionReason } from "../../core/nodes/tests";
import { shortId, taskName } from "../../core/model/task";
import { compareText } from "../../core/canonical";
import { repelledBy, staysUnmatched } from "../../core/place/labels";
import type { Store } from "../../store/store";
import { keyId } from "../../wire/join";
import type { NodeView } from "../../wire/api/nodes";
import type { TestsView } from "../../wire/node-tests";
import type { HeardNode } from "../facts/listening";
import { RANK } from "../access/auth";

/** Returns the living tasks by node, computed once for a whole list of nodes: of all nodes, or of those with an id. */
export function tasksByNode(state: State, ids?: ReadonlySet<string>): ReadonlyMap<string, readonly TaskRow[]> {
  const byNode = new Map<string, TaskRow[]>();
  if (ids?.size === 0) return byNode;
  for (const task of state.tasks.values()) {
    if (ids !== undefined && !ids.has(task.node_id)) continue;
    const tasks = byNode.get(task.node_id);
    if (tasks === undefined) byNode.set(task.node_id, [task]);
    else tasks.push(task);
  }
  return byNode;
}

/** Returns whether no agent has spoken for the node yet: it was let in, and was neither there nor lost since. */
const isAwaited = ({ contact, contact_ms, joined_ms }: NodeRow): boolean =>
  contact === "lost" && contact_ms <= joined_ms;

/** Returns the state to show. A node is drained when nothing runs there any more, orphans included. */
export const shownState = (node: NodeRow, tasks: number): NodeState =>
  nodeState(
    isAwaited(node) ? "joining" : node.admission,
    drainingOf(node) === null ? "schedulable" : "draining",
    node.contact,
    tasks > 0 || node.orphans.length > 0,
  );

/**
 * Returns a node's drain. Of one that leaves it says so, also while a person drains it: by when it has to be empty is
 * the deadline that comes first.
 */
export function drainView(node: NodeRow): NodeView["drain"] {
  const draining = drainingOf(node);
  if (draining === null) return null;
  const { since_ms, by, reason } =
    drainingOf({ ...node, drain: node.leaving === null ? node.drain : null }) ?? draining;
  return { since_ms, deadline_ms: draining.deadline_ms, by, reason, leaves: node.leaving !== null };
}

/** Returns a node's keys and fingerprints as operators see them. Other people see none: null in both fields. */
function keysOf(node: NodeRow, role: Role): Pick<NodeView, "identity" | "waiting"> {
  if (RANK[role] < RANK.operator) return { identity: null, waiting: null };
  const { public_key, fingerprint, pending } = node;
  const identity = { key: keyId(public_key), fingerprint };
  if (pending === null) return { identity, waiting: null };
  const { boot_id: _boot, public_key: asking, ...shown } = pending;
  return { identity, waiting: { key: keyId(asking), ...shown } };
}

/** Returns the names of the tasks that stay on a node which would not get them any more. */
export function unmatchedOn(
  { hasSpec, spec }: Pick<Store, "hasSpec" | "spec">,
  node: NodeRow,
  tasks: readonly TaskRow[],
): string[] {
  return tasks
    .filter((task) => hasSpec(task.spec_hash) && staysUnmatched(task, spec(task.spec_hash), node))
    .map(taskName)
    .sort(compareText);
}

/** Returns the names of the tasks that leave a node since a taint moves them away. */
const repelledFrom = (
  { hasSpec, spec }: Pick<Store, "hasSpec" | "spec">,
  node: NodeRow,
  tasks: readonly TaskRow[],
): string[] =>
  tasks
    .filter(({ spec_hash }) => hasSpec(spec_hash) && repelledBy(spec(spec_hash), node) !== null)
    .map(taskName)
    .sort(compareText);

/** Returns a node as somebody of this role sees it. */
export function nodeView(
  node: NodeRow,
  tasks: readonly TaskRow[],
  heard: HeardNode,
  role: Role,
  store: Pick<Store, "hasSpec" | "spec">,
): NodeView {
  const { last_seen_ms, clock_skew_ms } = heard;
  const there = new Set(tasks.map(({ uid }) => uid));
  const promises = tasks.filter((task) => !isHeir(task, there)).map((task) => task.promised);
  const orphans = node.orphans.flatMap((orphan) => orphan.held ?? []);
  // What a node says of its orphans is at most what it has.
  const reserved = (key: AmountKey): number =>
    Math.min(sum(promises, key) + Math.min(sum(orphans, key), node.capacity[key]), Number.MAX_SAFE_INTEGER);
  const { cpu_milli, memory_bytes, disk_bytes } = node.capacity;
  const { limits, unable = null, silent = null, foreign_tasks = [], ...known } = node.facts;
  const { takes_stdin: _stdin, takes_arrays: _arrays, takes_heirs: _heirs, ...facts } = known;
  return {
    id: node.id,
    name: node.name,
    state: shownState(node, tasks.length),
    pool: node.pool,
    labels: { ...node.labels },
    taints: node.taints.map((taint) => ({ ...taint })),
    agent_version: node.agent_version,
    last_seen_ms: last_seen_ms === null ? null : Math.round(last_seen_ms),
    clock_skew_ms,
    unable,
    reason:
      node.reason ??
      (unable === null ? null : `takes no tasks: ${unable}`) ??
      (isAwaited(node) && node.admission !== "joining" ? "it was let in, and its agent has not connected yet" : null) ??
      admissionReason(node) ??
      silent ??
      drainView(node)?.reason ??
      null,
    drain: drainView(node),
    capacity: { cpu_milli, memory_bytes, disk_bytes },
    reserved: {
      cpu_milli: reserved("cpu_milli"),
      memory_bytes: reserved("memory_bytes"),
      disk_bytes: reserved("disk_bytes"),
    },
    devices: deviceViews(node, tasks),
    facts: { ...facts, cores: facts.cores ?? null, data: facts.data ?? null },
    limits: limits ?? null,
    testing: testingView(node.testing),
    tests: node.tests === null ? null : testsView(node.tests),
    foreign_tasks: foreign_tasks.map((task) => ({ ...task })),
    unmatched: unmatchedOn(store, node, tasks),
    repelled: repelledFrom(store, node, tasks),
    orphans: node.orphans.map(({ uid, name, pid }) => ({ id: shortId(uid), name, pid })),
    joined_by: node.joined_by,
    ...keysOf(node, role),
  };
}

const testingView = (testing: NodeRow["testing"]): NodeView["testing"] =>
  testing === null ? null : { id: testing.id, why: testing.why, by: testing.by, at_ms: testing.at_ms, step: null };

export const testsView = ({ fingerprint: _fingerprint, ...tests }: NodeTests): TestsView => ({
  ...tests,
  results: tests.results.map((result) => ({
    ...result,
    twins: result.twins === null ? null : { ...result.twins, names: [...result.twins.names] },
  })),
});

type AmountKey = "cpu_milli" | "memory_bytes" | "disk_bytes";

const sum = (promises: readonly Promised[], key: AmountKey): number =>
  promises.reduce((total, promised) => total + promised[key], 0);

function deviceViews(node: NodeRow, tasks: readonly TaskRow[]): NodeView["devices"] {
  return node.devices.map(({ id, vendor, model, memory_bytes, state, reason, state_ms, parent }) => ({
    id,
    vendor,
    model,
    memory_bytes,
    state,
    reason,
    state_ms,
    parent,
    task_ids: tasks
      .filter((task) => task.promised.devices.some((device) => device.id === id))
      .map((task) => shortId(task.uid)),
  }));
}
