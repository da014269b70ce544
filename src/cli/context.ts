// What a running command holds: its process, its server, and how to print.

import type { Client } from "../wire/client";
import { parseToken } from "../wire/token";
import { CliError, EXIT, UsageError } from "./failure";
import type { Host } from "./host";
import { style, wantsColor, type Style } from "./print/color";
import { table, type Column } from "./print/table";
import { resolveTarget, type AskedServer, type ServerTarget } from "./cluster/settings";

export interface Context {
  readonly host: Host;
  readonly style: Style;
  readonly asked: AskedServer;
  readonly now: () => number;
  /** Where the server is and who we are there, found once. */
  target(): Promise<ServerTarget>;
  client(): Promise<Client>;
  /** One line on standard output. */
  print(line: string): void;
  /** One line on standard error, for what is said beside the answer. */
  note(line: string): void;
  /** A document on standard output, as `--json` gives it. */
  json(document: unknown): void;
  table<T>(columns: readonly Column<T>[], rows: readonly T[]): void;
}

export function makeContext(host: Host, asked: AskedServer): Context {
  let target: Promise<ServerTarget> | null = null;
  const findTarget = (): Promise<ServerTarget> => {
    target ??= resolveTarget(asked, host, (token) => parseToken(token)?.pin ?? null);
    return target;
  };
  return {
    host,
    asked,
    style: style(wantsColor(host.out.tty, host.env)),
    now: host.now,
    target: findTarget,
    async client() {
      const found = await findTarget();
      refuseUnknown(found);
      // Loaded here: what talks to no server does without the schemas of what is said to one.
      const { connect } = await import("../wire/client");
      return connect(found);
    },
    print: (line) => host.out.write(`${line}\n`),
    note: (line) => host.err.write(`${line}\n`),
    json: (document) => host.out.write(`${JSON.stringify(document, null, host.out.tty ? 2 : 0)}\n`),
    table: (columns, rows) => {
      host.out.write(
        table(columns, rows, host.out.columns)
          .map((line) => `${line}\n`)
          .join(""),
      );
    },
  };
}

/** Without a token nothing says who the server is, nor who we are. */
function refuseUnknown({ url, token, pin }: ServerTarget): void {
  if (token !== null || pin !== null || !url.startsWith("https:")) return;
  throw new CliError(EXIT.denied, `not logged in to ${url}`, `Log in with: orch login ${url} (or set ORCH_TOKEN)`);
}

/**
 * Asks a yes-or-no question; only a clear yes is one. Without a terminal nothing is asked: `otherwise` says which flag
 * answers.
 */
export async function confirm(context: Context, question: string, otherwise: string): Promise<boolean> {
  const { input, err } = context.host;
  if (!input.tty || !err.tty) throw new UsageError("there is no terminal to ask on", otherwise);
  const answer = await input.line(`${question} [y/N] `, false);
  return /^y(es)?$/i.test(answer?.trim() ?? "");
}
