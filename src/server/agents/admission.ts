// Who an agent is: its credential, its signature over our nonce, its machine. A node that the database forgot is let
// in again.

import { verify as verifySignature, createPublicKey } from "node:crypto";
import { devicesAfter } from "../../core/model/device";
import type { NodeRow } from "../../core/model/rows-node";
import { PROTOCOL, signedText, type ToServer } from "../../wire/agent";
import { noteDevices } from "../nodes/card-events";
import type { Draft } from "../../store/store";
import type { Context } from "../context";
import { leavingAfter, tellLeaving } from "../nodes/leaving";
import { afterFlags, asFlagged, flagsNews } from "../nodes/flags";
import { verifyCredential } from "../access/credential";
import { newOrder, testedAgain } from "../nodes/node-testing";
import type { AgentRefusal } from "./hub";

type Hello = Extract<ToServer, { type: "hello" }>;

export type AgentAdmission = { readonly is: "admitted" } | { readonly is: "refused"; readonly refusal: AgentRefusal };

const refused = (code: string, message: string, hint: string | null): AgentAdmission => ({
  is: "refused",
  refusal: { code, message, hint },
});

/** Whether a hello is of a node of this cluster and of whom holds its key; nothing that it says counts before. */
export function identify(context: Context, hello: Hello, nonce: string): AgentAdmission {
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

/** Brings the row of an identified node up to the machine that speaks; its tasks are judged with its inventory. */
export async function admitHello(context: Context, hello: Hello, remote: string): Promise<AgentAdmission> {
  const { credential } = hello;
  const { cluster } = context.store.state;
  const node = context.store.state.nodes.get(credential.node_id);
  const awaited = node !== undefined && cluster.recovering?.includes(node.id) === true;
  const rival = node === undefined ? null : rivalOf(node, hello, awaited);
  if (rival !== null) {
    await context.store.commit("server", (draft) =>
      draft.event({
        verb: "refused",
        object: credential.name,
        project: null,
        detail: `${rival.message} (from ${remote})`,
      }),
    );
    return { is: "refused", refusal: rival };
  }
  if (node === undefined && context.store.history.hasGrave(credential.node_id)) return { is: "admitted" };
  await context.store.commit(`node ${credential.name}`, (draft) => {
    const now = draft.state.nodes.get(credential.node_id);
    const row =
      now === undefined
        ? renewed(readmitted(context, draft, hello), hello, draft.now_ms)
        : testedAgain(context, draft, now, renewed(now, hello, draft.now_ms), "hello");
    draft.put([{ table: "nodes", key: row.id, row }]);
    if (now !== undefined) {
      tellLeaving(draft, now, row);
      noteDevices(draft, row.name, now.devices, hello.machine.devices);
      const detail = flagsNews(now, row);
      if (detail !== null) draft.event({ verb: "flags_changed", object: row.name, project: null, detail });
      return;
    }
    draft.put([{ table: "cluster", key: "cluster", row: { ...draft.state.cluster, next_ordinal: row.ordinal + 1 } }]);
    draft.event({ verb: "readmitted", object: row.name, project: null, detail: "it joined after the backup was made" });
  });
  return { is: "admitted" };
}

function signatureHolds(public_key: string, text: string, signature: string): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(public_key, "base64"), format: "der", type: "spki" });
    return verifySignature(null, Buffer.from(text), key, Buffer.from(signature, "base64"));
  } catch (malformed) {
    // A key or signature that is not even well formed does not hold either.
    return malformed === undefined;
  }
}

/** The same identity on another machine, or an older data directory of the same one. */
function rivalOf(node: NodeRow, hello: Hello, awaited: boolean): AgentRefusal | null {
  if (node.fingerprint !== hello.machine.fingerprint) {
    return {
      code: "identity_copied",
      message:
        `the identity of ${node.name} came from another machine ` +
        `(${hello.machine.facts.hostname}; it belongs to ${node.facts.hostname})`,
      hint: "was the machine cloned? Delete the agent's data directory on the copy and join it again",
    };
  }
  // A restored database may know an older key of the node; what this server signed for the same machine is as good.
  if (node.public_key !== hello.credential.public_key && !awaited) {
    return {
      code: "identity_replaced",
      message: `${node.name} has joined again since, from another data directory`,
      hint: "use that data directory, or join again with a new token",
    };
  }
  return null;
}

const renewed = (node: NodeRow, { credential, machine, leaving }: Hello, now_ms: number): NodeRow => ({
  ...node,
  public_key: credential.public_key,
  agent_version: machine.agent_version,
  facts: machine.facts,
  capacity: machine.capacity,
  devices: devicesAfter(node.devices, machine.devices, now_ms),
  ...afterFlags(node, machine),
  leaving: leavingAfter(node, leaving ?? null, now_ms),
});

function readmitted(context: Context, draft: Draft, { credential, machine }: Hello): NodeRow {
  const { node_id: id, name, public_key, fingerprint } = credential;
  const { now_ms } = draft;
  return {
    id,
    name,
    ordinal: draft.state.cluster.next_ordinal,
    public_key,
    fingerprint,
    ...asFlagged(machine),
    admission: "testing",
    intent: "schedulable",
    contact: "connected",
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
    testing: newOrder(context, machine.pool, { why: "it joined", by: "server", at_ms: now_ms }),
    tests: null,
  };
}
