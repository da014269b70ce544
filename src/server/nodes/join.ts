// Joining: a machine becomes a new node, or the node that it was before it lost its data directory.

import { DAY_MS, type Ms } from "../../core/units";
import { legalName } from "../../spec/grammar/names";
import type { State } from "../../core/model/rows-state";
import type { NodeRow } from "../../core/model/rows-node";
import type { NodeTesting } from "../../core/model/node-tests";
import { withOrder } from "../../core/nodes/tests";
import type { Machine } from "../../wire/agent";
import type { Draft } from "../../store/store";
import { newNode, putNewNode, withMachine } from "./node-row";
import { RefusedError } from "../refused";

export interface Joining {
  /** The requested name. Null: the node is named after the machine's hostname. */
  readonly name: string | null;
  readonly public_key: string;
  readonly machine: Machine;
  /** The id that the node gets if it is a new one. */
  readonly uid: string;
  /** Makes the order to test the node. */
  readonly order: (pool: string, why: string) => NodeTesting;
  /** Returns whether an agent speaks for this node now, or is about to. */
  readonly inUse: (node: NodeRow) => boolean;
}

/** A node that joined this recently and was never heard counts as starting, not as lost. */
export const STARTING_MS: Ms = 60_000;
const NODE_LIMIT = 10_000;

/**
 * Joins the machine and returns the node's row. A machine that joins again keeps the labels, taints and drain that
 * people gave it. Throws RefusedError if the name belongs to another machine or to a connected agent.
 */
export function joinNode(draft: Draft, joining: Joining): NodeRow {
  const { state, now_ms } = draft;
  const { name, machine } = joining;
  if (name !== null && legalName(name) !== name) {
    const legal = legalName(name);
    throw new RefusedError(
      "bad_request",
      `${JSON.stringify(name.slice(0, 60))} is not a name for a node`,
      legal === null ? "lower-case letters, digits and dashes" : `such as ${legal}`,
    );
  }
  requireOwnDevices(state, machine);
  const known = knownAs(state, joining);
  const row =
    known === undefined
      ? firstRow(state, joining, now_ms)
      : withOrder(
          {
            ...withMachine(known, machine, now_ms),
            public_key: joining.public_key,
            fingerprint: machine.fingerprint,
            reason: null,
          },
          joining.order(known.pool, "it joined again, with a new data directory"),
        );
  if (known === undefined) putNewNode(draft, row);
  else draft.put([{ table: "nodes", key: row.id, row }]);
  draft.event({
    verb: known === undefined ? "joined" : "joined_again",
    object: row.name,
    project: null,
    node_id: row.id,
    detail:
      known === undefined
        ? `${machine.facts.hostname}, ${machine.facts.os} ${machine.facts.arch}`
        : "the same machine, with a new data directory",
  });
  return row;
}

/**
 * Returns the node that this machine already is, or undefined. Several agents on one machine differ by their names.
 * Throws RefusedError if the name is taken.
 */
function knownAs(state: State, { name, machine, inUse }: Joining): NodeRow | undefined {
  const here = state.nodes
    .values()
    .filter((node) => node.fingerprint === machine.fingerprint)
    .toArray();
  if (name === null) return here.find((node) => !inUse(node));
  const holder = state.nodes.values().find((node) => node.name === name);
  if (holder === undefined) return undefined;
  if (holder.fingerprint !== machine.fingerprint) {
    throw new RefusedError(
      "conflict",
      `${name} is another machine (${holder.facts.hostname})`,
      "Choose another --name; if that machine is gone for good: orch node forget NAME --fenced",
    );
  }
  if (inUse(holder)) {
    throw new RefusedError(
      "conflict",
      `an agent is connected as ${name} from this machine`,
      "Several agents on one machine need a --name and a --data of their own",
    );
  }
  return holder;
}

function firstRow(state: State, { name, public_key, machine, uid, order }: Joining, now_ms: Ms): NodeRow {
  if (state.nodes.size >= NODE_LIMIT)
    throw new RefusedError("too_many", `the cluster has ${NODE_LIMIT} nodes, no more are taken`);
  return newNode({
    id: uid,
    name: name ?? freeName(state, machine.facts.hostname),
    ordinal: state.cluster.next_ordinal,
    public_key,
    fingerprint: machine.fingerprint,
    machine,
    // The node counts as connected once the server has heard its agent.
    contact: "lost",
    testing: order(machine.pool, "it joined"),
    now_ms,
  });
}

/** Returns the hostname made legal, with a number appended if the name is taken. */
export function freeName(state: State, hostname: string): string {
  const taken = new Set(state.nodes.values().map((node) => node.name));
  const base = legalName(hostname.split(".")[0] ?? "") ?? legalName(`node-${hostname}`) ?? "node";
  for (let n = 1; ; n++) {
    const name = n === 1 ? base : `${base.slice(0, 34)}-${n}`;
    if (!taken.has(name)) return name;
  }
}

/** Throws RefusedError if another node already has one of the machine's cards, since a card is in one machine only. */
function requireOwnDevices(state: State, machine: Machine): void {
  const ids = new Set(machine.devices.map((device) => device.id));
  for (const node of state.nodes.values()) {
    if (node.fingerprint === machine.fingerprint) continue;
    const twice = node.devices.find((device) => ids.has(device.id));
    if (twice === undefined) continue;
    throw new RefusedError(
      "conflict",
      `the device ${twice.id} is already in ${node.name}`,
      "Was it moved? Then take the old node out first: orch node forget NODE",
    );
  }
}

/** How long a join token is valid if no other time is given. */
export const JOIN_TOKEN_MS: Ms = DAY_MS;
