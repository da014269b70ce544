// From argv to an exit code: finds the command, parses its arguments, runs it, and prints errors in one line.

import { nearest } from "../spec/grammar/nearest";
import { makeContext } from "./context";
import { CliError, EXIT, UsageError } from "./failure";
import { groupHelp, overview } from "./frame/help";
import { insteadOf, verbFirst } from "./frame/instead";
import { withoutKind } from "./frame/kinds";
import { LOOKS } from "./frame/looking";
import type { Host } from "./host";
import { shown } from "./instead/line";
import { otherTool, parseCommand } from "./frame/parse";
import { LATER, TABLE } from "./table";
import { answerSlurm, typedAt } from "./typed/batch-lines";
import type { CommandEntry } from "./frame/command";

/** Runs one command line and returns its exit code. Errors are printed, never thrown. */
export async function dispatch(argv: readonly string[], host: Host): Promise<number> {
  let isOurs = false;
  try {
    if (argv[0] === COMPLETE) return await completed(argv.slice(1), host);
    await refuseTool(argv[0] === "docker-compose" ? ["docker", "compose", ...argv.slice(1)] : argv);
    const found = find(await withoutSlurm(argv, host));
    isOurs = true;
    if (found.kind === "text") {
      host.out.write(found.text);
      return EXIT.done;
    }
    const { entry, rest } = found;
    const decl = await entry.load();
    const parsed = parseCommand(entry.name, entry.about, decl, rest, typedAt(host));
    if (parsed.kind === "help") {
      host.out.write(parsed.text);
      return EXIT.done;
    }
    if (decl.serves) host.becomeService();
    // The output of a run is what it is attached for.
    else if (!LOOKS.includes(entry.name) && !decl.passThrough) host.outliveReader();
    const context = makeContext(host, parsed.asked, [...entry.name.split(" "), ...rest]);
    return await decl.run(context, parsed.input as never);
  } catch (error) {
    const { complain, describe } = await import("./print/complain");
    const said = describe(error);
    // A line that was typed wrong has its own answer, which leaves the kinds out too.
    const meant = isOurs && !(error instanceof UsageError) ? withoutKinds(argv) : null;
    if (meant === null || said === null || !(said.exit === EXIT.failed || said.exit === EXIT.usage))
      return complain(error, host.err);
    return complain(new CliError(said.exit, said.message, `Did you mean: orch ${shown(meant)}`), host.err);
  }
}

/** Throws UsageError with the answer to a line of Slurm. Its help and its version are those of orch. */
async function withoutSlurm(argv: readonly string[], host: Host): Promise<readonly string[]> {
  const { before, rest } = connectionFirst(argv);
  const answer = await answerSlurm(rest[0] === "help" ? [...rest.slice(1), "--help"] : rest, host);
  if (answer?.is === "instead") throw otherTool(answer.instead);
  return answer === null ? argv : [...before, ...answer.line];
}

/** The hidden command that completion scripts call. */
const COMPLETE = "__complete";

async function completed(words: readonly string[], host: Host): Promise<number> {
  const silent: Host = { ...host, err: { ...host.err, write: () => undefined } };
  const context = makeContext(silent, { url: null, token: null, data: null });
  await (await import("./commands/complete")).complete(context, TABLE, words);
  return EXIT.done;
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
  return unknown(rest);
}

function unknown(argv: readonly string[]): Found {
  const [first = "", second] = argv;
  const instead = insteadOf(argv);
  const asked = second === undefined || second.startsWith("-") ? first : `${first} ${second}`;
  const isUnder = (name: string): boolean => name.startsWith(`${first} `);
  const built = TABLE.map((entry) => entry.name).filter(isUnder);
  const later =
    LATER.find((name) => name === first || name === asked) ??
    (built.length === 0 && LATER.some(isUnder) ? asked : undefined);
  if (later !== undefined) {
    const line = instead?.line ?? null;
    const until = line === null ? (instead?.why ?? "See what there is: orch --help") : `Until then: orch ${line}`;
    throw new UsageError(`${later}: not built yet`, until);
  }
  if (instead !== null) throw otherTool(instead);
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

/** Returns the words without the kinds that kubectl has before names, or null if no word has one. */
function withoutKinds(argv: readonly string[]): readonly string[] | null {
  const own = argv.includes("--") ? argv.indexOf("--") : argv.length;
  const meant = argv.map((word, at) => (at > own ? word : (withoutKind(word) ?? word)));
  return meant.some((word, at) => word !== argv[at]) ? meant : null;
}

const TOOLS: readonly string[] = ["docker", "podman", "kubectl", "nomad"];

/** Throws UsageError with the answer to `docker ps`: to a line of another tool with the tool's own name in front. */
async function refuseTool(argv: readonly string[]): Promise<void> {
  const [tool = "", ...rest] = verbFirst(argv);
  const [first] = rest;
  if (first === undefined || !TOOLS.includes(tool)) return;
  const whole = insteadOf([tool, ...rest]);
  if (whole !== null) throw otherTool(whole);
  const entry = TABLE.find(({ name }) => name === first);
  if (entry !== undefined) {
    // Flags of the tool have an answer of their own.
    parseCommand(entry.name, entry.about, await entry.load(), rest.slice(1));
    throw otherTool({ tool, typed: `${tool} ${first}`, why: null, line: shown(withoutKinds(rest) ?? rest) });
  }
  if (LATER.includes(first)) unknown(rest);
  const instead = insteadOf(rest);
  if (instead !== null) throw otherTool({ ...instead, tool, typed: `${tool} ${first}` });
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
  words.find((word) => typed.length > 2 && word.startsWith(typed)) ?? nearest(typed, words);
