// The shape of a command: plain data and one function. Argument parsing, help, completion and the reference are derived
// from it.

import type { Parsed } from "../../spec/issue";
import type { Context } from "../context";
import { UsageError } from "../failure";

/** One option of a command. `read` turns the typed text into a value, or throws a UsageError. */
export interface OptionDecl<T> {
  /** Commander's notation: `-f, --file <FILE>`. */
  readonly flags: string;
  readonly about: string;
  /** Whether the option may be given several times. */
  readonly many: boolean;
  /** The values that there are, if they are few words. */
  readonly words?: readonly string[];
  read(raw: unknown): T;
}

export type Options = Readonly<Record<string, OptionDecl<unknown>>>;
export type Values<O extends Options> = { readonly [K in keyof O]: O[K] extends OptionDecl<infer T> ? T : never };

/** How a command that reads answers: for people, as one JSON document, or ids and names only. */
export type OutputShape = "text" | "json" | "ids";

export interface Input<O extends Options> {
  readonly args: readonly string[];
  /** How many of the first operands stand before a `--`. All of them where there is none. */
  readonly before: number;
  readonly flags: Values<O>;
  readonly shape: OutputShape;
}

export interface CliCommand<O extends Options = Options> {
  /** Operands in commander's notation: `<NODE>`, `[APP]`, `[CMD...]`. */
  readonly operands: readonly string[];
  readonly options: O;
  /** Whether the command talks to a server, and so takes `--url` and `--token`. */
  readonly talks: boolean;
  /** Whether the command reads, and so takes `--json` and `-q`. */
  readonly reads: boolean;
  /** Whether the command stays as a service, whose output is a log that may be lost. */
  readonly serves: boolean;
  /** Whether everything behind the first operand is another program's command line. */
  readonly passThrough: boolean;
  /**
   * Returns whether a first operand names a thing of orch. Then nothing is another program's but what follows a `--`,
   * so that options may stand behind the name. It counts for `passThrough` only.
   */
  readonly takesName?: (first: string) => boolean;
  /** Flags that other tools have too, each with the values that only theirs takes, such as a time behind `-t`. */
  readonly misread?: Readonly<Record<string, RegExp>>;
  /** Command lines, each with its effect. */
  readonly examples: readonly (readonly [line: string, about: string])[];
  /** More help, printed below the options. */
  readonly notes?: string;
  /** Runs the command. Returns the exit code. */
  run(context: Context, input: Input<O>): Promise<number>;
}

/** Any command, without the types of its options. The table of commands holds these. */
export type AnyCommand = Omit<CliCommand, "run"> & { run(context: Context, input: Input<never>): Promise<number> };

type Given<O extends Options> = Pick<CliCommand<O>, "run" | "examples"> &
  Partial<Omit<CliCommand<O>, "run" | "examples" | "options">> & { readonly options?: O };

/** Fills in the parts that most commands share: they talk to a server and change something. */
export function command<O extends Options = Record<never, never>>(given: Given<O>): AnyCommand {
  const base = { operands: [], options: {} as O, talks: true, reads: false, serves: false, passThrough: false };
  return { ...base, ...given } as unknown as AnyCommand;
}

export const flag = (flags: string, about: string): OptionDecl<boolean> => ({
  flags,
  about,
  many: false,
  read: (raw) => raw === true,
});

export const text = (flags: string, about: string): OptionDecl<string | null> => ({
  flags,
  about,
  many: false,
  read: (raw) => (typeof raw === "string" ? raw : null),
});

export const texts = (flags: string, about: string): OptionDecl<readonly string[]> => ({
  flags,
  about,
  many: true,
  read: (raw) => (Array.isArray(raw) ? raw.map(String) : []),
});

/** An option that takes one of a few words. */
export const word = <const W extends string>(
  flags: string,
  about: string,
  words: readonly W[],
): OptionDecl<W | null> => ({
  flags,
  about: `${about} (${words.join(", ")})`,
  many: false,
  words,
  read: (raw) => {
    if (typeof raw !== "string") return null;
    const found = words.find((one) => one === raw);
    if (found === undefined) throw new UsageError(`${longName(flags)} ${raw}: must be one of ${words.join(", ")}`);
    return found;
  },
});

/** An option that takes a whole number of at least `least`. */
export const whole = (flags: string, about: string, least = 0): OptionDecl<number | null> => ({
  flags,
  about,
  many: false,
  read: (raw) => {
    if (typeof raw !== "string") return null;
    const value = Number(raw);
    if (Number.isSafeInteger(value) && value >= least && /^-?\d+$/.test(raw)) return value;
    throw new UsageError(`${longName(flags)} ${raw}: must be a whole number of at least ${least}`);
  },
});

/** An option whose value one of the spec's small grammars reads. */
export const reading = <T>(flags: string, about: string, read: (raw: string) => Parsed<T>): OptionDecl<T | null> => ({
  flags,
  about,
  many: false,
  read: (raw) => (typeof raw === "string" ? readAs(longName(flags), raw, read) : null),
});

/** An option that `reading` would make, and that may be given several times. */
export const readings = <T>(
  flags: string,
  about: string,
  read: (raw: string) => Parsed<T>,
): OptionDecl<readonly T[]> => ({
  flags,
  about,
  many: true,
  read: (raw) => (Array.isArray(raw) ? raw.map((one) => readAs(longName(flags), String(one), read)) : []),
});

/** Reads a text. A UsageError for an invalid text names the option or operand that the text was given for. */
export function readAs<T>(name: string, raw: string, read: (raw: string) => Parsed<T>): T {
  const result = read(raw);
  if (result.is === "invalid") throw new UsageError(`${name}: ${result.message}`, result.hint);
  return result.value;
}

/** Returns `--file` for `-f, --file <FILE>`. */
export function longName(flags: string): string {
  return /--[a-z][a-z-]*/.exec(flags)?.[0] ?? flags.split(/[ ,]/)[0] ?? flags;
}
export type CommandGroup = "parts" | "specs" | "jobs" | "look" | "nodes" | "access" | "care";
export const GROUPS: Readonly<Record<CommandGroup, string>> = {
  parts: "Run the parts",
  specs: "Apps",
  jobs: "Jobs",
  look: "Look",
  nodes: "Nodes",
  access: "Access",
  care: "Care",
};
export interface CommandEntry {
  readonly name: string;
  readonly group: CommandGroup;
  readonly about: string;
  readonly load: () => Promise<AnyCommand>;
}
