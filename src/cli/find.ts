// Which command of orch a command line names.

import { UsageError } from "./failure";
import type { CommandEntry } from "./frame/command";
import { overview } from "./frame/help";
import { TABLE } from "./table";

export type FoundCommand =
  | { readonly kind: "command"; readonly entry: CommandEntry; readonly rest: readonly string[] }
  | { readonly kind: "text"; readonly text: string };

/**
 * Returns the command that a command line names, or a text to print; null if its first word is no command of orch.
 * `--url`, `--token` and `--data` may stand before the command.
 */
export function find(argv: readonly string[]): FoundCommand | null {
  const { before, rest } = connectionFirst(argv);
  const [first, second] = rest;
  if (first === undefined || first === "--help" || first === "-h" || (first === "help" && second === undefined)) {
    return { kind: "text", text: overview(TABLE) };
  }
  if (first === "help") return find([...rest.slice(1), "--help"]);
  if (first === "--version" || first === "-V") return find(["version"]);
  if (first.startsWith("-")) throw new UsageError(`unknown option ${first}`, "See: orch --help");

  const two = second === undefined ? null : (TABLE.find((entry) => entry.name === `${first} ${second}`) ?? null);
  if (two !== null) return { kind: "command", entry: two, rest: [...before, ...rest.slice(2)] };
  const one = TABLE.find((entry) => entry.name === first);
  if (one !== undefined) return { kind: "command", entry: one, rest: [...before, ...rest.slice(1)] };
  return null;
}

/** Splits a command line before the name of the command. */
export function connectionFirst(argv: readonly string[]): { before: readonly string[]; rest: readonly string[] } {
  let at = 0;
  for (;;) {
    const word = argv[at] ?? "";
    if (/^--(url|token|data)=/.test(word)) at += 1;
    else if (/^--(url|token|data)$/.test(word)) at += 2;
    else return { before: argv.slice(0, at), rest: argv.slice(at) };
  }
}
