// From argv to an exit code: finds the command, parses its arguments, runs it, and prints errors in one line.

import { nearest } from "../spec/grammar/nearest";
import { makeContext } from "./context";
import { EXIT, UsageError } from "./failure";
import { groupHelp, overview } from "./frame/help";
import type { Host } from "./host";
import { parseCommand } from "./frame/parse";
import { LATER, TABLE } from "./table";
import type { CommandEntry } from "./frame/command";

/** Runs one command line and returns its exit code. Errors are printed, never thrown. */
export async function dispatch(argv: readonly string[], host: Host): Promise<number> {
  try {
    const found = find(argv);
    if (found.kind === "text") {
      host.out.write(found.text);
      return EXIT.done;
    }
    const { entry, rest } = found;
    const decl = await entry.load();
    const parsed = parseCommand(entry.name, entry.about, decl, rest);
    if (parsed.kind === "help") {
      host.out.write(parsed.text);
      return EXIT.done;
    }
    if (decl.serves) host.becomeService();
    return await decl.run(makeContext(host, parsed.asked), parsed.input as never);
  } catch (error) {
    const { complain } = await import("./print/complain");
    return complain(error, host.err);
  }
}

type Found =
  | { readonly kind: "command"; readonly entry: CommandEntry; readonly rest: readonly string[] }
  | { readonly kind: "text"; readonly text: string };

/**
 * Returns the command that a command line names, or a text to print. `--url`, `--token` and `--data` may stand before
 * the command.
 */
export function find(argv: readonly string[]): Found {
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
  return unknown(first, second);
}

function unknown(first: string, second: string | undefined): Found {
  const asked = second === undefined || second.startsWith("-") ? first : `${first} ${second}`;
  const isUnder = (name: string): boolean => name.startsWith(`${first} `);
  const built = TABLE.map((entry) => entry.name).filter(isUnder);
  const later =
    LATER.find((name) => name === first || name === asked) ??
    (built.length === 0 && LATER.some(isUnder) ? asked : undefined);
  if (later !== undefined) throw new UsageError(`${later}: not built yet`, "See what there is: orch --help");
  const under = [...built, ...LATER.filter(isUnder)];
  if (under.length > 0) {
    if (second === "--help" || second === "-h") return { kind: "text", text: groupHelp(TABLE, first) };
    const verbs = under.map((name) => name.slice(first.length + 1));
    const meant = second === undefined ? null : meantBy(second, verbs);
    throw new UsageError(
      second === undefined ? `orch ${first}: what to do is missing` : `unknown command: ${asked}`,
      meant === null
        ? `One of: ${verbs.map((verb) => `orch ${first} ${verb}`).join(", ")}`
        : `Did you mean: orch ${first} ${meant}`,
    );
  }
  const meant = meantBy(first, [...new Set(TABLE.map((entry) => entry.name.split(" ")[0] ?? entry.name))]);
  throw new UsageError(
    `unknown command: ${first}`,
    meant === null ? "See: orch --help" : `Did you mean: orch ${meant}`,
  );
}

function connectionFirst(argv: readonly string[]): { before: readonly string[]; rest: readonly string[] } {
  let at = 0;
  for (;;) {
    const word = argv[at] ?? "";
    if (/^--(url|token|data)=/.test(word)) at += 1;
    else if (/^--(url|token|data)$/.test(word)) at += 2;
    else return { before: argv.slice(0, at), rest: argv.slice(at) };
  }
}

/** Returns a word that begins with the typed text, else the word that is nearest to it, or null. */
const meantBy = (typed: string, words: readonly string[]): string | null =>
  words.find((word) => typed.length > 1 && word.startsWith(typed)) ?? nearest(typed, words);
