// The row of a node: made here alone, and renewed by what its machine says of itself.

import { devicesAfter } from "../../core/model/device";
import type { NodeTesting } from "../../core/model/node-tests";
import type { NodeRow } from "../../core/model/rows-node";
import type { Ms } from "../../core/units";
import type { Draft } from "../../store/store";
import type { Machine } from "../../wire/agent";
import { asFlagged } from "./flags";

export interface NewNode {
  readonly id: string;
  readonly name: string;
  readonly ordinal: number;
  readonly public_key: string;
  readonly fingerprint: string;
  readonly machine: Machine;
  /** `lost`: it has not been heard yet. */
  readonly contact: NodeRow["contact"];
  readonly testing: NodeTesting;
  readonly now_ms: Ms;
}

/** A node that is new to the cluster; it gets work once it has passed its tests. */
export const newNode = ({ machine, now_ms, testing, ...given }: NewNode): NodeRow => ({
  ...given,
  ...asFlagged(machine),
  admission: "testing",
  intent: "schedulable",
  contact_ms: now_ms,
  drain: null,
  leaving: null,
  reason: null,
  boot_id: machine.boot_id,
  agent_version: machine.agent_version,
  facts: machine.facts,
  capacity: machine.capacity,
  devices: devicesAfter([], machine.devices, now_ms),
  orphans: [],
  joined_ms: now_ms,
  testing,
  tests: null,
});

/** Puts a new node into the cluster, and its ordinal out of use for others. */
export function putNewNode(draft: Draft, row: NodeRow): void {
  const { cluster } = draft.state;
  draft.put([
    { table: "nodes", key: row.id, row },
    { table: "cluster", key: "cluster", row: { ...cluster, next_ordinal: row.ordinal + 1 } },
  ]);
}

/** The node with what its machine says of itself now. The boot is judged with the inventory that comes with it. */
export const withMachine = (node: NodeRow, machine: Omit<Machine, "fingerprint">, now_ms: Ms): NodeRow => ({
  ...node,
  agent_version: machine.agent_version,
  facts: machine.facts,
  capacity: machine.capacity,
  devices: devicesAfter(node.devices, machine.devices, now_ms),
});
