// Parses one command's argv with commander: operands, typed flags, help. Commander sees a single command at a time, so
// that only that command's code is loaded.

import { Command as Parser, CommanderError, type Help, Option } from "commander";
import { longName, type AnyCommand, type Input, type OptionDecl, type Options, type OutputShape } from "./command";
import type { AskedServer } from "../cluster/settings";
import { UsageError } from "../failure";
import { examplesText, HELP_WIDTH, itemText, notesText, TERM_MOST } from "./help";
import { misreadIn, type Own } from "../instead/misread";
import type { TypedAt } from "../instead/slurm";

export type ParsedArgv =
  | { readonly kind: "run"; readonly input: Input<Options>; readonly asked: AskedServer }
  | { readonly kind: "help"; readonly text: string };

const CONNECTION: readonly (readonly [keyof AskedServer, string, string])[] = [
  ["url", "--url <URL>", "address of the server (ORCH_URL)"],
  ["token", "--token <TOKEN>", "who you are (ORCH_TOKEN)"],
  ["data", "--data <DIR>", "the server's data directory, on its own machine (ORCH_DATA)"],
];

/** For lines that nobody typed, such as those in documents. */
const NOBODY: TypedAt = { user: null, now_ms: 0 };

/** Parses what follows the command's name. Throws a UsageError for what is wrong. */
export async function parseCommand(
  name: string,
  about: string,
  decl: AnyCommand,
  argv: readonly string[],
  at: TypedAt = NOBODY,
): Promise<ParsedArgv> {
  const parsed = await parseOnce(name, about, decl, argv, at);
  if (parsed.kind === "help" || !decl.passThrough) return parsed;
  const { args, before } = parsed.input;
  const named = before > 0 && decl.takesName?.(args[0] ?? "") === true;
  return named ? parseOnce(name, about, { ...decl, passThrough: false }, argv, at) : parsed;
}

async function parseOnce(
  name: string,
  about: string,
  decl: AnyCommand,
  argv: readonly string[],
  at: TypedAt,
): Promise<ParsedArgv> {
  const { parser, options } = parserOf(name, about, decl);
  const own = ownOf(decl, options);
  const line = { name, argv, passes: decl.passThrough, own, at };
  const misread = misreadIn(argv, own, decl.misread ?? {});
  if (misread.size > 0) {
    const { refuseMisread } = await import("./wrong-argv");
    refuseMisread(line, misread);
  }
  let help = "";
  parser.exitOverride().configureOutput({
    writeOut: (chunk) => {
      help += chunk;
    },
    writeErr: () => undefined,
  });
  try {
    parser.parse([...argv], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === "commander.helpDisplayed") return { kind: "help", text: help };
    throw (await import("./wrong-argv")).wrongArgv(error, line);
  }
  const given = parser.opts<Record<string, unknown>>();
  const flags = Object.fromEntries(
    Object.entries(decl.options).map(([key, option]) => [key, option.read(rawOf(given, options.get(key), key))]),
  );
  const asked: AskedServer = { url: textOf(given["url"]), token: textOf(given["token"]), data: textOf(given["data"]) };
  const { args } = parser;
  const before = beforeDashes(argv, args);
  return { kind: "run", input: { args, before, flags, shape: shapeOf(decl, given) }, asked };
}

/** Returns how many operands stand before the `--` that makes the rest of them operands. */
function beforeDashes(argv: readonly string[], args: readonly string[]): number {
  const dashes = argv.indexOf("--");
  return dashes < 0 ? args.length : Math.max(0, args.length - (argv.length - dashes - 1));
}

/** Returns which flags are the command's own. */
function ownOf(decl: AnyCommand, options: ReadonlyMap<string, Option>): Own {
  const known = [...options.values(), ...CONNECTION.map(([, flags]) => new Option(flags))];
  return (typed) => {
    const found = known.find((one) => one.short === typed || one.long === typed);
    if (found !== undefined) return found.required ? "valued" : "bare";
    return decl.reads && /^(--json|--quiet|-q)$/.test(typed) ? "bare" : null;
  };
}

/** Returns what was given for an option. One that is called `--no-…` is kept by the parser under its opposite. */
function rawOf(given: Readonly<Record<string, unknown>>, option: Option | undefined, key: string): unknown {
  const raw = given[option?.attributeName() ?? key];
  return option?.negate === true ? raw === false : raw;
}

/** Returns the help text, for the reference. */
export const helpOf = (name: string, about: string, decl: AnyCommand): string =>
  parserOf(name, about, decl).parser.helpInformation();

function parserOf(name: string, about: string, decl: AnyCommand): { parser: Parser; options: Map<string, Option> } {
  const parser = new Parser(`orch ${name}`).description(about).helpOption("-h, --help", "show this help");
  if (decl.passThrough) parser.enablePositionalOptions().passThroughOptions(true);
  for (const operand of decl.operands) parser.argument(operand);
  const options = new Map(Object.entries(decl.options).map(([key, one]) => [key, optionOf(one)]));
  for (const option of options.values()) parser.addOption(option);
  if (decl.reads) parser.option("--json", "one JSON document").option("-q, --quiet", "names or ids only");
  if (decl.talks) for (const [, flags, meaning] of CONNECTION) parser.option(flags, meaning, once(longName(flags)));
  // Everywhere alike, so that what is read beside others' is the same.
  parser.configureHelp({
    helpWidth: HELP_WIDTH,
    padWidth,
    formatItem: (term, width, text) => itemText(term, text, width),
  });
  parser.addHelpText("after", `${examplesText(decl.examples)}${notesText(decl.notes)}`);
  return { parser, options };
}

/** Returns the width of the terms. What is longer stands above its description. */
function padWidth(command: Parser, helper: Help): number {
  const terms = helper.visibleOptions(command).map((option) => helper.optionTerm(option).length);
  return Math.max(0, ...terms.filter((length) => length <= TERM_MOST));
}

function optionOf(decl: OptionDecl<unknown>): Option {
  const option = new Option(decl.flags, decl.about);
  const add = (value: string, before: unknown): unknown[] => [...(Array.isArray(before) ? before : []), value];
  if (decl.many) option.argParser(add);
  else if (option.required) option.argParser(once(longName(decl.flags)));
  return option;
}

/** Refuses a second value that is another one, as in `-f a.yaml -f b.yaml`. Of two values one would be lost. */
const once =
  (name: string) =>
  (value: string, before: unknown): string => {
    if (typeof before === "string" && before !== value) {
      // A token is shown to nobody.
      const both = name === "--token" ? "" : `: ${before} and ${value}`;
      throw new UsageError(`${name} is given twice${both}`, "It takes one value");
    }
    return value;
  };

function shapeOf(decl: AnyCommand, given: Record<string, unknown>): OutputShape {
  if (!decl.reads) return "text";
  if (given["json"] === true) return "json";
  return given["quiet"] === true ? "ids" : "text";
}

const textOf = (raw: unknown): string | null => (typeof raw === "string" ? raw : null);
