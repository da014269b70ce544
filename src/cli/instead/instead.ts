// The answer to a word or a flag of another tool: the whole command line that means the same here.

import { combined, isCounted, type Words } from "./combine";
import { sayAll, shown, type Instead } from "./line";
import type { TypedAt } from "./slurm";
import { KIND, KINDS, withoutKind, withoutKindBefore } from "./kinds";
import { LOOKS, nothingShows, onlyShown } from "./looking";
import { changedNode } from "./node-words";
import { NAMING, NO_LINE, OTHER_FLAGS, type OtherFlag } from "./other-flags";
import { OTHER_WORDS } from "./other-words";
import { partsOf, type Own } from "./misread";
import { slurmFlagInstead, SLURM_FLAGS } from "./slurm-flags";

/** Returns the hint of an answer: `Did you mean: orch ps`. */
export const didYouMeanLine = ({ line, why }: Instead): string | null =>
  line === null ? why : `Did you mean: orch ${line}`;

const WORDS = Object.entries(OTHER_WORDS).flatMap(([tool, table]) =>
  Object.entries(table).map(([typed, lines]) => ({ tool: tool === "others" ? null : tool, typed, lines })),
);
const MOST_WORDS = Math.max(...WORDS.map(({ typed }) => typed.split(" ").length));

/** Returns what to type instead of a command of another tool, or null if it is none's. The longest entry counts. */
export function insteadOf(argv: readonly string[]): Instead | null {
  const ofNode = changedNode(argv[0] === "docker" || argv[0] === "nomad" ? argv.slice(1) : argv);
  if (ofNode !== null) {
    const { lines, ...said } = ofNode;
    return { ...said, line: lines.length === 0 ? null : lines.map(shown).join("; orch ") };
  }
  const split = verbFirst(argv).flatMap((word, at) => (at === 1 ? (KIND.exec(word)?.slice(1) ?? [word]) : [word]));
  for (let count = Math.min(MOST_WORDS, split.length); count > 0; count--) {
    const typed = split.slice(0, count);
    const key = typed.map((word, at) => (at > 0 && Object.hasOwn(KINDS, word) ? KINDS[word] : word)).join(" ");
    const found =
      WORDS.find((word) => word.typed === key || word.typed === typed.join(" ")) ??
      WORDS.find((word) => word.typed === anyOf(typed));
    if (found === undefined) continue;
    const { tool, lines } = found;
    const said = { tool, typed: typed.join(" ") };
    if (/^\p{Lu}/u.test(lines)) return { ...said, why: lines, line: null };
    return { ...said, ...lineOf(lines.split(" / "), split.slice(count), said.tool) };
  }
  return null;
}

/** Returns the row of a group for a verb that has none of its own, such as `compose *`. */
const anyOf = (typed: readonly string[]): string | null =>
  typed.length > 1 && /^[a-z][a-z-]*$/.test(typed.at(-1) ?? "") ? `${typed.slice(0, -1).join(" ")} *` : null;

/** Flags that stand before the verb, with a value behind: `compose -f a.yaml up`, `kubectl -n lab get pods`. */
const BEFORE_VERB = /^(-f|-n|-p|--file|--namespace|--context|--kubeconfig|--profile|--project-name|--env-file)$/;

/** Returns the words of a line of compose or kubectl with the flags before its verb moved to the end. */
export function verbFirst(argv: readonly string[]): readonly string[] {
  const tool = argv.findIndex((word) => word === "compose" || word === "kubectl") + 1;
  if (tool < 1 || tool > 2) return argv;
  let at = tool;
  while (argv[at]?.startsWith("-") === true) at += BEFORE_VERB.test(argv[at] ?? "") ? 2 : 1;
  return [...argv.slice(0, tool), ...argv.slice(at), ...argv.slice(tool, at)];
}

/** A file of another tool names no app. */
const isFile = (word: string): boolean => /\.(ya?ml|json|hcl|nomad)$/.test(word);

/** `compose up web` and `stack deploy web` name no file. */
const looksLikeFile = (word: string): boolean => word === "-" || /[./]/.test(word);

