// `orch user …`: the people of the cluster.

import { isLoopbackHost, NOT_OUTSIDE } from "../../wire/dial";
import { command, flag, text, word } from "../frame/command";
import type { AccountOnNode } from "../../wire/api/access";
import type { Context } from "../context";
import { EXIT } from "../failure";
import { clean } from "../print/clean";
import { timestamp } from "../print/figures";

const ACCOUNTS =
  "A task runs as its owner's Unix account, or as the one that `user:` of its spec names, if that was granted.\n" +
  "Uid 0, accounts of the system and the server's own are for admins, who may name any account.";

const NAMED = 5;

function names(nodes: readonly string[]): string {
  const more = nodes.length - NAMED;
  return `${nodes.slice(0, NAMED).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** Says of each account on which nodes it is, and on which it is not. */
function noteAccounts(context: Context, { on_nodes }: { readonly on_nodes: readonly AccountOnNode[] }): void {
  for (const [account, nodes] of Map.groupBy(on_nodes, (one) => one.account)) {
    const on = (...states: AccountOnNode["state"][]): string[] =>
      nodes.filter(({ state }) => states.includes(state)).map(({ node }) => node);
    const [there, missing, unknown] = [on("there"), on("missing"), on("unknown")];
    const [made, shared] = [on("made"), on("shared")];
    const parts = [
      ...(there.length > 0 ? [`on ${names(there)}`] : []),
      ...(made.length > 0 ? [`made by its first task on ${names(made)}`] : []),
      ...(shared.length > 0 ? [`not needed on ${names(shared)}, where tasks share one`] : []),
      ...(missing.length > 0 ? [`missing on ${names(missing)}`] : []),
      ...(unknown.length > 0 ? [`not known on ${names(unknown)}`] : []),
    ];
    context.note(`account ${clean(account)}: ${parts.join("; ")}`);
  }
  if (on_nodes.every(({ state }) => state !== "missing")) return;
  context.note(
    "tasks do not run where their account is missing: make it there, or start the agent with --accounts create",
  );
}

export const userAdd = command({
  reads: true,
  operands: ["<NAME>"],
  options: {
    role: word("--role <ROLE>", "what they may do (user)", ["user", "operator", "viewer", "admin"]),
    unix: text("--unix <NAME>", "their Unix account on the nodes (the same name)"),
    accounts: text("--accounts <A,B>", "further Unix accounts that their specs may name"),
    again: flag("--again", "they are the removed user of that name, and get what is left of them"),
    project: text("--project <P>", "their default project (their own name)"),
  },
  examples: [
    ["orch user add alice", "prints the line that alice types to log in"],
    ["orch user add bob --unix rlab --accounts ml-svc", "tasks run as rlab, or as ml-svc where a spec says so"],
  ],
  notes: ACCOUNTS,
  async run(context, { args: [name = ""], flags, shape }) {
    const client = await context.client();
    const role = flags.role ?? "user";
    const { unix: unix_user, project, again } = flags;
    const accounts = flags.accounts?.split(",").filter((one) => one !== "") ?? [];
    const user = await client.addUser({ name, role, unix_user, project, accounts, again });
    const { token, server_url } = await client.newToken({ role, user: name, expires_ms: null });
    // An address by which this machine reached another one has been proven; one of loopback says nothing to others.
    const outside = isLoopbackHost(new URL(client.url).hostname) ? server_url : client.url;
    const login = `echo ${token} | orch login ${outside ?? client.url}`;
    if (shape === "json") context.json({ ...user, token, login, server_url: outside });
    else context.print(shape === "ids" ? user.name : login);
    if (shape === "text") noteAccounts(context, user);
    if (shape === "text" && outside === null) context.note(`for this machine; other machines: ${NOT_OUTSIDE}`);
    return EXIT.done;
  },
});

export const userLs = command({
  reads: true,
  examples: [["orch user ls", "names, roles, accounts"]],
  async run(context, { shape }) {
    const read = await (await context.client()).users();
    if (shape === "json") context.json(read);
    else if (shape === "ids") for (const { name } of read.users) context.print(name);
    else
      context.table(
        [
          { title: "NAME", cut: "middle", cell: (user) => user.name },
          { title: "ROLE", cell: (user) => user.role },
          { title: "PROJECT", cell: (user) => user.project },
          { title: "UNIX", gives: [[2, "below"]], cell: (user) => [user.unix_user, ...user.accounts].join(", ") },
          { title: "SINCE", gives: [[1, 0]], cell: (user) => timestamp(user.created_ms) },
        ],
        read.users,
      );
    return EXIT.done;
  },
});

export const userGrant = command({
  operands: ["<NAME>", "<ACCOUNT...>"],
  options: { revoke: flag("--revoke", "take the accounts back; what runs under them goes on") },
  examples: [
    ["orch user grant alice ml-svc", "alice's specs may say `user: ml-svc`"],
    ["orch user grant alice ml-svc --revoke", "no more"],
  ],
  notes: ACCOUNTS,
  async run(context, { args: [name = "", ...accounts], flags }) {
    const client = await context.client();
    const change = flags.revoke ? { grant: [], revoke: accounts } : { grant: accounts, revoke: [] };
    const user = await client.grantAccounts(name, change);
    context.print(`${user.name}: ${[user.unix_user, ...user.accounts].join(", ")}`);
    noteAccounts(context, user);
    return EXIT.done;
  },
});

export const userRm = command({
  operands: ["<NAME...>"],
  examples: [["orch user rm alice", "their tokens are refused; what runs goes on, nothing of theirs is placed again"]],
  async run(context, { args }) {
    const client = await context.client();
    for (const name of args) {
      await client.removeUser(name);
      context.print(`${name}: removed`);
    }
    return EXIT.done;
  },
});
