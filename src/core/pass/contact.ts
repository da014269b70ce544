// Which nodes are heard. A node's contact follows from how long the node has been silent on the listening clock. If
// many nodes fall silent together, the network counts as broken, and not the nodes.

import { isDraining } from "./drain";
import { formatAge } from "../format";
import { HOUSE_LIMITS, leaseLate } from "../limits";
import type { Contact } from "../model/lifecycle";
import type { NodeRow } from "../model/rows-node";
import { cardsOf } from "../cards/node-cards";
import type { Op, Snapshot } from "./snapshot";
import type { Ms } from "../units";

/** The listening clock moves in steps, so a nearly reached threshold is not examined more often than this. */
const LOOK_AGAIN_MS = 250;

export interface Contacts {
  readonly nodes: Map<string, NodeFact>;
  readonly ops: readonly Op[];
  readonly mass_silence: boolean;
  readonly notices: readonly string[];
  /**
   * How long until time alone changes what follows from silence: a node reaches its next threshold, or a node that is
   * heard again no longer counts for mass silence. Null for never.
   */
  readonly next_in_ms: Ms | null;
}

/** Examines every node's silence. */
export function contact(snapshot: Snapshot): Contacts {
  const { state, limits } = snapshot;
  const nodes = new Map<string, NodeFact>();
  const ops: Op[] = [];
  const silent: NodeRow[] = [];
  /**
   * Nodes that were heard again less than `replace_after_ms` ago. They still count for mass silence, since nodes that
   * fell silent together do not return at the same moment, and the last silent one of them must not be taken for dead.
   */
  const returned: NodeRow[] = [];
  const thresholds = [
    limits.unreachable_after_ms,
    limits.lost_after_ms,
    limits.replace_after_ms,
    limits.requeue_after_ms,
    exclusiveSilence(limits),
  ].sort((a, b) => a - b);
  let nextIn: Ms | null = null;
  let chars = 0;
  for (const row of state.nodes.values()) {
    const fact = factOf(snapshot, row);
    nodes.set(row.id, fact);
    if (fact.node !== row) {
      chars += JSON.stringify(fact.node).length;
      // A change that is too large for the database would stop every pass, so the rest follows in the next one. Until
      // then the node gets nothing, since its row does not say yet that it is heard.
      if (ops.length === 0 || chars <= HOUSE_LIMITS.contact_chars)
        ops.push({ op: "node", node: fact.node, why: whyContact(fact) });
      else nodes.set(row.id, { ...fact, node: row, heard: false, usable: false });
    }
    if (fact.silence_ms >= limits.unreachable_after_ms && fact.node.contact !== "lost") silent.push(row);
    const backFor = backFor_ms(fact.node, snapshot.now_ms);
    if (backFor !== null && backFor < limits.replace_after_ms) {
      returned.push(row);
      nextIn = Math.min(nextIn ?? Number.POSITIVE_INFINITY, limits.replace_after_ms - backFor);
    }
    const threshold = thresholds.find((each) => each > fact.silence_ms);
    if (threshold === undefined) continue;
    const rest = Math.max(threshold - fact.silence_ms, LOOK_AGAIN_MS);
    if (nextIn === null || rest < nextIn) nextIn = rest;
  }
  const together = [...silent, ...returned.filter((row) => fellWith(snapshot, silent, row))];
  // A node that nobody has approved has no connection, and says nothing about the network.
  const counted = state.nodes.values().filter((node) => node.admission !== "joining");
  const mass =
    silent.length > 0 && together.length >= 2 && together.length > limits.mass_silence_share * counted.toArray().length;
  return { nodes, ops, mass_silence: mass, notices: mass ? [massNotice(snapshot, together)] : [], next_in_ms: nextIn };
}

/**
 * Returns whether the silence from which a node came back began when that of a silent one did, as far as is known. A
 * node that falls silent over and over says nothing about those that did so at another time.
 */
function fellWith({ contacts, listening_ms, limits }: Snapshot, silent: readonly NodeRow[], { id }: NodeRow): boolean {
  const fell_ms = contacts.get(id)?.fell_ms;
  if (fell_ms === undefined) return true;
  return silent.some((row) => {
    const silence_ms = contacts.get(row.id)?.silent_ms ?? listening_ms;
    return Math.abs(silence_ms - fell_ms) <= limits.unreachable_after_ms;
  });
}

