// Flags that a command has, and another tool too, with another meaning: they are known by the values that follow. Every
// command line is looked at so, and nothing else of other tools is loaded for a right one.

/** Tells of a flag whether it is the command's own, and whether a value follows. */
export type Own = (typed: string) => "bare" | "valued" | null;

/** Flags of a command that another tool has too, each with the values that only that tool's flag takes. */
export type Misread = Readonly<Record<string, RegExp>>;

/** Returns the flags of a command line that are another tool's by their values, as in `-t 10 -- CMD`. */
export function misreadIn(argv: readonly string[], own: Own, misread: Misread): ReadonlySet<string> {
  const found = new Set<string>();
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? "";
    if (word === "--" || !word.startsWith("-")) break;
    const { typed, glued } = partsOf(word, (short, rest) => misread[short]?.test(rest) === true);
    const isOther = misread[typed]?.test(glued ?? argv[at + 1] ?? "") === true;
    if (isOther) found.add(typed);
    if (glued === null && (isOther || own(typed) === "valued")) at += 1;
  }
  return found;
}

/** Splits `--gres=gpu:2`, `-N2` and, where the flag `takes` what is glued to it, `-Jtrain` into flag and value. */
export function partsOf(
  word: string,
  takes: (short: string, rest: string) => boolean,
): { typed: string; glued: string | null } {
  const [, long, behind] = /^(--[^=]+)=(.*)$/s.exec(word) ?? [];
  if (long !== undefined) return { typed: long, glued: behind ?? "" };
  const [, short, value = ""] = /^(-[A-Za-z])(.+)$/s.exec(word) ?? [];
  return short !== undefined && (/^[\d/]/.test(value) || takes(short, value))
    ? { typed: short, glued: value }
    : { typed: word, glued: null };
}
