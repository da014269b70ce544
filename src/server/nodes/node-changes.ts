// Changes that operators make to a node: drain, labels, taints, and forgetting the node.

import { loseNode } from "../../core/intake/observe";
import type { IntakeContext } from "../../core/intake/draft";
import type { Change, State } from "../../core/model/rows-state";
import type { NodeRow } from "../../core/model/rows-node";
import type { Taint } from "../../core/model/workload";
import { keyId } from "../../wire/join";
import type { Draft } from "../../store/store";
import { RefusedError } from "../refused";

export function putNode(draft: Draft, before: NodeRow, row: NodeRow, verb: string, detail: string): NodeRow {
  draft.put([{ table: "nodes", key: row.id, row }]);
  draft.event({ verb, object: before.name, project: null, node_id: before.id, detail });
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
  // A repeated drain continues the first one: its start stays, and so does every value that is not given again.
  drain: {
    since_ms: node.drain?.since_ms ?? now_ms,
    deadline_ms: deadline_ms ?? node.drain?.deadline_ms ?? null,
    by,
    reason: reason ?? node.drain?.reason ?? null,
  },
});

/**
 * Returns the node without its drain. The node's own leaving is taken back too; its agent may announce it again. What
 * the node rejected is tried there again.
 */
export const resumed = (node: NodeRow, now_ms: number): NodeRow => ({
  ...node,
  intent: "schedulable",
  drain: null,
  leaving: null,
  renewed_ms: now_ms,
});

/** Returns the node as ready without tests. The operator who skips the tests answers for the node. */
export const untested = (node: NodeRow): NodeRow => ({ ...node, admission: "ready", testing: null });

/** Labels that every node has by itself. */
const AUTOMATIC: ReadonlySet<string> = new Set(["node", "os", "arch", "hostname"]);

export function relabelled(node: NodeRow, set: Readonly<Record<string, string>>, remove: readonly string[]): NodeRow {
  const own = [...Object.keys(set), ...remove].find((key) => AUTOMATIC.has(key));
  if (own !== undefined)
    throw new RefusedError("bad_request", `every node has the label ${own} by itself`, "Use another name");
  const gone = new Set(remove);
  const kept = Object.entries(node.labels).filter(([key]) => !gone.has(key));
  return { ...node, labels: Object.fromEntries([...kept, ...Object.entries(set)]) };
}

/** Returns the node with changed taints. Key and effect identify a taint, so setting it again changes its value. */
export function retainted(node: NodeRow, set: readonly Taint[], remove: readonly string[]): NodeRow {
  const gone = new Set(remove);
  const kept = node.taints.filter(
    (taint) => !gone.has(taint.key) && !set.some((one) => one.key === taint.key && one.effect === taint.effect),
  );
  return { ...node, taints: [...kept, ...set] };
}

/** The grave of a key that an operator has put out with its node: no machine joins with it again. */
export const keyGrave = (public_key: string): string => `key/${keyId(public_key)}`;

/** Puts a node's key out for good. The node itself is forgotten beside it. */
export function revokeKey(draft: Draft, { name, id, public_key }: NodeRow): void {
  const uid = keyGrave(public_key);
  draft.put([{ table: "graves", key: uid, row: { uid, at_ms: draft.now_ms } }]);
  const detail = `the key ${keyId(public_key)} is refused from now on`;
  draft.event({ verb: "revoked", object: name, project: null, node_id: id, detail });
}

/** Returns the change by which a restored server awaits the inventory of this node no more; none if it does not. */
export function awaitedNoMore({ cluster }: State, { id }: NodeRow): Change[] {
  if (cluster.recovering?.includes(id) !== true) return [];
  const left = cluster.recovering.filter((one) => one !== id);
  return [{ table: "cluster", key: "cluster", row: { ...cluster, recovering: left.length === 0 ? null : left } }];
}

/**
 * Removes a node from the cluster. Throws RefusedError if the node has living tasks, unless `fenced` is set. With
 * `fenced`, an operator vouches that the machine is off, which proves the ends of its tasks.
 */
export function forgetNode(draft: Draft, node: NodeRow, by: string, fenced: boolean, intake: IntakeContext): void {
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
  const { changes } = loseNode(draft.state, node, by, FENCED, intake);
  draft.put([
    ...changes,
    ...awaitedNoMore(draft.state, node),
    { table: "nodes", key: node.id, row: null },
    { table: "graves", key: node.id, row: { uid: node.id, at_ms: draft.now_ms } },
  ]);
  draft.event({
    verb: "forgotten",
    object: node.name,
    project: null,
    node_id: node.id,
    detail: fenced ? `said to be off; ${tasks.length === 1 ? "1 task is" : `${tasks.length} tasks are`} lost` : "",
  });
}

const FENCED = "its node was forgotten, said to be off";
