// Joining: a machine becomes a new node, or speaks with another key for a node that there is, if that node's key or an
// operator vouches for it.

import { HOUSE_LIMITS } from "../../core/limits";
import { DAY_MS, type Ms } from "../../core/units";
import { legalName } from "../../spec/grammar/names";
import type { JoinGrant, State, TokenRow } from "../../core/model/rows-state";
import type { NodeRow, PendingKey } from "../../core/model/rows-node";
import { withOrder } from "../../core/nodes/tests";
import type { Machine } from "../../wire/agent";
import type { Draft } from "../../store/store";
import { requireInForce } from "../access/tokens";
import { type Order, requireNotRefused, requireOwnFingerprint, tellOf, withKey } from "./approval";
import { newNode, putNewNode, withMachine, withOwnCards } from "./node-row";
import { RefusedError } from "../refused";

export interface Joining {
  /** The requested name. Null: the node is named after the machine's hostname. */
  readonly name: string | null;
  /** The key that the request is signed with. */
  readonly public_key: string;
  /** A node's present key that has signed this request too, or null. */
  readonly vouched_by: string | null;
  readonly machine: Machine;
  /** Further fingerprints that this machine may have joined with, when its agent gave away another part of it. */
  readonly also: readonly string[];
  /** The id of the join token. */
  readonly token_id: string;
  /** The address that the request came from. */
  readonly address: string;
  /** The id that the node gets if it is a new one. */
  readonly uid: string;
  readonly order: Order;
  /** Returns whether an agent speaks for this node now. */
  readonly inUse: (node: NodeRow) => boolean;
}

/** `joined`: the key is the node's. `waiting`: the key becomes the node's once an operator approves it. */
export interface Joined {
  readonly is: "joined" | "waiting";
  /** Whether the node had another key until now, so that a session of that key has to end. */
  readonly superseded?: boolean;
  readonly node: NodeRow;
}

/** A waiting key that has not asked for this long gives way to another one. */
const ASKS_WITHIN_MS: Ms = 10 * 60_000;
/** How often the time of a waiting key's newest request is written down. */
const NOTE_ASKED_MS: Ms = 60_000;

/**
 * Joins the machine. A request that the same key repeats gets the same answer and counts as no use of the token. A
 * known node keeps the labels, taints and drain that people gave it. Throws RefusedError if the token is used up, or if
 * the name belongs to another machine or to a connected agent.
 */
export function joinNode(draft: Draft, asked: Joining): Joined {
  requireLegal(asked.name);
  const again = joinedBefore(draft, asked);
  if (again !== null) return again;
  requireNotRefused(draft.state, asked);
  const known = knownAs(draft, asked);
  requireOwnFingerprint(draft.state, known, asked.machine.fingerprint);
  const joining = { ...asked, machine: requireOwnCards(draft.state, known, asked.machine) };
  const grant = takeUse(draft, joining.token_id);
  if (known === undefined)
    return { is: grant?.approve === true ? "waiting" : "joined", node: first(draft, joining, grant) };
  if (known.admission !== "joining" && joining.vouched_by === known.public_key) {
    return { is: "joined", superseded: true, node: rebind(draft, known, joining, "signed by the key that it had") };
  }
  return { is: "waiting", node: ask(draft, known, joining) };
}

function requireLegal(name: string | null): void {
  if (name === null || legalName(name) === name) return;
  const legal = legalName(name);
  throw new RefusedError(
    "bad_request",
    `${JSON.stringify(name.slice(0, 60))} is not a name for a node`,
    legal === null ? "lower-case letters, digits and dashes" : `such as ${legal}`,
  );
}

/** Returns the answer for a key that is a node's already, or that waits to be; null for a key that is new here. */
function joinedBefore(draft: Draft, { public_key, machine }: Joining): Joined | null {
  for (const node of draft.state.nodes.values()) {
    if (node.public_key === public_key && node.admission !== "joining") {
      if (node.fingerprint === machine.fingerprint) return { is: "joined", node };
      throw new RefusedError(
        "conflict",
        `this key is the one of ${node.name}, which is another machine (${node.facts.hostname})`,
        "Was the machine cloned? Delete the agent's data directory on the copy and join it again",
      );
    }
    if (node.pending?.public_key === public_key)
      return { is: "waiting", node: noteAsked(draft, node, node.pending, machine) };
  }
  return null;
}

