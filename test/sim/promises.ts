// Holds the promises on a node against the node's capacity.

import type { State } from "../../src/core/model/rows-state";
import type { NodeRow } from "../../src/core/model/rows-node";
import { demand } from "./violation";

/**
 * Checks that everything promised on a node, written off and orphans included, fits the node as it is, or as it was
 * when it was planned.
 */
export function checkPromises(node: NodeRow, before: NodeRow, state: State): void {
  let cpu = 0,
    memory = 0;
  for (const task of state.tasks.values()) {
    if (task.node_id !== node.id) continue;
    cpu += task.promised.cpu_milli;
    memory += task.promised.memory_bytes;
  }
  const fits = ({ capacity, orphans }: NodeRow): boolean => {
    const strange = orphans.filter(({ uid }) => !state.tasks.has(uid));
    const sum = (of: "cpu_milli" | "memory_bytes"): number =>
      strange.reduce((total, { held }) => total + (held?.[of] ?? 0), 0);
    return cpu + sum("cpu_milli") <= capacity.cpu_milli && memory + sum("memory_bytes") <= capacity.memory_bytes;
  };
  demand(
    fits(node) || fits(before),
    "I4: promises never exceed a node",
    () => `${node.name}: ${cpu} of ${node.capacity.cpu_milli} milli-cores, beside ${node.orphans.length} orphans`,
  );
}
