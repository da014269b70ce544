// Routes that need no token, and the route by which machines join.

import { z } from "zod";
import { PROTOCOL } from "../../wire/agent";
import { joinAnswer, joinRequest, keyId } from "../../wire/join";
import { healthView } from "../../wire/api/answers";
import { credentialFor, requireSigned } from "../access/identity";
import { joinNode } from "../nodes/join";
import { keyGrave } from "../nodes/node-changes";
import { newOrder } from "../nodes/node-testing";
import { RefusedError } from "../refused";
import { route } from "./route";

/** Refuses an agent of another protocol as its connection would. */
function requireProtocol(protocol: number): void {
  if (protocol === PROTOCOL) return;
  throw new RefusedError(
    "bad_request",
    `the agent speaks protocol ${protocol}, the server ${PROTOCOL}`,
    "upgrade the older one of the two",
  );
}

const SUPERSEDED = {
  code: "identity_replaced",
  message: "this node has joined again from another data directory, with this key's word",
  hint: "use that data directory",
};

export const OPEN_ROUTES = [
  route({
    method: "GET",
    path: "/v1/health",
    answer: healthView,
    summary: "Whether the server answers",
    handle: (): z.infer<typeof healthView> => ({ status: "ok" }),
  }),
  route({
    method: "GET",
    path: "/v1/bootstrap/cert",
    answer: "application/x-pem-file",
    summary: "The server's certificate, to be compared with the hash in a token before anything else is said",
    handle: ({ api }) =>
      new Response(api.identity.certificate_pem, { headers: { "content-type": "application/x-pem-file" } }),
  }),
  route({
    method: "GET",
    path: "/v1/agent",
    answer: "websocket",
    summary: "An agent's connection; it proves who it is by its first message",
    handle({ link }) {
      if (link.upgrade()) return new Response(null, { status: 101 });
      throw new RefusedError(
        "bad_request",
        "this address is for agents, over a WebSocket",
        "orch agent join URL --token T",
      );
    },
  }),
  route({
    method: "POST",
    path: "/v1/join",
    body: joinRequest,
    answer: joinAnswer,
    summary: "Makes this machine a node",
    async handle({ api, body, who, link, commit }): Promise<z.infer<typeof joinAnswer>> {
      requireProtocol(body.protocol);
      api.quotas.spend("joins", who.name, link.source);
      const { name, public_key, machine, vouched, also } = body;
      requireSigned(api.identity, who.token_id, body);
      if (api.store.history.hasGrave(keyGrave(public_key))) {
        throw new RefusedError("forbidden", "an operator has revoked this key", "It joins no more");
      }
      const uid = api.seed();
      const { is, node, pool, superseded } = await commit((draft) => {
        const joined = joinNode(draft, {
          name,
          public_key,
          vouched_by: vouched?.public_key ?? null,
          machine,
          also,
          token_id: who.token_id,
          address: link.source,
          uid,
          order: (pool, why) => newOrder(api, pool, { why, by: "server", at_ms: draft.now_ms }),
          inUse: (known) => api.sessions.isOpen(known.id),
        });
        const pool = draft.state.tokens.get(joined.node.joined_by ?? "")?.joins?.pool ?? null;
        return { is: joined.is, node: joined.node, pool, superseded: joined.superseded ?? false };
      });
      if (superseded) api.sessions.close(node.id, SUPERSEDED);
      if (is === "waiting") {
        const why = `an operator has to approve it: orch node approve ${node.name}`;
        return { is, name: node.name, key: keyId(public_key), why };
      }
      return { is, credential: credentialFor(api.identity, node, pool), name: node.name };
    },
  }),
];
