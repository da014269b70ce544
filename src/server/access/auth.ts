// Authentication: a bearer token becomes a principal, or a refusal that is the same for every invalid token. The
// comparison takes the same time for every wrong secret.

import { timingSafeEqual } from "node:crypto";
import { canonicalJson } from "../../core/canonical";
import type { Role, State, TokenRow } from "../../core/model/rows-state";
import type { Ms } from "../../core/units";
import { hashSecret, parseToken } from "../../wire/token";
import { RefusedError } from "../refused";

export interface Principal {
  /** The user's name, or `token ID` for a token that belongs to no person. */
  readonly name: string;
  readonly role: Role;
  /** The user's default project; empty for agents. */
  readonly project: string;
  readonly unix_user: string;
  /** Further Unix accounts that were granted to the user. */
  readonly accounts: readonly string[];
  readonly token_id: string;
}

export interface Auth {
  /** Returns who sends the request. Throws RefusedError without a valid token. Failures are counted by `source`. */
  authenticate(header: string | null, source: string): Principal;
  /** Returns whether a token that was valid still is, with the same rights. For streams that stay open. */
  holds(who: Principal): boolean;
}

const FAILURES = 20;
const WINDOW_MS = 60_000;
const SOURCES = 10_000;
const NO_HASH = "0".repeat(64);

export function createAuth(state: () => State, pin: string, clock: () => Ms): Auth {
  const failures = new Map<string, { since_ms: Ms; count: number }>();

  function failed(source: string, message: string, hint: string): RefusedError {
    const now = clock();
    const known = failures.get(source);
    const entry = known === undefined || now - known.since_ms > WINDOW_MS ? { since_ms: now, count: 0 } : known;
    entry.count++;
    if (failures.size >= SOURCES && known === undefined) failures.clear();
    failures.set(source, entry);
    // A valid token is never held up: secrets are too long to be guessed, so this bound only limits the load of
    // guessing.
    return entry.count > FAILURES
      ? new RefusedError(
          "too_many",
          "too many failed logins from this address",
          "Wait a minute; is an old token still in use somewhere?",
        )
      : new RefusedError("unauthenticated", message, hint);
  }

  return {
    authenticate(header, source) {
      const text = /^Bearer\s+(\S+)$/i.exec(header ?? "")?.[1];
      if (text === undefined) {
        throw new RefusedError(
          "unauthenticated",
          "this needs a token",
          "Log in with orch login URL, or set ORCH_TOKEN",
        );
      }
      const token = parseToken(text);
      if (token === null)
        throw failed(source, "this is not a token of orch", "Was it pasted whole? It begins with orch1-");
      const row = state().tokens.get(token.id);
      const right = sameHash(hashSecret(token.secret), row?.hash ?? NO_HASH);
      if (row === undefined || !right) {
        throw failed(
          source,
          "the token is not known here",
          token.pin === pin
            ? "It was revoked and removed, or made for another copy of the database. " +
                "An admin makes a new one: orch token new"
            : "It was made by another server. Is the address right?",
        );
      }
      const who = standingOf(row, state(), clock());
      if (typeof who === "string") throw failed(source, `the token ${row.id} ${who}`, newTokenHint(row));
      return who;
    },
    holds(who) {
      const row = state().tokens.get(who.token_id);
      if (row === undefined || overOf(row, clock()) !== null) return false;
      const now = principalOf(row, state());
      return now !== null && now.role === who.role && now.project === who.project;
    },
  };
}

/**
 * Throws RefusedError if the token of a request that was let in gives other rights in this state, or none: a request
 * may take long to come, and what it was let in with may be gone by then.
 */
export function requireStill(who: Principal, state: State, now_ms: Ms): void {
  const row = state.tokens.get(who.token_id);
  const now = row === undefined ? "was removed" : standingOf(row, state, now_ms);
  if (typeof now === "string") {
    const hint = row === undefined ? null : newTokenHint(row);
    throw new RefusedError("unauthenticated", `the token ${who.token_id} ${now}`, hint);
  }
  if (canonicalJson(now) === canonicalJson(who)) return;
  throw new RefusedError("conflict", `what ${who.name} may do was changed while this request came in`, "Send it again");
}

/** Returns why a token is no longer valid, in words, or null. */
export function overOf(row: TokenRow, now_ms: Ms): string | null {
  if (row.revoked_ms !== null) return "was revoked";
  return row.expires_ms !== null && row.expires_ms <= now_ms ? "has expired" : null;
}

/** Returns whom a token stands for, or why it stands for nobody, in words. */
const standingOf = (row: TokenRow, state: State, now_ms: Ms): Principal | string =>
  overOf(row, now_ms) ?? principalOf(row, state) ?? "belongs to a user who was removed";

const newTokenHint = (row: TokenRow): string =>
  row.user === null
    ? "Make a new one on the server: orch token new --role agent"
    : `An admin makes a new one: orch token new --role ${row.role} --user ${row.user}`;

function principalOf(row: TokenRow, { users }: State): Principal | null {
  if (row.user === null) {
    return { name: `token ${row.id}`, role: row.role, project: "", unix_user: "", accounts: [], token_id: row.id };
  }
  const user = users.get(row.user);
  return user === undefined
    ? null
    : {
        name: user.name,
        role: lesserRole(row.role, user.role),
        project: user.project,
        unix_user: user.unix_user,
        accounts: user.accounts,
        token_id: row.id,
      };
}

const sameHash = (a: string, b: string): boolean =>
  timingSafeEqual(Buffer.from(a.padEnd(64).slice(0, 64)), Buffer.from(b.padEnd(64).slice(0, 64)));
export const RANK: Readonly<Record<Role, number>> = { agent: 0, viewer: 1, user: 2, operator: 3, admin: 4 };

/** Returns the lesser of two roles. A token gives no more rights than its owner has. */
export const lesserRole = (a: Role, b: Role): Role => (RANK[a] <= RANK[b] ? a : b);
