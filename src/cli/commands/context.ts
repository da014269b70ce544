// `orch context …` and `orch logout`: the clusters that this person has logged in to, on this machine.

import { nearest } from "../../spec/grammar/nearest";
import { parseToken } from "../../wire/token";
import { configDir, readContexts, removeContext, useContext, type NamedCluster } from "../cluster/contexts";
import type { Context } from "../context";
import { CliError, EXIT } from "../failure";
import { command } from "../frame/command";

const dirOf = ({ host }: Context): string => configDir(host.env, host.home);

/** Returns the contexts that are stored here, the current one first. */
const stored = (context: Context): Promise<NamedCluster[]> => readContexts(dirOf(context), context.host.uid);

function named(contexts: readonly NamedCluster[], name: string): NamedCluster {
  const found = contexts.find((one) => one.name === name);
  if (found !== undefined) return found;
  const meant = nearest(
    name,
    contexts.map((one) => one.name),
  );
  const hint = meant === null ? "See: orch context ls; make one: orch login URL" : `Did you mean ${meant}?`;
  throw new CliError(EXIT.failed, `there is no context ${name}`, hint);
}

export const contextLs = command({
  talks: false,
  reads: true,
  examples: [["orch context ls", "the clusters of this machine's login; * is the current one"]],
  async run(context, { shape }) {
    const contexts = (await stored(context)).map(({ name, url }, at) => ({ name, url, current: at === 0 }));
    if (shape === "json") context.json({ contexts });
    else if (shape === "ids") for (const { name } of contexts) context.print(name);
    else if (contexts.length === 0) context.note("no contexts; make one: orch login URL");
    else
      context.table(
        [
          { title: "", cell: ({ current }) => (current ? "*" : "") },
          { title: "NAME", cut: "middle", cell: ({ name }) => name },
          { title: "SERVER", cell: ({ url }) => url },
        ],
        contexts,
      );
    return EXIT.done;
  },
});

export const contextUse = command({
  operands: ["<NAME>"],
  talks: false,
  examples: [["orch context use box1-4400", "commands go there from now on"]],
  async run(context, { args: [name = ""] }) {
    const { url } = named(await stored(context), name);
    await useContext(dirOf(context), name);
    context.print(`${name}: current (${url})`);
    return EXIT.done;
  },
});

export const contextRm = command({
  operands: ["<NAME...>"],
  talks: false,
  examples: [["orch context rm box1-4400", "forgets its address and token here"]],
  async run(context, { args }) {
    const contexts = await stored(context);
    const found = args.map((name) => named(contexts, name));
    for (const one of found) await forget(context, one);
    return EXIT.done;
  },
});

export const logout = command({
  operands: ["[NAME]"],
  talks: false,
  examples: [
    ["orch logout", "forgets the current context and its token"],
    ["orch logout box1-4400", "another one"],
  ],
  notes: "The token stays valid elsewhere until it is revoked: orch token revoke ID.",
  async run(context, { args: [name] }) {
    const contexts = await stored(context);
    const [current] = contexts;
    if (name === undefined && current === undefined) throw new CliError(EXIT.failed, "not logged in anywhere");
    const found = name === undefined ? current : named(contexts, name);
    if (found !== undefined) await forget(context, found);
    return EXIT.done;
  },
});

async function forget(context: Context, { name, url, token }: NamedCluster): Promise<void> {
  await removeContext(dirOf(context), name);
  const id = parseToken(token)?.id ?? null;
  const kept = id === null ? "" : `; its token stays valid until: orch token revoke ${id}`;
  context.print(`${name}: logged out of ${url}${kept}`);
}