/** Returns how long ago a node was heard again; null if it is silent, or was never silent. */
const backFor_ms = (node: NodeRow, now_ms: Ms): Ms | null => (isBack(node) ? now_ms - node.contact_ms : null);

/**
 * Returns whether a node is heard that was silent before. A node that is heard for the first time since it joined was
 * never silent.
 */
export const isBack = ({ contact: now, contact_ms, joined_ms }: NodeRow): boolean =>
  now === "connected" && contact_ms > joined_ms;

/**
 * Returns how long a node must be silent until the lease of an exclusive task on it has ended that task. A margin in
 * the settings does not count where it is shorter than what enforces the lease may be late.
 */
export const exclusiveSilence = (limits: { readonly lease_ms: Ms; readonly lease_margin_ms: Ms }): Ms =>
  limits.lease_ms + Math.max(limits.lease_margin_ms, leaseLate(limits.lease_ms));

function factOf(snapshot: Snapshot, row: NodeRow): NodeFact {
  const seen = snapshot.contacts.get(row.id);
  const silence_ms = seen === undefined ? snapshot.listening_ms : seen.silent_ms;
  const next = contactAfter(row.contact, seen?.connected === true, silence_ms, snapshot.limits);
  // A node that is heard for the first time was never silent, so its contact is as old as the node.
  const since_ms = isNew(row) && next === "connected" ? row.joined_ms : snapshot.now_ms;
  const node = next === row.contact ? row : { ...row, contact: next, contact_ms: since_ms };
  const heard = seen?.connected === true && next === "connected";
  const usable = heard && row.admission === "ready" && !isDraining(row) && !isShunned(snapshot, row) && !isUnable(row);
  return { node, silence_ms, heard, usable, sound: cardsOf(row.devices).sound };
}

/** Returns whether nothing is placed on a node, since a placement there has broken a law. */
export const isShunned = ({ shunned }: Snapshot, { id }: NodeRow): boolean => shunned?.has(id) === true;

/** Returns whether the node's agent says that it can begin no task now. */
export const isUnable = ({ facts: { unable } }: NodeRow): boolean => unable !== null && unable !== undefined;

/** Returns whether a node has never been heard since it joined. */
const isNew = ({ contact: now, contact_ms, joined_ms }: NodeRow): boolean => now === "lost" && contact_ms === joined_ms;

/**
 * Returns the contact that follows from the silence. Silence makes a node unreachable, then lost. A lost node stays
 * lost until its agent is connected and heard.
 */
function contactAfter(
  before: Contact,
  connected: boolean,
  silence_ms: Ms,
  limits: { readonly unreachable_after_ms: Ms; readonly lost_after_ms: Ms },
): Contact {
  if (silence_ms >= limits.lost_after_ms) return "lost";
  if (silence_ms >= limits.unreachable_after_ms) return before === "lost" ? "lost" : "unreachable";
  return connected ? "connected" : before;
}

const whyContact = (fact: NodeFact): string =>
  isBack(fact.node)
    ? "heard again"
    : fact.node.contact === "connected"
      ? "heard for the first time"
      : `silent for ${formatAge(fact.silence_ms)}`;

function massNotice(snapshot: Snapshot, silent: readonly NodeRow[]): string {
  const names = silent.map((node) => node.name).sort();
  const shown = names.length > 5 ? `${names.slice(0, 5).join(", ")} and ${names.length - 5} more` : names.join(", ");
  const limit = formatAge(snapshot.limits.lost_after_ms);
  return (
    `${silent.length} of ${snapshot.state.nodes.size} nodes fell silent together (${shown}): it looks like the ` +
    `network, so nothing is replaced until they are heard or have been silent for ${limit}; ` +
    "of a machine that is off: orch node forget NODE --fenced"
  );
}

/** A node as this pass sees it. */
export interface NodeFact {
  /** The node's row with the contact that this pass leaves it in. */
  readonly node: NodeRow;
  readonly silence_ms: Ms;
  /** Whether the node is connected and heard. What it is told arrives, and its last report still holds. */
  readonly heard: boolean;
  /** Whether the node may be given new tasks. */
  readonly usable: boolean;
  /** Whether services can stay on all of the node's cards. */
  readonly sound: boolean;
}
