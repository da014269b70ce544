// Who may talk to the server: users, tokens, and oneself.

import { z } from "zod";
import { ROLES } from "../../core/model/rows-state";
import { int, ms } from "../scalars";

export const userView = z
  .object({
    name: z.string(),
    role: z.string(),
    unix_user: z.string().describe("the account that their tasks run as"),
    /** Servers of earlier releases do not send them. */
    accounts: z.array(z.string()).default([]).describe("further accounts that were granted"),
    project: z.string().describe("their default project"),
    created_ms: ms,
  })
  .meta({ id: "User" });

/** An account of a user as a node has it. */
const accountOnNode = z.object({
  account: z.string(),
  node: z.string(),
  state: z
    .enum(["there", "missing", "made", "shared", "unknown"])
    .describe(
      "`made`: the node makes it for the first task; `shared`: all tasks run under one account there; " +
        "`unknown`: the node does not say",
    ),
});
export type AccountOnNode = z.infer<typeof accountOnNode>;

export const userAnswer = userView.extend({
  on_nodes: z
    .array(accountOnNode)
    .default([])
    .describe("the user's accounts on each node that is not lost, in the order of their names"),
});

export const tokenView = z
  .object({
    id: z.string(),
    role: z.string(),
    user: z.string().nullable().describe("null for join tokens"),
    created_ms: ms,
    expires_ms: ms.nullable(),
    state: z.enum(["valid", "expired", "revoked", "used up"]),
    joins: z
      .object({ uses: int, used: int, approve: z.boolean(), pool: z.string().nullable() })
      .nullable()
      .describe("how many machines may join with it, how many have, and on which terms; null for tokens of people"),
  })
  .meta({ id: "Token" });

export const meView = z.object({
  user: z.string(),
  role: z.string(),
  project: z.string().describe("where what names no project goes"),
  unix_user: z.string(),
  token_id: z.string(),
  /** When the token ends; null: never. Servers of earlier releases do not say it. */
  token_expires_ms: ms.nullable().default(null),
  cluster_id: z.string(),
  revision: int.describe("of the cluster: rises with each change"),
});
export type MeView = z.infer<typeof meView>;

export const tokenRequest = z
  .object({
    role: z.enum(ROLES),
    user: z.string().nullable().default(null).describe("left out: oneself; tokens for agents have no user"),
    expires_ms: int.nullable().default(null).describe("a Unix time; left out: never, or in 24 h for agents"),
    uses: z.int().min(1).max(10_000).optional().describe("for agents: how many machines may join with it (1)"),
    approve: z.boolean().optional().describe("for agents: whether each machine waits for an operator's `approve`"),
    pool: z.string().min(1).max(100).optional().describe("for agents: the pool of those machines, whatever they say"),
  })
  .meta({ examples: [{ role: "user", user: "alice" }] });

export const tokenAnswer = z.object({
  id: z.string(),
  role: z.string(),
  user: z.string().nullable(),
  token: z.string().describe("shown this once"),
  expires_ms: ms.nullable(),
  join: z.string().nullable().describe("the command that joins a machine; null for tokens of people"),
  /** Servers of earlier releases do not send this and the next one. */
  server_url: z
    .string()
    .nullable()
    .default(null)
    .describe("the server's address for other machines; null if it answers on its own machine alone"),
  pinned_key: z.string().nullable().default(null).describe("the server's key as `curl --pinnedpubkey` takes it"),
});

const accountNames = z.array(z.string().max(64)).max(64);

export const userRequest = z
  .object({
    name: z.string(),
    role: z.enum(ROLES).exclude(["agent"]).default("user"),
    unix_user: z.string().nullable().default(null).describe("their Unix account on the nodes; left out: the same name"),
    project: z.string().nullable().default(null).describe("their default project; left out: their own name"),
    accounts: accountNames.default([]).describe("further accounts that their specs may name"),
    again: z
      .boolean()
      .default(false)
      .describe("the name may be one of a removed user, whose work and project are then this user's"),
  })
  .meta({ examples: [{ name: "carol", unix_user: "carol" }] });

export const grantRequest = z
  .object({
    grant: accountNames.default([]).describe("accounts that the user's specs may name from now on"),
    revoke: accountNames.default([]).describe("accounts that they may name no more"),
  })
  .meta({ examples: [{ grant: ["ml-svc"] }] });
