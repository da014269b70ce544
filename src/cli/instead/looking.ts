// What was asked for only to look. A hint must never do what was only to be shown, nor more than was asked for.

/** The commands that change nothing. */
export const LOOKS: readonly string[] = [
  "apps",
  "completion",
  "context ls",
  "events",
  "explain",
  "gpus",
  "logs",
  "node orphans",
  "node show",
  "nodes",
  "plan",
  "ps",
  "queue",
  "runs",
  "show",
  "spec",
  "token ls",
  "user ls",
  "validate",
  "version",
  "whoami",
];

/** Flags with which other tools only show what a command would do, each with its tool. */
const SHOWS_ONLY: readonly (readonly [RegExp, string])[] = [
  [/^--?dry-?run(=.*)?$/, "kubectl"],
  [/^--server-dry-run$/, "kubectl"],
  [/^-?-(check|diff)$/, "ansible"],
  [/^--(simulate|just-print|recon|no-act|noop|what-?if|preview)$/, "make"],
];
/** What `--dry-run` without `=` may have behind it. */
const HOW = /^(client|server|none)$/;
/** What only a command that does something has. */
const DOES = /^(-y|--yes|--?auto-approve|--wait|-w|--force)$/;

/** The words of a line that is only to show something: what shows it; or why nothing does. */
export interface LookingLine {
  readonly tool: string;
  readonly typed: string;
  /** The command that shows it, or null if there is none. */
  readonly by: string | null;
  readonly argv: readonly string[];
}

export const nothingShows = (name: string): string => `nothing shows beforehand what orch ${name} would do`;

/**
 * Returns what shows what `orch NAME …` would do, or null if the line does not ask for that. Where the command `passes`
 * words on, those from the first operand on are another program's.
 */
export function onlyShown(name: string, argv: readonly string[], passes: boolean): LookingLine | null {
  const end = argv.findIndex((word) => word === "--" || (passes && !word.startsWith("-")));
  const own = argv.slice(0, end < 0 ? argv.length : end);
  const at = own.findIndex((word) => SHOWS_ONLY.some(([flag]) => flag.test(word)));
  const typed = own[at];
  if (typed === undefined) return null;
  const tool = SHOWS_ONLY.find(([flag]) => flag.test(typed))?.[1] ?? "kubectl";
  const rest = argv.filter((_, n) => n !== at && !(n === at + 1 && HOW.test(argv[n] ?? "")));
  const flag = typed.replace(/=.*$/, "");
  if (LOOKS.includes(name)) return { tool, typed: flag, by: name, argv: rest };
  if (name !== "apply") return { tool, typed: flag, by: null, argv: rest };
  return { tool, typed: flag, by: "plan", argv: rest.filter((word) => !DOES.test(word)) };
}
