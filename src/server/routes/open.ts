// Routes that need no token, and the route by which machines join.

import { z } from "zod";
import { joinAnswer, joinRequest } from "../../wire/agent";
import { healthView } from "../../wire/api/answers";
import { signCredential } from "../access/identity";
import { joinNode, STARTING_MS } from "../nodes/join";
import { newOrder } from "../nodes/node-testing";
import { RefusedError } from "../refused";
import { route } from "./route";

/** A node that was heard within this time has an agent. */
const HEARD_MS = 12_000;

export const OPEN_ROUTES = [
  route({
    method: "GET",
    path: "/v1/health",
    answer: healthView,
    summary: "Whether the server answers",
    handle: ({ api }): z.infer<typeof healthView> => ({ status: "ok", version: api.version }),
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
    async handle({ api, body, commit }): Promise<z.infer<typeof joinAnswer>> {
      const { name, public_key, machine } = body;
      const uid = api.seed();
      const node = await commit((draft) => {
        const row = joinNode(draft, {
          name,
          public_key,
          machine,
          uid,
          order: (pool, why) => newOrder(api, pool, { why, by: "server", at_ms: draft.now_ms }),
          inUse: (known) => {
            const seen = api.loop.lastSeen(known.id);
            const starting = known.contact === "lost" && seen === null && draft.now_ms - known.joined_ms < STARTING_MS;
            return (
              api.loop.contacts().get(known.id)?.connected === true ||
              starting ||
              (seen !== null && api.clock() - seen < HEARD_MS)
            );
          },
        });
        return { id: row.id, name: row.name, fingerprint: row.fingerprint };
      });
      const credential = signCredential(api.identity, {
        cluster_id: api.identity.cluster_id,
        node_id: node.id,
        name: node.name,
        public_key,
        fingerprint: node.fingerprint,
      });
      return { credential, name: node.name };
    },
  }),
];
