// A key's way to speak for a node by an operator's word: approved, or refused for good. And whose a fingerprint is.

import type { NodeTesting } from "../../core/model/node-tests";
import type { NodeRow, PendingKey } from "../../core/model/rows-node";
import type { State } from "../../core/model/rows-state";
import { withOrder } from "../../core/nodes/tests";
import { keyId } from "../../wire/join";
import type { Draft } from "../../store/store";
import { keySinceMs } from "../access/identity";
import { awaitedNoMore } from "./node-changes";
import { RefusedError } from "../refused";

/** Makes the order to test a node. */
export type Order = (pool: string, why: string) => NodeTesting;

/**
 * Throws RefusedError if the node would come to share a fingerprint with another one. Nodes of one fingerprint count as
 * one machine, with one set of cards and ports. A node that has the fingerprint already keeps it: after a restore, a
 * machine may be two nodes, one of before the copy was made and one of after that.
 */
export function requireOwnFingerprint({ nodes }: State, known: NodeRow | undefined, fingerprint: string): void {
  if (known !== undefined && known.admission !== "joining" && known.fingerprint === fingerprint) return;
  const other = nodes.values().find((node) => node.fingerprint === fingerprint && node.id !== known?.id);
  if (other === undefined) return;
  throw new RefusedError(
    "conflict",
    `this machine is ${other.name} already, and cannot be ${known?.name ?? "a new node"}`,
    `Without --name it asks to be ${other.name} again. If ${other.name} is off for good, and none of its tasks can ` +
      `live: orch node forget ${other.name} --fenced`,
  );
}

/** How many refused keys a token keeps. Older ones may ask again. */
const REFUSED_KEYS = 100;

/** Throws RefusedError for a key that an operator has refused: with this token it asks no more. */
export function requireNotRefused(
  { tokens }: State,
  { token_id, public_key }: Pick<PendingKey, "token_id" | "public_key">,
): void {
  const key = keyId(public_key);
  if (tokens.get(token_id)?.joins?.refused?.includes(key) !== true) return;
  throw new RefusedError(
    "forbidden",
    `an operator has refused this machine (key ${key})`,
    "If that was a mistake, a new token lets it ask again: orch token new --role agent",
  );
}

/** Gives the use back that a refused key took of its token, and notes on the token that the key was refused. */
function giveBack(draft: Draft, { token_id, public_key }: PendingKey): void {
  const token = draft.state.tokens.get(token_id);
  // A token of an older release counts no uses.
  if (token?.joins == null) return;
  const refused = [...(token.joins.refused ?? []), keyId(public_key)].slice(-REFUSED_KEYS);
  const joins = { ...token.joins, used: Math.max(0, token.joins.used - 1), refused };
  draft.put([{ table: "tokens", key: token.id, row: { ...token, joins } }]);
}

/** Returns the node with this key as its own. */
export const withKey = ({ revision, now_ms }: Draft, node: NodeRow, key: PendingKey): NodeRow => ({
  ...node,
  public_key: key.public_key,
  fingerprint: key.fingerprint,
  joined_by: key.token_id,
  // The order of a node's keys must hold although the server's clock may have been set back.
  rebound: { revision, boot_id: key.boot_id, at_ms: Math.max(now_ms, keySinceMs(node) + 1) },
  pending: null,
  reason: null,
});

/**
 * Lets the key that waits for an operator's word speak for its node, which is tested first. Throws RefusedError if none
 * waits, if it is not the key `seen` that the operator was shown, or if its machine is another node by now.
 */
export function approveNode(draft: Draft, node: NodeRow, seen: string | null, order: Order): NodeRow {
  const pending = requirePending(node);
  const key = keyId(pending.public_key);
  if (seen !== null && seen !== key) {
    throw new RefusedError(
      "conflict",
      `another key waits for ${node.name} by now: ${key}`,
      `Look at it first: orch node show ${node.name}`,
    );
  }
  // Another machine may have joined with this fingerprint since the key asked.
  requireOwnFingerprint(draft.state, node, pending.fingerprint);
  const isNew = node.admission === "joining";
  const approved = { ...withKey(draft, node, pending), ...(isNew ? { rebound: null } : {}) };
  const row = withOrder(approved, order(node.pool, isNew ? "it joined" : "it joined again, with another key"));
  draft.put([{ table: "nodes", key: row.id, row }]);
  tellOf(
    draft,
    row,
    "approved",
    `${isNew ? "" : "another key: "}${key}, from ${pending.hostname} (${pending.address})`,
  );
  return row;
}

/**
 * Turns the waiting key away for good: it is told so when it asks again with its token, which has its use back. A node
 * that never was one is removed with it: null is returned then.
 */
export function refuseNode(draft: Draft, node: NodeRow): NodeRow | null {
  const pending = requirePending(node);
  const row = node.admission === "joining" ? null : { ...node, pending: null };
  draft.put([...(row === null ? awaitedNoMore(draft.state, node) : []), { table: "nodes", key: node.id, row }]);
  giveBack(draft, pending);
  tellOf(draft, node, "refused", `the key from ${pending.hostname} (${pending.address}) may not be ${node.name}`);
  return row;
}

function requirePending({ name, pending }: NodeRow): PendingKey {
  if (pending !== null) return pending;
  throw new RefusedError("conflict", `${name} waits for no approval`, `See it with: orch node show ${name}`);
}

/** Writes down what became of a node's key. */
export const tellOf = (draft: Draft, { name, id }: NodeRow, verb: string, detail: string): void =>
  draft.event({ verb, object: name, project: null, node_id: id, detail });
