// `orch token …`: makes, lists and revokes the tokens by which people and agents reach the server.

import { resolve } from "node:path";
import { NOT_OUTSIDE } from "../../wire/dial";
import { besideAnother } from "../../wire/join";
import { readDuration } from "../../spec/grammar/units";
import { command, flag, reading, text, whole, word } from "../frame/command";
import { EXIT, UsageError } from "../failure";
import { dataDir } from "../cluster/settings";
import { hasJoined } from "../start/joining";
import { timestamp } from "../print/figures";

export const tokenNew = command({
  reads: true,
  options: {
    role: word("--role <ROLE>", "what it may do", ["agent", "user", "operator", "viewer", "admin"]),
    user: text("--user <NAME>", "whose it is (yourself)"),
    expires: reading(
      "--expires <DURATION>",
      "valid for so long, at most as long as your own token (agent: 24h, others: without end)",
      readDuration,
    ),
    uses: whole("--uses <N>", "agent: how many machines may join with it (1)", 1),
    approve: flag("--approve", "agent: each machine waits for orch node approve"),
    pool: text("--pool <POOL>", "agent: the pool of those machines, whatever they say"),
  },
  examples: [
    ["orch token new --role agent", "prints the command that joins one machine"],
    ["orch token new --role agent --uses 8 --approve", "for eight machines, each to be approved"],
    ["orch token new --role user --user alice --expires 30d", "for a person"],
  ],
  async run(context, { flags, shape }) {
    if (flags.role === null) {
      throw new UsageError("which role?", "Say --role agent for a machine, or user, operator, viewer, admin");
    }
    if (flags.role === "agent" && flags.user !== null) {
      throw new UsageError("a join token belongs to nobody", "Leave --user out");
    }
    const expires_ms = flags.expires === null ? null : (await context.serverNow()) + flags.expires;
    const joins = {
      ...(flags.uses === null ? {} : { uses: flags.uses }),
      ...(flags.approve ? { approve: true } : {}),
      ...(flags.pool === null ? {} : { pool: flags.pool }),
    };
    if (flags.role !== "agent" && Object.keys(joins).length > 0) {
      throw new UsageError("--uses, --approve and --pool are of join tokens", "Say --role agent, or leave them out");
    }
    const made = await (await context.client()).newToken({ role: flags.role, user: flags.user, expires_ms, ...joins });
    // Where nobody else reaches the server, the token is for this machine, which may have an agent.
    const data_dir = resolve(context.host.cwd, dataDir(context.asked.data, context.host));
    const hasAgent = made.join !== null && made.server_url === null && (await hasJoined(data_dir));
    if (shape === "json") context.json(made);
    // Its text is shown this once, so it is what a script wants.
    else if (shape === "ids") context.print(made.token);
    else context.print(hasAgent ? besideAnother(made.join ?? "", data_dir) : (made.join ?? made.token));
    if (shape === "text" && made.expires_ms !== null) context.note(`valid until ${timestamp(made.expires_ms)}`);
    if (shape === "text" && hasAgent)
      context.note("for one more agent of this machine: the one that is here must have a share of it too (--capacity)");
    if (shape === "text" && made.join !== null && made.server_url === null)
      context.note(`for this machine; other machines: ${NOT_OUTSIDE}`);
    return EXIT.done;
  },
});

export const tokenLs = command({
  reads: true,
  examples: [["orch token ls", "all that were given out, without their secrets"]],
  async run(context, { shape }) {
    const read = await (await context.client()).tokens();
    if (shape === "json") context.json(read);
    else if (shape === "ids") for (const { id } of read.tokens) context.print(id);
    else
      context.table(
        [
          { title: "ID", cell: (token) => token.id },
          { title: "ROLE", cell: (token) => token.role },
          { title: "USER", cell: (token) => token.user ?? "-" },
          { title: "STATE", cell: (token) => token.state },
          { title: "USES", cell: ({ joins }) => (joins === null ? "-" : `${joins.used}/${joins.uses}`) },
          { title: "CREATED", gives: [[1, 0]], cell: (token) => timestamp(token.created_ms) },
          { title: "EXPIRES", cell: (token) => (token.expires_ms === null ? "never" : timestamp(token.expires_ms)) },
        ],
        read.tokens,
      );
    return EXIT.done;
  },
});

export const tokenRevoke = command({
  operands: ["<ID...>"],
  options: { only: flag("--only", "leave the tokens in force that were made with it") },
  examples: [
    ["orch token revoke 3f9ac01b22", "it is refused from now on, and so is every token that was made with it"],
    ["orch token revoke 3f9ac01b22 --only", "after making a new one with it: the new one stays"],
  ],
  async run(context, { args, flags }) {
    const client = await context.client();
    for (const id of args) {
      await client.revokeToken(id, flags.only);
      context.print(`${id}: revoked`);
    }
    return EXIT.done;
  },
});