/** A workload is no run, and what ends or begins runs does not end it. */
const isWorkload = (names: readonly string[]): boolean =>
  names.length > 0 && names.every((name) => /^([a-z][a-z0-9-]*\/)?[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*$/.test(name));

const PLACEHOLDER = /<[^<>]+>/;

function lineOf(lines: readonly string[], rest: readonly string[], tool: string | null): Pick<Instead, "line" | "why"> {
  const isOfRun = (line: string): boolean => line.endsWith("<CMD>") || line.endsWith("<SCRIPT>");
  const command = (line: string): string => line.split(" <")[0]?.replace(/ -.*$/, "") ?? line;
  const [first = ""] = lines;
  const name = command(first);
  const looks = onlyShown(name, rest, isOfRun(first));
  if (looks?.by === null) return { why: nothingShows(name), line: null };
  if (looks !== null && looks.by !== name) return lineOf([`${looks.by} -f <FILE>`], looks.argv, tool);
  const { flags, operands, why, hasLine } = translated(name, looks?.argv ?? rest, isOfRun(first), () => null, tool);
  if (!hasLine) return { why, line: null };
  const wantsFile = lines.some((line) => line.includes("<FILE>"));
  const names = isOfRun(first)
    ? operands
    : withoutKindBefore(operands)
        .map((word) => (name === "spec" && isWorkload([word]) ? word.replace(/\..*$/, "") : word))
        .map((word) => withoutKind(word) ?? word)
        .filter((word) => (wantsFile ? tool !== "docker" || looksLikeFile(word) : !isFile(word)));
  const ofService = isWorkload(names) ? lines.findLast((line) => line.includes("<APP.SERVICE>")) : undefined;
  const fitting = ofService ?? lines.find((line) => PLACEHOLDER.test(line) === names.length > 0) ?? first;
  if (isOfRun(fitting)) {
    const [before = "", behind = ""] = fitting.split(" --");
    const what = names.length === 0 ? behind : behind.replace(PLACEHOLDER, () => shown(names));
    // A text for the shell is the whole command.
    const end = flags.some((flag) => flag.startsWith("-c ")) ? [] : [`--${what}`];
    return { why, line: [before, ...flags, ...end].join(" ") };
  }
  const [head = "", ...others] = names.length === 0 ? [fitting] : fitting.split(PLACEHOLDER);
  const line =
    names.length === 0 || others.length === 0 ? head.trimEnd() : `${head}${shown(names)}${others[0]?.trimEnd()}`;
  const isOther = flags.some((flag) => flag.startsWith("--mine")) && PLACEHOLDER.test(line);
  return { why, line: [isOther ? line.replace(PLACEHOLDER, "").trimEnd() : line, ...flags].join(" ") };
}

/**
 * Returns what to type instead of `orch NAME …` if a flag in it is another tool's, or null. The other words stay as
 * they are.
 */
export function insteadOfFlag(
  name: string,
  argv: readonly string[],
  passes: boolean,
  own: Own,
  at: TypedAt,
): Instead | null {
  const shows = onlyShown(name, argv, passes);
  const looks = shows !== null && own(shows.typed) === null ? shows : null;
  if (looks?.by === null) return { tool: looks.tool, typed: looks.typed, why: nothingShows(name), line: null };
  const slurms = looks !== null || isOthers(name, argv, own) ? null : slurmFlagInstead(name, argv, own, at);
  if (slurms !== null) return slurms;
  const { operands: all, first, ...rest } = translated(name, looks?.argv ?? argv, passes, own, null);
  const { flags, why, hasLine } = rest;
  const found = first ?? (looks === null ? null : { flag: looks, typed: looks.typed, suffix: "" });
  if (found === null) return null;
  const { flag, typed, suffix } = found;
  const operands = NAMING.includes(name) ? withoutKindBefore(all) : all;
  if (!hasLine) return { tool: flag.tool, typed, why, line: null };
  const words = passes
    ? operands.length > 0
      ? ["--", ...operands]
      : []
    : operands.map((word) => `${withoutKind(word) ?? word}${suffix}`);
  // A text for the shell is the whole command.
  const isText = passes && flags.some((one) => one.startsWith("-c "));
  const behind = isText ? flags : passes ? [...flags, shown(words)] : [shown(words), ...flags];
  return { tool: flag.tool, typed, why, line: [looks?.by ?? name, ...behind].filter((word) => word !== "").join(" ") };
}

/** Returns whether all flags of a line are the command's own or another tool's than Slurm. */
const isOthers = (name: string, argv: readonly string[], own: Own): boolean =>
  argv.every((word, at) => {
    const { typed, glued } = partsOf(word, () => false);
    // `-A lab` names an account, and `-A` alone all namespaces.
    const isAccount = typed === "-A" && glued === null && /^\w/.test(argv[at + 1] ?? "");
    if (!word.startsWith("-") || own(typed) !== null) return true;
    return !isAccount && OTHER_FLAGS.some((flag) => flag.typed.includes(typed) && (flag.on?.includes(name) ?? true));
  });

interface Translated {
  /** The flags in the words of orch with their values, quoted for a shell. */
  readonly flags: readonly string[];
  readonly operands: readonly string[];
  /** What is different, or left out, of all flags; null for nothing. */
  readonly why: string | null;
  /** Whether a command line means the same at all. */
  readonly hasLine: boolean;
  /** The first flag of another tool. */
  readonly first: {
    readonly flag: OtherFlag;
    readonly typed: string;
    /** What is written behind each operand instead of the flag. */
    readonly suffix: string;
  } | null;
}

/**
 * Translates the flags of a command line. Where the command `passes` words on, those from the first operand on are
 * another program's. Flags that nobody knows are left out, which is said.
 */
function translated(name: string, argv: readonly string[], passes: boolean, own: Own, tool: string | null): Translated {
  const flags: Words[] = [];
  const operands: string[] = [];
  const why = new Set<string>();
  const against = new Set<string>();
  const acts = !LOOKS.includes(name);
  let lead: string | null = null;
  let first: Translated["first"] = null;
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? "";
    if (word === "--" || (passes && !word.startsWith("-"))) {
      operands.push(...argv.slice(word === "--" ? at + 1 : at));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      operands.push(word);
      continue;
    }
    const { typed, glued } = partsOf(word, (short) => own(short) === null && isGlued(name, word, short));
    const next = glued ?? argv[at + 1] ?? "";
    const kept = own(typed);
    const found = kept === null ? flagOf(name, typed, next, tool) : null;
    if (found !== null && found.words[0] !== typed)
      first ??= { flag: found.flag, typed, suffix: found.flag.joins === true ? `=${next}` : "" };
    if (found?.flag.leads === true) lead = next;
    // A value that was left out, as behind a `-q` that was meant for quiet, takes no option of the command for itself.
    const isNext = next.startsWith("--") && own(next.replace(/=.*$/s, "")) !== null;
    const takesValue = (kept === "valued" || (found?.flag.takesValue === true && !isNext)) && glued === null;
    if (takesValue) at += 1;
    const isUnknown = kept === null && found === null;
    const said = found?.flag.why(next) ?? (isUnknown && (passes || acts) ? `${typed} has no counterpart` : null);
    // A line without a flag that nobody knows may do more than was asked. A run does what its command does.
    if (said !== null) (found?.words === NO_LINE || (isUnknown && !passes) ? against : why).add(said);
    if (found?.words === NO_LINE) continue;
    if (found !== null && found.words.length > 0 && found.flag.tool !== "orch" && isOperands(found.words)) {
      operands.push(...found.words);
    } else if (kept === null) flags.push(...pairsOf(found?.words ?? []));
    else flags.push(takesValue ? [word, next] : [word]);
  }
  const texts = combined(flags).map(shown);
  const led = (word: string): string => {
    const name = withoutKind(word) ?? word;
    return lead === null || name.includes("/") ? word : `${lead}/${name}`;
  };
  return {
    flags: texts,
    operands: operands.map(led),
    first,
    hasLine: against.size === 0,
    why: sayAll(against.size > 0 ? against : why),
  };
}

