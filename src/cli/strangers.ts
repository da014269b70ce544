// Command lines that are none of orch's: what other tools call their commands, what is not built yet, and what was
// mistyped. A right line loads nothing of this.

import { nearest } from "../spec/grammar/nearest";
import { UsageError } from "./failure";
import { connectionFirst, find as findOurs, type FoundCommand } from "./find";
import { groupHelp } from "./frame/help";
import { insteadOf, verbFirst } from "./instead/instead";
import { withoutKind } from "./instead/kinds";
import { parseCommand } from "./frame/parse";
import { otherTool } from "./frame/wrong-argv";
import type { Host } from "./host";
import { shown } from "./instead/line";
import { LATER, TABLE } from "./table";
import { answerSlurm } from "./typed/batch-lines";

/** Returns the command or text that another tool's line stands for. Throws UsageError with what to type instead. */
export async function find(argv: readonly string[], host: Host): Promise<FoundCommand> {
  await refuseTool(argv[0] === "docker-compose" ? ["docker", "compose", ...argv.slice(1)] : argv);
  const ours = await withoutSlurm(argv, host);
  return findOurs(ours) ?? unknown(connectionFirst(ours).rest);
}

/** Throws UsageError with the answer to a line of Slurm. Its help and its version are those of orch. */
async function withoutSlurm(argv: readonly string[], host: Host): Promise<readonly string[]> {
  const { before, rest } = connectionFirst(argv);
  const answer = await answerSlurm(rest[0] === "help" ? [...rest.slice(1), "--help"] : rest, host);
  if (answer?.is === "instead") throw otherTool(answer.instead);
  return answer === null ? argv : [...before, ...answer.line];
}

function unknown(argv: readonly string[]): FoundCommand {
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
export function withoutKinds(argv: readonly string[]): readonly string[] | null {
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
    await parseCommand(entry.name, entry.about, await entry.load(), rest.slice(1));
    throw otherTool({ tool, typed: `${tool} ${first}`, why: null, line: shown(withoutKinds(rest) ?? rest) });
  }
  if (LATER.includes(first)) unknown(rest);
  const instead = insteadOf(rest);
  if (instead !== null) throw otherTool({ ...instead, tool, typed: `${tool} ${first}` });
}

/** Returns a word that begins with the typed text, else the word that is nearest to it, or null. */
const meantBy = (typed: string, words: readonly string[]): string | null =>
  words.find((word) => typed.length > 2 && word.startsWith(typed)) ?? nearest(typed, words);
