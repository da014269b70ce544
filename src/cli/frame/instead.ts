// The answer to a word or a flag of another tool: the whole command line that means the same here.

import { OTHER_FLAGS, type OtherFlag } from "./other-flags";
import { OTHER_WORDS } from "./other-words";

export interface Instead {
  /** Whose word it is, or null for a word of everybody's. */
  readonly tool: string | null;
  readonly typed: string;
  /** What is different here, or null. */
  readonly why: string | null;
  /** The command line to type instead, or null if there is none. */
  readonly line: string | null;
}

/** Returns the hint of an answer: `Did you mean: orch ps`. */
export const didYouMeanLine = ({ line, why }: Instead): string | null =>
  line === null ? why : `Did you mean: orch ${line}`;

const WORDS = Object.entries(OTHER_WORDS).flatMap(([tool, table]) =>
  Object.entries(table).map(([typed, lines]) => ({ tool: tool === "others" ? null : tool, typed, lines })),
);
const MOST_WORDS = Math.max(...WORDS.map(({ typed }) => typed.split(" ").length));

/** The spellings of what Kubernetes calls a kind, each with the one that the table has. */
const KINDS: Readonly<Record<string, string>> = {
  po: "pod",
  pods: "pod",
  deploy: "deployment",
  deployments: "deployment",
  "deployment.apps": "deployment",
  sts: "deployment",
  statefulset: "deployment",
  svc: "service",
  services: "service",
  ds: "daemonset",
  daemonsets: "daemonset",
  jobs: "job",
  "job.batch": "job",
  no: "node",
  nodes: "node",
  events: "event",
  ev: "event",
};
const KIND = new RegExp(
  `^(${[...Object.keys(KINDS), ...Object.values(KINDS)].join("|").replaceAll(".", "\\.")})/(.+)$`,
);

/** Returns a name without the kind that Kubernetes writes before it, as in `pod/web`, or null if it has none. */
export const withoutKind = (word: string): string | null => KIND.exec(word)?.[2] ?? null;

/** Returns what to type instead of a command of another tool, or null if it is none's. The longest entry counts. */
export function insteadOf(argv: readonly string[]): Instead | null {
  const split = argv.flatMap((word, at) => (at === 1 ? (KIND.exec(word)?.slice(1) ?? [word]) : [word]));
  for (let count = Math.min(MOST_WORDS, split.length); count > 0; count--) {
    const typed = split.slice(0, count);
    const key = typed.map((word, at) => (at > 0 && Object.hasOwn(KINDS, word) ? KINDS[word] : word)).join(" ");
    const found = WORDS.find((word) => word.typed === key || word.typed === typed.join(" "));
    if (found === undefined) continue;
    const { tool, lines } = found;
    const said = { tool, typed: typed.join(" ") };
    if (/^\p{Lu}/u.test(lines)) return { ...said, why: lines, line: null };
    return { ...said, why: null, line: lineOf(lines.split(" / "), split.slice(count)) };
  }
  return null;
}

/** A file of another tool names no app. */
const isFile = (word: string): boolean => /\.(ya?ml|json|hcl|nomad)$/.test(word);

