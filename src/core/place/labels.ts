// What a node's labels and taints admit: conditions, tolerations, and how both are written.

import type { NodeRow } from "../model/rows-node";
import type { TaskRow } from "../model/rows-task";
import type { LabelCheck, Taint, TaskSpec, Toleration } from "../model/workload";

/**
 * Returns a label of a node. A label that was set on the node counts before the automatic ones: `node` is its name, and
 * `os`, `arch` and `hostname` are what the agent found. Nodes of one machine share its `hostname`.
 */
export function labelOf(node: NodeRow, key: string): string | undefined {
  const own = node.labels[key];
  if (own !== undefined) return own;
  switch (key) {
    case "node":
      return node.name;
    case "os":
      return node.facts.os;
    case "arch":
      return node.facts.arch;
    case "hostname":
      return node.facts.hostname;
    default:
      return undefined;
  }
}

export function labelHolds(check: LabelCheck, node: NodeRow): boolean {
  const value = labelOf(node, check.key);
  switch (check.op) {
    case "in":
      return value !== undefined && check.values.includes(value);
    case "not_in":
      return value === undefined || !check.values.includes(value);
    case "exists":
      return value !== undefined;
    case "absent":
      return value === undefined;
  }
}

/** Returns whether one of the tolerations accepts a taint. */
export const isTolerated = (taint: Taint, tolerate: readonly Toleration[]): boolean =>
  tolerate.some((each) => each.key === taint.key && (each.value === null || each.value === taint.value));

/** Formats a taint: `team=vision`, or the key alone if the value is empty. */
export const formatTaint = (taint: { readonly key: string; readonly value: string }): string =>
  taint.value === "" ? taint.key : `${taint.key}=${taint.value}`;

/** Returns whether a node is one of those on which a workload may be placed, whatever the node's state. */
export function isMatch(spec: TaskSpec, node: NodeRow): boolean {
  const { pool, hosts, labels, tolerate } = spec.place;
  return (
    node.pool === (pool ?? "default") &&
    (hosts.length === 0 || hosts.includes(node.name)) &&
    labels.every((check) => labelHolds(check, node)) &&
    node.taints.every((taint) => !keepsAway(taint) || isTolerated(taint, tolerate))
  );
}

/** Returns whether new work that does not tolerate a taint stays away from its node. */
export const keepsAway = ({ effect }: Taint): boolean => effect !== "prefer_not";

/** Returns why work has to leave a node that it runs on, in words: a taint that moves it away. Null: it may stay. */
export function repelledBy(spec: TaskSpec, { name, taints }: Pick<NodeRow, "name" | "taints">): string | null {
  const taint = taints.find((one) => one.effect === "no_execute" && !isTolerated(one, spec.place.tolerate));
  return taint === undefined ? null : `${name} is tainted ${formatTaint(taint)}:no_execute`;
}

/**
 * Returns whether a task stays on a node that would not get it any more. Its end is its last there. What has not begun
 * there, as in a restart back-off, does not begin there any more.
 */
export const staysUnmatched = (
  { desired, written_off, kind, observed }: Pick<TaskRow, "desired" | "written_off" | "kind" | "observed">,
  spec: TaskSpec,
  node: NodeRow,
): boolean =>
  desired !== "stop" &&
  written_off === null &&
  (kind === "job" || observed.state !== "preparing") &&
  !isMatch(spec, node) &&
  repelledBy(spec, node) === null;
