// The row of a node. It is made here alone, and renewed here with the facts that its machine reports.

import { canonicalJson } from "../../core/canonical";
import { devicesAfter } from "../../core/model/device";
import type { NodeTesting } from "../../core/model/node-tests";
import type { NodeRow } from "../../core/model/rows-node";
import type { State } from "../../core/model/rows-state";
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
  /** `lost` for a node that the server has not heard yet. */
  readonly contact: NodeRow["contact"];
  readonly testing: NodeTesting;
  /** The id of the join token; null for a node whose credential alone lets it in again. */
  readonly joined_by: string | null;
  readonly now_ms: Ms;
}

/** Returns the row of a new node. The node gets work once it has passed its tests. */
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
  pending: null,
  rebound: null,
  renewed_ms: null,
});

/** Adds a new node to the cluster, and raises the cluster's next ordinal above the node's. */
export function putNewNode(draft: Draft, row: NodeRow): void {
  const { cluster } = draft.state;
  draft.put([
    { table: "nodes", key: row.id, row },
    { table: "cluster", key: "cluster", row: { ...cluster, next_ordinal: row.ordinal + 1 } },
  ]);
}

/**
 * Returns the node with the facts that its machine reports now. The boot id stays, since the intake changes it with the
 * inventory.
 */
export const withMachine = (node: NodeRow, machine: Omit<Machine, "fingerprint">, now_ms: Ms): NodeRow => ({
  ...node,
  renewed_ms: isNews(node, machine) ? now_ms : node.renewed_ms,
  agent_version: machine.agent_version,
  facts: machine.facts,
  capacity: machine.capacity,
  devices: devicesAfter(node.devices, machine.devices, now_ms),
});

/** Facts that change by themselves and say nothing of what a task would find. */
const PASSING: Partial<Machine["facts"]> = { silent: null, foreign_tasks: [] };

/** Returns whether a machine reports something else than before, so that what it rejected may begin there now. */
function isNews(node: NodeRow, { facts, agent_version, boot_id }: Omit<Machine, "fingerprint">): boolean {
  if (agent_version !== node.agent_version || boot_id !== node.boot_id) return true;
  return canonicalJson({ ...facts, ...PASSING }) !== canonicalJson({ ...node.facts, ...PASSING });
}

/** A card that a machine claims, and that is not its own, or not once more. */
export interface OtherCard {
  readonly id: string;
  readonly node: string | null;
}

/** Returns what a node is doubted for that claims the card. */
export const sayClaim = ({ id, node }: OtherCard): string =>
  `claims the card ${id}, which is in ${node ?? "its own list already"}`;

/**
 * Returns the machine without the cards that a node on another machine has already, and those cards with their nodes.
 * A card is in one machine only, and what an agent claims takes it from nobody. One that is listed twice counts once,
 * as it was listed first; its node is null then.
 */
export function withOwnCards<M extends Pick<Machine, "devices">>(
  state: State,
  node: Pick<NodeRow, "fingerprint">,
  machine: M,
): { readonly machine: M; readonly others: readonly OtherCard[] } {
  if (machine.devices.length === 0) return { machine, others: [] };
  const held = new Map<string, string | null>();
  for (const other of state.nodes.values()) {
    if (other.fingerprint === node.fingerprint) continue;
    for (const { id } of other.devices) held.set(id, other.name);
  }
  const others: OtherCard[] = [];
  const devices = machine.devices.filter(({ id }) => {
    const node = held.get(id);
    if (node === undefined) held.set(id, null);
    else others.push({ id, node });
    return node === undefined;
  });
  return { machine: others.length === 0 ? machine : { ...machine, devices }, others };
}
