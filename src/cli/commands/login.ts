// `orch login URL`: checks a token with the server and keeps it as the current context.

import { connect } from "../../wire/client";
import { parseToken } from "../../wire/token";
import { command, text } from "../frame/command";
import { configDir, contextName, writeContext } from "../cluster/contexts";
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
    await writeContext(configDir(host.env, host.home), { name, url, token, pin });
    context.print(`logged in to ${url} as ${me.user} (${me.role}, project ${me.project})`);
    return EXIT.done;
  },
});