/** Throws RefusedError if the key says another fingerprint than the one that operators were shown with it. */
function noteAsked(draft: Draft, node: NodeRow, pending: PendingKey, { fingerprint }: Machine): NodeRow {
  if (pending.fingerprint !== fingerprint) {
    throw new RefusedError(
      "conflict",
      `this key waits to be ${node.name}, as another machine or another part of this one (${pending.hostname})`,
      "Use the --name and --capacity that it asked with; or delete the agent's data directory here and join again",
    );
  }
  if (draft.now_ms - pending.asked_ms < NOTE_ASKED_MS) return node;
  const row = { ...node, pending: { ...pending, asked_ms: draft.now_ms } };
  draft.put([{ table: "nodes", key: row.id, row }]);
  return row;
}

/** Counts one use of the join token. Throws RefusedError if there is none left, or if it is no longer valid. */
function takeUse(draft: Draft, token_id: string): JoinGrant | null {
  const token = draft.state.tokens.get(token_id);
  if (token === undefined) throw new RefusedError("unauthenticated", `the token ${token_id} was removed`);
  requireInForce(token, draft.now_ms);
  const grant = token.joins;
  if (grant === null) return null;
  if (grant.used >= grant.uses) throw usedUp(token.id, grant);
  const row: TokenRow = { ...token, joins: { ...grant, used: grant.used + 1 } };
  draft.put([{ table: "tokens", key: row.id, row }]);
  return grant;
}

const usedUp = (id: string, { uses }: JoinGrant): RefusedError =>
  new RefusedError(
    "forbidden",
    `the token ${id} is used up: it lets in ${uses === 1 ? "one machine, and has" : `${uses} machines, and has`}`,
    "Make a new one on the server: orch token new --role agent, with --uses N for several machines",
  );

/**
 * Returns the node that this machine is already, or undefined for a machine that is new here: by the key that vouches
 * for it, by its name, or by its fingerprint alone. Throws RefusedError if the name is taken, or if the node is not to
 * be had: a machine that is known never becomes a second node unless it says that it is another part of the machine.
 */
function knownAs(draft: Draft, joining: Joining): NodeRow | undefined {
  const { state, now_ms } = draft;
  const { name, public_key, vouched_by } = joining;
  const vouched = vouched_by === null ? undefined : vouchedFor(state, joining);
  // The node's own key needs nobody's leave, and nobody's silence.
  if (vouched !== undefined) return vouched;
  const node = name === null ? recognised(state, joining) : named(state, joining, name);
  if (node === undefined) return undefined;
  if (joining.inUse(node)) {
    throw new RefusedError(
      "conflict",
      `an agent is connected as ${node.name} from this machine`,
      "Several agents on one machine need a --name, a --data and a --capacity of their own; to replace that agent, " +
        "stop it first, or show its data directory with --previous DIR",
    );
  }
  if (isAskedFor(node, public_key, now_ms)) {
    throw new RefusedError(
      "conflict",
      `another key waits for an operator's word to be ${node.name}`,
      `An operator looks with orch node show ${node.name}, and decides with orch node approve ${node.name} or ` +
        `orch node refuse ${node.name}`,
    );
  }
  return node;
}

/** Returns whether the node was made by this machine, whatever part of it its agent gave away then. */
const isOf = ({ machine, also }: Joining, { fingerprint }: NodeRow): boolean =>
  fingerprint === machine.fingerprint || also.includes(fingerprint);

/** Returns the node whose key vouches for the request, or undefined if that key is no node's any more. */
function vouchedFor(state: State, joining: Joining): NodeRow | undefined {
  const node = state.nodes.values().find(({ public_key }) => public_key === joining.vouched_by);
  if (node === undefined) return undefined;
  if (joining.name !== null && joining.name !== node.name) {
    throw new RefusedError("conflict", `the key of before is the one of ${node.name}`, "Leave out --name");
  }
  if (!isOf(joining, node)) throw anotherMachine(node);
  return node;
}

/** Returns the node of this name, or undefined if the name is free and the machine is new. */
function named(state: State, joining: Joining, name: string): NodeRow | undefined {
  const nodes = state.nodes.values().toArray();
  const holder = nodes.find((node) => node.name === name);
  if (holder !== undefined && !isOf(joining, holder)) throw anotherMachine(holder);
  const whole = nodes.find((node) => node.fingerprint === joining.machine.fingerprint);
  if (holder !== undefined || whole === undefined) return holder;
  throw new RefusedError(
    "conflict",
    `this machine is ${whole.name} already`,
    `Without --name it asks to be ${whole.name} again; a second agent on it needs --name, --data and --capacity`,
  );
}

