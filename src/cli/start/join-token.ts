// Where the token comes from that an agent joins with: a flag, a file, standard input, the environment, or a question.

import { parseToken } from "../../wire/token";
import { readOr } from "../cluster/contexts";
import type { Context } from "../context";
import { CliError, EXIT } from "../failure";
import { text } from "../frame/command";

export const TOKEN_OPTIONS = {
  token: text("--token <TOKEN>", "a join token: orch token new --role agent (ORCH_TOKEN); - reads standard input"),
  tokenFile: text("--token-file <FILE>", "a file with the token, which is removed once it has been used"),
};

interface TokenFlags {
  readonly token: string | null;
  readonly tokenFile: string | null;
}

/** Returns the token that was given, or null. A terminal is asked only if `needed`. */
export async function joinToken(
  { host }: Context,
  { token, tokenFile }: TokenFlags,
  needed: boolean,
): Promise<string | null> {
  if (token === "-") return whole((await host.input.all()).trim(), "standard input");
  if (token !== null) return whole(token, "--token");
  const kept = tokenFile === null ? null : await tokenIn(tokenFile);
  if (tokenFile !== null && kept !== null) return whole(kept, tokenFile);
  const known = host.env["ORCH_TOKEN"] || null;
  if (known !== null) return known;
  if (tokenFile !== null && needed)
    throw new CliError(
      EXIT.usage,
      `the token's file ${tokenFile} is missing`,
      "On the server: orch token new --role agent",
    );
  if (!needed || !host.input.tty) return null;
  return whole(((await host.input.line("join token: ", true)) ?? "").trim(), "what was typed");
}

function whole(token: string, from: string): string {
  if (parseToken(token) !== null) return token;
  throw new CliError(
    EXIT.usage,
    token === "" ? `${from} has no token` : `${from}: this is not a whole token`,
    "Copy all of it, from orch1- on; on the server: orch token new --role agent",
  );
}

/** Returns the token in the file, or null if there is no file, as after the first start. */
const tokenIn = async (file: string): Promise<string | null> => (await readOr(file))?.trim() ?? null;