/** A workload is no run, and what ends or begins runs does not end it. */
const isWorkload = (names: readonly string[]): boolean =>
  names.length > 0 && names.every((name) => /^([a-z][a-z0-9-]*\/)?[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*$/.test(name));

const PLACEHOLDER = /<[^<>]+>/;

function lineOf(lines: readonly string[], rest: readonly string[]): string {
  const isOfRun = (line: string): boolean => line.endsWith("<CMD>") || line.endsWith("<SCRIPT>");
  const command = (line: string): string => line.split(" <")[0]?.replace(/ -.*$/, "") ?? line;
  const [first = ""] = lines;
  const { flags, operands } = translated(command(first), rest, isOfRun(first));
  const wantsFile = lines.some((line) => line.includes("<FILE>"));
  const names = isOfRun(first)
    ? operands
    : operands.map((word) => withoutKind(word) ?? word).filter((word) => wantsFile || !isFile(word));
  const ofService = isWorkload(names) ? lines.findLast((line) => line.includes("<APP.SERVICE>")) : undefined;
  const fitting = ofService ?? lines.find((line) => PLACEHOLDER.test(line) === names.length > 0) ?? first;
  if (isOfRun(fitting)) {
    const [before = "", behind = ""] = fitting.split(" --");
    const what = names.length === 0 ? behind : behind.replace(PLACEHOLDER, () => shown(names));
    return [before, ...flags].join(" ").concat(" --", what);
  }
  const [head = "", ...others] = names.length === 0 ? [fitting] : fitting.split(PLACEHOLDER);
  const line =
    names.length === 0 || others.length === 0 ? head.trimEnd() : `${head}${shown(names)}${others[0]?.trimEnd()}`;
  return [line, ...flags].join(" ");
}

/**
 * Returns what to type instead of `orch NAME …` if a flag in it is another tool's, or null. The other words stay as
 * they are.
 */
export function insteadOfFlag(name: string, argv: readonly string[], passes: boolean, own: Own): Instead | null {
  const { flags, operands, first } = translated(name, argv, passes, own);
  if (first === null) return null;
  const { flag, typed } = first;
  const { suffix } = first;
  const words = passes
    ? operands.length > 0
      ? ["--", ...operands]
      : []
    : operands.map((word) => `${withoutKind(word) ?? word}${suffix}`);
  const all = passes ? [...flags, shown(words)] : [shown(words), ...flags];
  return { tool: flag.tool, typed, why: flag.why, line: [name, ...all].filter((word) => word !== "").join(" ") };
}

/** Tells of a flag whether it is the command's own, and whether a value follows. */
export type Own = (typed: string) => "bare" | "valued" | null;

interface Translated {
  /** The flags in the words of orch, quoted for a shell. */
  readonly flags: readonly string[];
  readonly operands: readonly string[];
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
 * another program's. Flags that nobody knows are left out.
 */
function translated(name: string, argv: readonly string[], passes: boolean, own: Own = () => null): Translated {
  const flags: string[] = [];
  const operands: string[] = [];
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
    const { typed, glued } = partsOf(word);
    const next = glued ?? argv[at + 1] ?? "";
    const kept = own(typed);
    const found = kept === null ? flagOf(name, typed, next) : null;
    if (found !== null && found.words[0] !== typed)
      first ??= { flag: found.flag, typed, suffix: found.flag.joins === true ? `=${next}` : "" };
    const takesValue = (kept === "valued" || found?.flag.takesValue === true) && glued === null;
    flags.push(...(kept === null ? (found?.words ?? []) : takesValue ? [word, next] : [word]));
    if (takesValue) at += 1;
  }
  return { flags: flags.map((flag) => shown([flag])), operands, first };
}

/** Splits `--gres=gpu:2` and `-N2` into the flag and its value. */
function partsOf(word: string): { typed: string; glued: string | null } {
  const [, long, behind] = /^(--[^=]+)=(.*)$/s.exec(word) ?? [];
  if (long !== undefined) return { typed: long, glued: behind ?? "" };
  const [, short, value] = /^(-[A-Za-z])([\d/].*)$/s.exec(word) ?? [];
  return short === undefined ? { typed: word, glued: null } : { typed: short, glued: value ?? "" };
}

function flagOf(name: string, typed: string, value: string): { flag: OtherFlag; words: readonly string[] } | null {
  for (const flag of OTHER_FLAGS) {
    if (!flag.typed.includes(typed) || (flag.on !== null && !flag.on.includes(name))) continue;
    const words = flag.instead(value, typed);
    if (words !== null) return { flag, words };
  }
  return null;
}

/** Returns words as they are typed into a shell. */
export const shown = (words: readonly string[]): string =>
  words.map((word) => (/^[\w@%+=:,./<>|-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(" ");
