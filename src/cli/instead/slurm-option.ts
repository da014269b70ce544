// How an option of Slurm is declared, and how Slurm's commands read options: short ones in clusters with the value
// glued on, long ones with the value behind `=` and cut short as far as they are clear. The last one of several counts.

export interface SlurmOption<B> {
  /** The spellings: `-c`, `--cpus-per-task`. The last one is its name. */
  readonly typed: readonly string[];
  /** Whether a value follows. `glued`: only behind `=`, or right behind the short spelling. */
  readonly value: "none" | "needed" | "glued";
  /** Returns what it is here. */
  readonly becomes: (value: string) => B;
}

export interface GivenOption<B> {
  readonly option: SlurmOption<B>;
  readonly typed: string;
  readonly value: string;
}

export interface SlurmLine<B> {
  /** The options, each once, with its last value. */
  readonly given: readonly GivenOption<B>[];
  /** Options that Slurm's command does not have. */
  readonly unknown: readonly string[];
  readonly operands: readonly string[];
}

export const optionOf = <B>(options: readonly SlurmOption<B>[], typed: string): SlurmOption<B> | null =>
  options.find((one) => one.typed.includes(typed)) ?? (typed.startsWith("--") ? cutShort(options, typed) : null);

/** Returns the only option whose long spelling begins as typed. */
function cutShort<B>(options: readonly SlurmOption<B>[], typed: string): SlurmOption<B> | null {
  const [found, other] = new Set(
    options.filter((one) => typed.length > 4 && one.typed.some((name) => name.startsWith(typed))),
  );
  return other === undefined ? (found ?? null) : null;
}

/** Reads the words behind a command. Where it `passes` words on, those from the first operand on are a program's. */
export function readOptions<B>(
  options: readonly SlurmOption<B>[],
  argv: readonly string[],
  passes: boolean,
): SlurmLine<B> {
  const given: GivenOption<B>[] = [];
  const unknown: string[] = [];
  const operands: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? "";
    if (word === "--" || (passes && !isOption(word))) {
      operands.push(...argv.slice(word === "--" ? at + 1 : at));
      break;
    }
    if (!isOption(word)) {
      operands.push(word);
      continue;
    }
    for (const { typed, glued } of spelled(options, word)) {
      const option = optionOf(options, typed);
      if (option === null) {
        unknown.push(typed);
        continue;
      }
      const takesNext = option.value === "needed" && glued === null;
      if (takesNext) at += 1;
      given.push({ option, typed, value: glued ?? (takesNext ? (argv[at] ?? "") : "") });
    }
  }
  return { given: lastOfEach(given), unknown, operands };
}

/** Leaves out options that are given again. */
export const lastOfEach = <B>(given: readonly GivenOption<B>[]): GivenOption<B>[] =>
  given.filter(({ option }, at) => given.findLastIndex((one) => one.option === option) === at);

const isOption = (word: string): boolean => word.startsWith("-") && word !== "-";

/** Splits `--gres=gpu:2`, `-N2` and `-lN2` into options and the values that are glued to them. */
function spelled<B>(options: readonly SlurmOption<B>[], word: string): { typed: string; glued: string | null }[] {
  if (word.startsWith("--")) {
    const at = word.indexOf("=");
    return [at < 0 ? { typed: word, glued: null } : { typed: word.slice(0, at), glued: word.slice(at + 1) }];
  }
  const typed = word.slice(0, 2);
  const rest = word.slice(2);
  const option = optionOf(options, typed);
  if (rest === "") return [{ typed, glued: null }];
  if (option === null) return [{ typed: word, glued: null }];
  if (option.value !== "none") return [{ typed, glued: rest.replace(/^=/, "") }];
  return [{ typed, glued: null }, ...spelled(options, `-${rest}`)];
}