const isOperands = ([first = "", ...more]: Words): boolean =>
  !isCounted(first) && [first, ...more].every((word) => !word.startsWith("-"));

/** Splits `--env A --env B` into flags with their values. */
const pairsOf = (words: Words): Words[] =>
  words.length <= 2 ? (words.length === 0 ? [] : [words]) : [words.slice(0, 2), ...pairsOf(words.slice(2))];

/** Returns whether a word such as `-Jtrain` is a flag of Slurm with its value. `-detach` is a flag as it is. */
const isGlued = (name: string, word: string, short: string): boolean =>
  !OTHER_FLAGS.some(({ typed }) => typed.includes(word)) &&
  SLURM_FLAGS.some(({ typed, takesValue, on }) => takesValue && typed.includes(short) && on?.includes(name) === true);

const OF_COMMANDS = OTHER_FLAGS.filter(({ on }) => on !== null);
const OF_ALL = OTHER_FLAGS.filter(({ on }) => on === null);

/** The entries of the tool whose word was typed come first, and those of all commands last. */
function flagOf(
  name: string,
  typed: string,
  value: string,
  tool: string | null,
): { flag: OtherFlag; words: readonly string[] } | null {
  const entries = OTHER_FLAGS.filter((flag) => flag.tool === tool).concat(OF_COMMANDS, SLURM_FLAGS, OF_ALL);
  for (const flag of entries) {
    if (!flag.typed.includes(typed) || (flag.on !== null && !flag.on.includes(name))) continue;
    const words = flag.instead(value, typed);
    if (words !== null) return { flag, words };
  }
  return null;
}
