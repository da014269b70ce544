// Routes for tokens: what lets people and machines talk to the server.

import { compareText } from "../../core/canonical";
import { z } from "zod";
import type { JoinGrant, TokenRow } from "../../core/model/rows-state";
import type { Ms } from "../../core/units";
import { tokenAnswer, tokenRequest, tokenView } from "../../wire/api/access";
import { doneAnswer, list } from "../../wire/api/answers";
import { formatToken } from "../../wire/token";
import { mayGrant } from "../access/access";
import type { Api } from "./api";
import { overOf } from "../access/auth";
import { JOIN_TOKEN_MS } from "../nodes/join";
import { noUser } from "../work/unresolved";
import { notFound, RefusedError } from "../refused";
import { flag, page, pageOf } from "../http/query";
import { route } from "./route";
import {
  descendantsOf,
  earlierOf,
  isUsedUp,
  joinCommand,
  joinGrant,
  mintToken,
  requireFewTokens,
} from "../access/tokens";

type Minted = z.infer<typeof tokenAnswer>;

export const TOKEN_ROUTES = [
  route({
    method: "POST",
    path: "/v1/tokens",
    body: tokenRequest,
    answer: tokenAnswer,
    summary: "Makes a token: for oneself, for a user, or for machines that join. Its text is shown this once",
    async handle({ api, body, who, commit, request }): Promise<Minted> {
      const { role } = body;
      const user = role === "agent" ? null : (body.user ?? who.name);
      if (!mayGrant(who.role, role) || (user !== null && user !== who.name && who.role !== "admin")) {
        throw new RefusedError(
          "forbidden",
          `${who.name} may not make a token of role ${role}${user === null ? "" : ` for ${user}`}`,
          role === "agent" ? "Operators let machines in" : "Ask an admin of this cluster",
        );
      }
      // No secret is kept for a repeated request. The secret is derived from the key, so the same key gives the same
      // secret.
      const key = request.headers.get("idempotency-key") ?? api.seed();
      const made = await commit((draft): Omit<Minted, "token" | "join" | "server_url" | "pinned_key"> => {
        const asked_ms = body.expires_ms ?? (role === "agent" ? api.store.now() + JOIN_TOKEN_MS : null);
        const parent = draft.state.tokens.get(who.token_id);
        const expires_ms = earlierOf(asked_ms, parent?.expires_ms ?? null);
        if (expires_ms !== null && expires_ms <= api.store.now())
          throw new RefusedError("bad_request", "expires_ms lies in the past");
        if (user !== null && !draft.state.users.has(user)) throw noUser(draft.state, user);
        requireFewTokens(draft.state, user ?? who.name, api.store.now());
        const joins = grantOf(body, who.name);
        const detail = `${role}${user === null ? "" : ` for ${user}`}${joins === null ? "" : `, ${sayGrant(joins)}`}`;
        const wish = { role, user, expires_ms, joins, parent: parent?.id ?? null, detail };
        const id = mintToken(draft, api.seed, wish, (fresh) => secretOf(api, fresh, key));
        return { id, role, user, expires_ms };
      });
      const token = formatToken({ pin: api.identity.pin, id: made.id, secret: secretOf(api, made.id, key) });
      const join = role === "agent" ? joinCommand(api, token) : null;
      return { ...made, token, join, server_url: api.outside(), pinned_key: pinnedKey(api.identity.pin) };
    },
  }),
  route({
    method: "GET",
    path: "/v1/tokens",
    answer: list("tokens", tokenView),
    summary: "One's own tokens; all of them for operators",
    query: page,
    handle({ api, query, who }) {
      const all = who.role === "admin" || who.role === "operator";
      const tokens = api.store.state.tokens
        .values()
        .filter((row) => all || row.user === who.name)
        .toArray()
        .sort((a, b) => b.created_ms - a.created_ms || compareText(a.id, b.id));
      const { items, next } = pageOf(query, tokens, null);
      return { tokens: items.map((row) => viewOf(row, api.store.now())), next };
    },
  }),
  route({
    method: "DELETE",
    path: "/v1/tokens/{id}",
    answer: doneAnswer,
    summary:
      "Revokes a token and those that were made with it: they are refused from now on. `only` leaves those in force",
    query: z.object({ only: flag.optional().describe("leaves the tokens in force that were made with it") }),
    handle: ({ params, query, who, commit }) =>
      commit((draft) => {
        const row = draft.state.tokens.get(params.id);
        const mine =
          row !== undefined &&
          (who.role === "admin" || row.user === who.name || (row.role === "agent" && who.role === "operator"));
        if (!mine) throw notFound(`there is no token ${params.id.slice(0, 40)} of yours`, "orch token ls shows them");
        if (row.revoked_ms !== null) return { revision: draft.revision };
        const below = descendantsOf(draft.state, [row.id]);
        const kept = query.only === true;
        for (const one of [row, ...(kept ? [] : below)]) {
          draft.put([{ table: "tokens", key: one.id, row: { ...one, revoked_ms: draft.now_ms } }]);
          const detail = `${one.user ?? one.role}${one === row ? "" : `, made with ${row.id}`}`;
          draft.event({ verb: "token_revoked", object: one.id, project: null, detail });
        }
        for (const one of kept ? below : []) {
          if (one.parent === row.id) draft.put([{ table: "tokens", key: one.id, row: { ...one, parent: row.parent } }]);
        }
        return { revision: draft.revision };
      }),
  }),
];

/** Returns what a join token lets in, or null for a token of a person. Throws RefusedError for a mixture of both. */
function grantOf({ role, uses, approve, pool }: z.infer<typeof tokenRequest>, by: string): JoinGrant | null {
  if (role === "agent") return joinGrant({ uses: uses ?? 1, approve: approve ?? false, pool: pool ?? null, by });
  if (uses === undefined && approve === undefined && pool === undefined) return null;
  throw new RefusedError(
    "bad_request",
    "uses, approve and pool are of tokens for agents",
    "Say role agent, or leave them out",
  );
}

const sayGrant = ({ uses, approve, pool }: JoinGrant): string =>
  [
    uses === 1 ? "once" : `${uses} times`,
    ...(approve ? ["with approval"] : []),
    ...(pool === null ? [] : [`pool ${pool}`]),
  ].join(", ");

/** Returns a pin as `curl --pinnedpubkey` takes it. */
const pinnedKey = (pin: string): string => `sha256//${Buffer.from(pin, "hex").toString("base64")}`;

const secretOf = (api: Api, id: string, key: string): string => api.identity.derive(`token/${id}/${key}`).slice(0, 40);

function viewOf(row: TokenRow, now_ms: Ms): z.infer<typeof tokenView> {
  const { id, role, user, created_ms, expires_ms, joins } = row;
  const grant =
    joins === null ? null : { uses: joins.uses, used: joins.used, approve: joins.approve, pool: joins.pool };
  return {
    id,
    role,
    user,
    created_ms,
    expires_ms,
    state: stateOf(row, now_ms),
    joins: grant,
  };
}

function stateOf(row: TokenRow, now_ms: Ms): z.infer<typeof tokenView>["state"] {
  if (row.revoked_ms !== null) return "revoked";
  if (overOf(row, now_ms) !== null) return "expired";
  return isUsedUp(row) ? "used up" : "valid";
}
