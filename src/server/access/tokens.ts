// Tokens: their rows, their ids, and the command that contains a join token.

import type { JoinGrant, State, TokenRow } from "../../core/model/rows-state";
import { HOUSE_LIMITS } from "../../core/limits";
import type { Ms } from "../../core/units";
import type { Draft } from "../../store/store";
import { RefusedError } from "../refused";
import { overOf } from "./auth";
import { hashSecret } from "../../wire/token";

interface Minting {
  readonly id: string;
  readonly secret: string;
  readonly role: TokenRow["role"];
  readonly user: string | null;
  readonly expires_ms: Ms | null;
  readonly joins: JoinGrant | null;
  /** The token with which it is made. */
  readonly parent?: string | null;
}

/** Makes a token's row, which contains only a hash of the secret. */
export const tokenRow = ({ id, secret, role, user, expires_ms, joins, parent }: Minting, created_ms: Ms): TokenRow => ({
  id,
  user,
  role,
  hash: hashSecret(secret),
  created_ms,
  expires_ms,
  revoked_ms: null,
  joins,
  parent: parent ?? null,
});

/** Returns the earlier of two times of expiry, where null is never. */
export const earlierOf = (a: Ms | null, b: Ms | null): Ms | null => (a === null ? b : b === null ? a : Math.min(a, b));

/** Returns the tokens that were made with any of these, and with those in turn, that are not revoked. */
export function descendantsOf({ tokens }: State, ids: readonly string[]): TokenRow[] {
  const living = tokens.values().filter(({ parent, revoked_ms }) => parent !== null && revoked_ms === null);
  const children = Map.groupBy(living, ({ parent }) => parent);
  const found: TokenRow[] = [];
  const seen = new Set(ids);
  const ahead = [...ids];
  for (let id = ahead.pop(); id !== undefined; id = ahead.pop()) {
    for (const row of children.get(id) ?? []) {
      if (seen.has(row.id)) continue;
      seen.add(row.id);
      found.push(row);
      ahead.push(row.id);
    }
  }
  return found;
}

/** Returns the person whom a token belongs to, or who made the join token; null if nobody knows. */
export const ownerOf = ({ tokens }: Pick<State, "tokens">, { user, joins, parent }: TokenRow): string | null =>
  user ?? joins?.by ?? tokens.get(parent ?? "")?.user ?? null;

/** The most tokens in force of one person, with the join tokens that the person has made. */
const MOST_TOKENS = HOUSE_LIMITS.tokens_each;

/** Throws RefusedError if this person has as many tokens as one may have. */
export function requireFewTokens(state: State, owner: string, now_ms: Ms): void {
  let count = 0;
  for (const row of state.tokens.values())
    if (overOf(row, now_ms) === null && !isUsedUp(row) && ownerOf(state, row) === owner) count += 1;
  if (count < MOST_TOKENS) return;
  throw new RefusedError(
    "too_many",
    `${owner} has ${count} tokens in force, no more are made`,
    "Revoke some: orch token ls, orch token revoke ID",
  );
}

/** Returns whether a join token has let in as many machines as it may. It lets in nobody any more. */
export const isUsedUp = ({ joins }: Pick<TokenRow, "joins">): boolean => joins !== null && joins.used >= joins.uses;

/** Returns the grant of a join token that has let nobody in yet. */
export const joinGrant = (part: Partial<JoinGrant> = {}): JoinGrant => ({
  uses: 1,
  used: 0,
  approve: false,
  pool: null,
  ...part,
});

interface Addresses {
  readonly local: () => string;
  readonly outside: () => string | null;
}

/** Returns the command by which another machine joins; on loopback, a further agent of this one. */
export const joinCommand = ({ local, outside }: Addresses, token: string): string =>
  `orch agent join ${outside() ?? local()} --token ${token}`;

export function freshId(state: State, seed: () => string): string {
  for (;;) {
    const id = seed().slice(0, 10);
    if (!state.tokens.has(id)) return id;
  }
}

/** Throws RefusedError if a token is no longer valid: nothing is made with it, and nobody is let in. */
export function requireInForce(row: TokenRow, now_ms: Ms): void {
  const over = overOf(row, now_ms);
  if (over !== null) throw new RefusedError("unauthenticated", `the token ${row.id} ${over}`, "Take another one");
}

/**
 * Makes a token in a transaction. `secretOf` gives the secret that belongs to an id. Returns the id. Throws
 * RefusedError if the token with which it is made is no longer valid, since it would outlive that one.
 */
export function mintToken(
  draft: Draft,
  seed: () => string,
  { detail, ...wish }: Omit<Minting, "id" | "secret"> & { readonly detail: string },
  secretOf: (id: string) => string,
): string {
  const parent = draft.state.tokens.get(wish.parent ?? "");
  if (parent !== undefined) requireInForce(parent, draft.now_ms);
  const id = freshId(draft.state, seed);
  draft.put([{ table: "tokens", key: id, row: tokenRow({ id, secret: secretOf(id), ...wish }, draft.now_ms) }]);
  draft.event({ verb: "token_made", object: id, project: null, detail });
  return id;
}
