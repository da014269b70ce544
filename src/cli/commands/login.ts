// `orch login URL`: checks a token with the server and keeps it as the current context.

import { ApiError, connect, UnreachableError } from "../../wire/client";
import { parseToken } from "../../wire/token";
import { command, text } from "../frame/command";
import { configDir, contextName, readContexts, writeContext, type NamedCluster } from "../cluster/contexts";
import { CliError, EXIT, UsageError } from "../failure";
import { normalUrl } from "../cluster/settings";

export const login = command({
  operands: ["<URL>"],
  talks: false,
  options: { name: text("--name <NAME>", "what to call this cluster here (its address)") },
  examples: [["orch login https://box1:4400", "asks for the token, or reads it from standard input"]],
  async run(context, { args: [typed = ""], flags }) {
    const { host } = context;
    const url = normalUrl(typed);
    if (url === null) throw new UsageError("the server's address is missing");
    const token = (
      (host.input.tty ? await host.input.line(`token for ${url}: `, true) : await host.input.all()) ?? ""
    ).trim();
    const parts = parseToken(token);
    if (parts === null) {
      throw new CliError(
        EXIT.denied,
        token === "" ? "no token was given" : "this is not a whole token",
        "Copy all of it, from orch1- on; an admin makes one with: orch user add NAME",
      );
    }
    const { pin } = parts;
    const me = await connect({ url, token, pin }).me();
    const name = flags.name ?? contextName(url);
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) {
      throw new UsageError(`--name ${name}: letters, digits, dots and dashes only`);
    }
    const dir = configDir(host.env, host.home);
    const before = (await readContexts(dir, host.uid)).find((one) => one.name === name);
    const whose = before === undefined || before.token === token ? null : await whoIs(before);
    await writeContext(dir, { name, url, token, pin });
    context.print(`logged in to ${url} as ${me.user} (${me.role}, project ${me.project})`);
    if (before !== undefined && whose !== null && whose !== me.user) {
      context.note(`it replaces the login of ${whose} (context ${name}). To keep both: orch login ${url} --name NAME`);
    }
    return EXIT.done;
  },
});

/** Returns who a context's token belongs to, in words, also where its server does not say so any more. */
async function whoIs({ url, token, pin }: NamedCluster): Promise<string> {
  try {
    return (await connect({ url, token, pin }).me()).user;
  } catch (error) {
    if (error instanceof ApiError) return "somebody whose token is no longer taken";
    if (error instanceof UnreachableError) return `somebody at ${url}`;
    throw error;
  }
}
