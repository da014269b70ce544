// `orch user …`: the people of the cluster.

import { command, text, word } from "../frame/command";
import { EXIT } from "../failure";
import { timestamp } from "../print/figures";

export const userAdd = command({
  reads: true,
  operands: ["<NAME>"],
  options: {
    role: word("--role <ROLE>", "what they may do (user)", ["user", "operator", "viewer", "admin"]),
    unix: text("--unix <NAME>", "their Unix account on the nodes (the same name)"),
    project: text("--project <P>", "their default project (their own name)"),
  },
  examples: [["orch user add alice", "prints the line that alice types to log in"]],
  async run(context, { args: [name = ""], flags, shape }) {
    const client = await context.client();
    const role = flags.role ?? "user";
    const user = await client.addUser({ name, role, unix_user: flags.unix, project: flags.project });
    const { token } = await client.newToken({ role, user: name, expires_ms: null });
    const login = `echo ${token} | orch login ${client.url}`;
    if (shape === "json") context.json({ ...user, token, login });
    else context.print(shape === "ids" ? user.name : login);
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
          { title: "NAME", cell: (user) => user.name },
          { title: "ROLE", cell: (user) => user.role },
          { title: "PROJECT", cell: (user) => user.project },
          { title: "UNIX", cell: (user) => user.unix_user },
          { title: "SINCE", cell: (user) => timestamp(user.created_ms) },
        ],
        read.users,
      );
    return EXIT.done;
  },
});

export const userRm = command({
  operands: ["<NAME...>"],
  examples: [["orch user rm alice", "their tokens are refused from now on; their work goes on"]],
  async run(context, { args }) {
    const client = await context.client();
    for (const name of args) {
      await client.removeUser(name);
      context.print(`${name}: removed`);
    }
    return EXIT.done;
  },
});