/**
 * Returns the node that the fingerprint belongs to: the one that the machine became last, if a restore has made it
 * two. One of another part of the machine counts while it is away.
 */
function recognised(state: State, joining: Joining): NodeRow | undefined {
  const here = state.nodes
    .values()
    .filter((node) => isOf(joining, node))
    .toArray()
    .sort((a, b) => b.joined_ms - a.joined_ms);
  return (
    here.find(({ fingerprint }) => fingerprint === joining.machine.fingerprint) ??
    here.find((node) => !joining.inUse(node))
  );
}

const anotherMachine = ({ name, facts }: NodeRow): RefusedError =>
  new RefusedError(
    "conflict",
    `${name} is another machine (${facts.hostname})`,
    `Choose another --name. If that machine is off for good, and none of its tasks can live: ` +
      `orch node forget ${name} --fenced`,
  );

/** Returns whether another key waits to speak for the node, and still asks. */
const isAskedFor = ({ pending }: NodeRow, public_key: string, now_ms: Ms): boolean =>
  pending !== null && pending.public_key !== public_key && now_ms - pending.asked_ms < ASKS_WITHIN_MS;

const pendingOf = ({ public_key, machine, address, token_id }: Joining, now_ms: Ms): PendingKey => ({
  public_key,
  fingerprint: machine.fingerprint,
  boot_id: machine.boot_id,
  hostname: machine.facts.hostname,
  address,
  token_id,
  asked_ms: now_ms,
});

function first(draft: Draft, joining: Joining, grant: JoinGrant | null): NodeRow {
  const { state, now_ms } = draft;
  const { name, public_key, machine, uid, order, token_id } = joining;
  if (state.nodes.size >= HOUSE_LIMITS.nodes)
    throw new RefusedError("too_many", `the cluster has ${HOUSE_LIMITS.nodes} nodes, no more are taken`);
  const waits = grant?.approve === true;
  const pool = grant?.pool ?? machine.pool;
  const made = newNode({
    id: uid,
    name: name ?? freeName(state, machine.facts.hostname),
    ordinal: state.cluster.next_ordinal,
    public_key,
    fingerprint: machine.fingerprint,
    machine,
    // The node counts as connected once the server has heard its agent.
    contact: "lost",
    testing: order(pool, "it joined"),
    joined_by: token_id,
    now_ms,
  });
  const row: NodeRow = {
    ...made,
    pool,
    ...(waits ? { admission: "joining", testing: null, pending: pendingOf(joining, now_ms) } : {}),
  };
  putNewNode(draft, row);
  const { hostname, os, arch } = machine.facts;
  tellOf(draft, row, waits ? "asks_to_join" : "joined", `${hostname}, ${os} ${arch}, by token ${token_id}`);
  return row;
}

/** Writes down that this key waits for an operator's word to be the node's. */
function ask(draft: Draft, node: NodeRow, joining: Joining): NodeRow {
  const row: NodeRow = { ...node, pending: pendingOf(joining, draft.now_ms) };
  draft.put([{ table: "nodes", key: row.id, row }]);
  const { address, machine } = joining;
  tellOf(
    draft,
    row,
    "asks_to_join",
    `another key, from ${machine.facts.hostname} (${address}), by token ${joining.token_id}`,
  );
  return row;
}

/** Gives a known node another key: what its agent says from now on is no word of the key before. */
function rebind(draft: Draft, node: NodeRow, joining: Joining, why: string): NodeRow {
  const row = withKey(draft, withMachine(node, joining.machine, draft.now_ms), pendingOf(joining, draft.now_ms));
  const tested = withOrder(row, joining.order(row.pool, "it joined again, with another key"));
  draft.put([{ table: "nodes", key: row.id, row: tested }]);
  tellOf(draft, row, "joined_again", `another key, ${why}`);
  return tested;
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

/**
 * Returns the machine with each of its cards once. Throws RefusedError if another node already has one of them, since a
 * card is in one machine only.
 */
function requireOwnCards(state: State, known: NodeRow | undefined, asked: Machine): Machine {
  const { machine, others } = withOwnCards(state, known ?? asked, asked);
  const other = others.find(({ node }) => node !== null);
  if (other === undefined) return machine;
  throw new RefusedError(
    "conflict",
    `the device ${other.id} is already in ${other.node}`,
    "Was it moved? Then take the old node out first: orch node forget NODE",
  );
}

/** How long a join token is valid if no other time is given. */
export const JOIN_TOKEN_MS: Ms = DAY_MS;
