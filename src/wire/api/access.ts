// Who may talk to the server: users, tokens, and oneself.

import { z } from "zod";
import { ROLES } from "../../core/model/rows-state";
import { int, ms } from "../scalars";

export const userView = z.object({
  name: z.string(),
  role: z.string(),
  unix_user: z.string(),
  /** Further accounts that were granted. Servers of earlier releases do not send them. */
  accounts: z.array(z.string()).default([]),
  project: z.string(),
  created_ms: ms,
});

export const tokenView = z.object({
  id: z.string(),
  role: z.string(),
  user: z.string().nullable(),
  created_ms: ms,
  expires_ms: ms.nullable(),
  state: z.enum(["valid", "expired", "revoked", "used up"]),
  /** How many machines may join with it, how many have, and on which terms. Null for tokens of people. */
  joins: z.object({ uses: int, used: int, approve: z.boolean(), pool: z.string().nullable() }).nullable(),
});

export const meView = z.object({
  user: z.string(),
  role: z.string(),
  project: z.string(),
  unix_user: z.string(),
  token_id: z.string(),
  cluster_id: z.string(),
  revision: int,
});
export type MeView = z.infer<typeof meView>;

export const tokenRequest = z.object({
  /**
   * `expires_ms` is a Unix time; null means never, or 24 h for agents. `user: null` means oneself; tokens for agents
   * have no user.
   */
  role: z.enum(ROLES),
  user: z.string().nullable(),
  expires_ms: int.nullable(),
  /** How many machines may join with a token for agents: one if it is left out. */
  uses: z.int().min(1).max(10_000).optional(),
  /** Whether each machine then waits for an operator's `approve`. */
  approve: z.boolean().optional(),
  /** The pool of the machines that join with it, whatever they say. */
  pool: z.string().min(1).max(100).optional(),
});

export const tokenAnswer = z.object({
  id: z.string(),
  role: z.string(),
  user: z.string().nullable(),
  token: z.string(),
  expires_ms: ms.nullable(),
  /** The command that joins a machine; null for tokens of people. */
  join: z.string().nullable(),
  /** The server's address for other machines; null if it answers on its own machine alone, or does not tell it. */
  server_url: z.string().nullable().default(null),
  /** The server's key as curl wants it: `--pinnedpubkey`. */
  pinned_key: z.string().nullable().default(null),
});

const accountNames = z.array(z.string().max(64)).max(64);

export const userRequest = z.object({
  name: z.string(),
  role: z.enum(ROLES).exclude(["agent"]),
  unix_user: z.string().nullable(),
  project: z.string().nullable(),
  /** Further accounts that the user's specs may name. */
  accounts: accountNames.default([]),
  /** Whether the name may be one of a removed user, whose work and project are then this user's. */
  again: z.boolean().default(false),
});

export const grantRequest = z.object({
  grant: accountNames,
  revoke: accountNames,
});
