// Admits agents: checks an agent's credential, its signature over the server's nonce, and its machine. A node that is
// missing from a restored database is admitted again.

import type { NodeRow, Rebinding } from "../../core/model/rows-node";
import { PROTOCOL, type Proof, signedText, type ToServer } from "../../wire/agent";
import { noteAbility } from "../nodes/ability";
import { noteDevices } from "../nodes/card-events";
import type { Draft } from "../../store/store";
import type { Context } from "../context";
import { leavingAfter, tellLeaving } from "../nodes/leaving";
import { afterFlags, droppedFlags, flagsNews } from "../nodes/flags";
import { newNode, putNewNode, sayClaim, withMachine, withOwnCards } from "../nodes/node-row";
import { freeName } from "../nodes/join";
import { keySinceMs, signatureHolds, verifyCredential } from "../access/identity";
import { withOrder } from "../../core/nodes/tests";
import { newOrder, testedAgain } from "../nodes/node-testing";
import { byNode, bySource } from "./events";
import { type AgentRefusal, doubt, type Hub } from "./hub";

type Hello = Extract<ToServer, { type: "hello" }>;

export type AgentAdmission = { readonly is: "admitted" } | { readonly is: "refused"; readonly refusal: AgentRefusal };

const refused = (code: string, message: string, hint: string | null): AgentAdmission => ({
  is: "refused",
  refusal: { code, message, hint },
});

/**
 * Checks the protocol, and that the hello comes from a node of this cluster and from the holder of that node's key.
 * Returns the refusal otherwise. The caller uses nothing else of the hello before this check has passed.
 */
export function identify(context: Context, hello: Proof, nonce: string): AgentAdmission {
  const { credential, machine } = hello;
  if (hello.protocol !== PROTOCOL) {
    return refused(
      "protocol",
      `the agent speaks protocol ${hello.protocol}, the server ${PROTOCOL}`,
      "upgrade the older one of the two",
    );
  }
  const { cluster } = context.store.state;
  if (credential.cluster_id !== cluster.cluster_id) {
    return refused(
      "other_cluster",
      `the node belongs to cluster ${credential.cluster_id}, this server is of ` + `${cluster.cluster_id}`,
      "is this the right server and data directory? Nothing on the node was touched",
    );
  }
  if (!verifyCredential(context.identity, credential)) {
    return refused(
      "credential",
      "the node's credential was not signed by this server",
      "join it again with a new token",
    );
  }
  const signed = signedText(nonce, credential.node_id, hello.instance_id, machine.boot_id, context.identity.pin);
  if (!signatureHolds(credential.public_key, signed, hello.signature)) {
    return refused("signature", "the agent does not hold the key of this node", "join it again with a new token");
  }
  return { is: "admitted" };
}

/** Returns the refusal of an agent on another machine than the one that its credential was signed for. */
const copied = (name: string, { machine }: Hello, of: string | null): AgentRefusal => ({
  code: "identity_copied",
  message:
    `the identity of ${name} came from another machine ` +
    `(${machine.facts.hostname}${of === null ? "" : `; it belongs to ${of}`})`,
  hint: "was the machine cloned? Delete the agent's data directory on the copy and join it again",
});

/**
 * Updates the row of an identified node to what its machine reports. The node's tasks are judged later, with its
 * inventory.
 */
export async function admitHello(hub: Hub, told: Hello, remote: string): Promise<AgentAdmission> {
  const context: Context = hub;
  const { credential } = told;
  const { machine, others } = withOwnCards(hub.store.state, credential, told.machine);
  const hello = { ...told, machine };
  const node = context.store.state.nodes.get(credential.node_id);
  const elsewhere = credential.fingerprint === hello.machine.fingerprint ? null : copied(credential.name, hello, null);
  const rival = node === undefined ? elsewhere : (rivalOf(node, hello) ?? elsewhere);
  if (rival !== null) {
    await context.store.commit("server", (draft) =>
      bySource(hub, remote, draft).event({
        verb: "refused",
        object: credential.name,
        project: null,
        node_id: credential.node_id,
        detail: `${rival.message} (from ${remote})`,
      }),
    );
    return { is: "refused", refusal: rival };
  }
  if (node === undefined && context.store.history.hasGrave(credential.node_id)) return { is: "admitted" };
  for (const one of others) doubt(hub, credential.node_id, sayClaim(one));
  const { value: late } = await context.store.commit(`node ${credential.name}`, (open) => {
    const draft = byNode(hub, credential.node_id, open);
    const known = draft.state.nodes.get(credential.node_id);
    if (known === undefined) {
      const detail = readmission(draft.state, hello);
      const row = renewed(readmitted(context, draft, hello), hello, draft);
      putNewNode(draft, row);
      draft.event({ verb: "readmitted", object: row.name, project: null, detail });
      return null;
    }
    // An operator may have approved another key since the check above.
    const replaced = rivalOf(known, hello);
    if (replaced !== null) return replaced;
    const row = testedAgain(context, draft, known, renewed(approved(context, draft, known), hello, draft), "hello");
    draft.put([{ table: "nodes", key: row.id, row }]);
    tellLeaving(draft, known, row);
    noteAbility(draft, known, row);
    noteDevices(draft, row, known.devices, hello.machine.devices);
    tellDropped(draft, row, hello.machine);
    const detail = flagsNews(known, row);
    if (detail !== null)
      draft.event({ verb: "flags_changed", object: row.name, project: null, node_id: row.id, detail });
    return null;
  });
  return late === null ? { is: "admitted" } : { is: "refused", refusal: late };
}

function tellDropped(draft: Draft, { id, name }: NodeRow, machine: Hello["machine"]): void {
  const detail = droppedFlags(machine);
  if (detail !== null) draft.event({ verb: "flags_dropped", object: name, project: null, node_id: id, detail });
}

/**
 * Returns whether the server has signed another key for the node, on the same machine, after the key in the node's row
 * became the node's. That is so only if the database is older than the credential. The key of a node that still waits
 * for approval is none yet.
 */
export const isNewer = (node: NodeRow, { credential, machine }: Hello): boolean =>
  node.public_key !== credential.public_key &&
  node.fingerprint === machine.fingerprint &&
  credential.fingerprint === machine.fingerprint &&
  (node.admission === "joining" || (credential.since_ms ?? 0) > keySinceMs(node));

/**
 * Returns the refusal of an agent whose identity belongs to another machine, or to a newer data directory of the same
 * machine. Returns null for the rightful agent.
 */
function rivalOf(node: NodeRow, hello: Hello): AgentRefusal | null {
  if (node.fingerprint !== hello.machine.fingerprint) return copied(node.name, hello, node.facts.hostname);
  // A restored database may contain an older key of the node than the one that it has now. Never does an older key take
  // the place of a newer one: an operator may have replaced it.
  if (node.public_key !== hello.credential.public_key && !isNewer(node, hello)) {
    return {
      code: "identity_replaced",
      message: `${node.name} has joined again since, from another data directory`,
      hint: "use that data directory; or join again, and have an operator approve it: orch node approve",
    };
  }
  return null;
}

/**
 * Returns the node as one that an operator has approved. The credential is the proof: none is signed before. A database
 * that was restored may be older than the approval.
 */
const approved = (context: Context, { now_ms }: Draft, node: NodeRow): NodeRow =>
  node.admission === "joining"
    ? withOrder(
        { ...node, pending: null },
        newOrder(context, node.pool, { why: "it joined", by: "server", at_ms: now_ms }),
      )
    : node;

const newKeyOf = ({ since_ms }: Hello["credential"], revision: number, boot_id: string): Rebinding => ({
  revision,
  boot_id,
  ...(since_ms === undefined ? {} : { at_ms: since_ms }),
});

const renewed = (
  node: NodeRow,
  { credential, machine, leaving }: Hello,
  { state, now_ms, revision }: Draft,
): NodeRow => ({
  ...withMachine(node, machine, now_ms),
  public_key: credential.public_key,
  // Only the key that saw the boot before can prove a reboot.
  rebound: node.public_key === credential.public_key ? node.rebound : newKeyOf(credential, revision, machine.boot_id),
  ...afterFlags(node, machine, state.tokens.get(node.joined_by ?? "")?.joins?.pool ?? credential.pool ?? null),
  leaving: leavingAfter(node, leaving ?? null, now_ms),
});

/** Returns why a node is admitted again, and which older node of its machine the restored database has brought back. */
function readmission({ nodes }: Draft["state"], { credential }: Hello): string {
  const why = "it joined after the backup was made";
  const older = nodes.values().find(({ fingerprint }) => fingerprint === credential.fingerprint);
  if (older === undefined) return why;
  return (
    `${why}; ${older.name} is this machine too, from before. If its agent is off for good, and none of its tasks can ` +
    `live: orch node forget ${older.name} --fenced`
  );
}

/** Returns the row of a node that is missing from the restored database, from its credential and its machine. */
function readmitted(context: Context, { state, now_ms }: Draft, { credential, machine }: Hello): NodeRow {
  const { node_id: id, public_key, fingerprint } = credential;
  const { next_ordinal: ordinal } = state.cluster;
  // Another machine may have joined under the node's name since the database was restored.
  const name = freeName(state, credential.name);
  const testing = newOrder(context, credential.pool ?? machine.pool, { why: "it joined", by: "server", at_ms: now_ms });
  const row = newNode({
    id,
    name,
    ordinal,
    public_key,
    fingerprint,
    machine,
    contact: "connected",
    testing,
    joined_by: null,
    now_ms,
  });
  return { ...row, joined_ms: credential.since_ms ?? now_ms };
}
