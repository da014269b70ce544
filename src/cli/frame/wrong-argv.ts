// What is said of a command line that commander refuses, or that is another tool's: the line of orch to type instead,
// where there is one.

import type { CommanderError } from "commander";
import { UsageError } from "../failure";
import { didYouMeanLine, insteadOf, insteadOfFlag } from "../instead/instead";
import type { Instead } from "../instead/line";
import type { Own } from "../instead/misread";
import type { TypedAt } from "../instead/slurm";
import { operandInstead } from "../instead/slurm-flags";

/** What was typed behind the name of a command. */
interface TypedLine {
  readonly name: string;
  readonly argv: readonly string[];
  /** Whether what follows the first operand is a program's. */
  readonly passes: boolean;
  readonly own: Own;
  readonly at: TypedAt;
}

/** Throws UsageError if the line is another tool's by the flags that are `misread` here. */
export function refuseMisread({ name, argv, passes, own, at }: TypedLine, misread: ReadonlySet<string>): void {
  const instead = insteadOfFlag(name, argv, passes, (typed) => (misread.has(typed) ? null : own(typed)), at);
  if (instead !== null) throw otherTool(instead);
}

/** Returns the error for a command line that commander refuses, with what to type instead if it is another tool's. */
export function wrongArgv({ code, message }: CommanderError, { name, argv, passes, own, at }: TypedLine): UsageError {
  const instead =
    code === "commander.unknownOption"
      ? insteadOfFlag(name, argv, passes, own, at)
      : code === "commander.excessArguments"
        ? insteadOf([name, ...argv])
        : null;
  if (instead === null) {
    const line = code === "commander.excessArguments" ? operandInstead(name, argv, own, at) : null;
    const hint = line === null ? `See: orch ${name} --help` : `Did you mean: orch ${line}`;
    return new UsageError(plainMessage(message), hint);
  }
  return otherTool(instead);
}

/**
 * Throws UsageError for a command that only changes the shell that runs it, such as `module load`. A program may be
 * called `module` too.
 */
export function refuseShellWord(argv: readonly string[]): void {
  const instead = insteadOf(argv);
  if (instead?.tool === "the shell" && instead.typed !== "module") throw otherTool(instead);
}

/** Returns the error for a word of another tool. */
export function otherTool(instead: Instead): UsageError {
  const { tool, typed, why, line } = instead;
  if (tool === "orch") return new UsageError(`${typed}: not built yet`, why ?? undefined);
  const whose = tool === null ? `unknown command: ${typed}` : `${typed} is ${tool}'s`;
  return new UsageError(why === null || line === null ? whose : `${whose}: ${why}`, didYouMeanLine(instead));
}

/**
 * Turns commander's `error: unknown option '--al'
 * (Did you mean --all?)` into one line.
 */
const plainMessage = (message: string): string =>
  message
    .replace(/^error: /, "")
    .replace(/\s*\n\s*\(Did you mean (.*)\?\)/, " (did you mean $1?)")
    .replaceAll("\n", " ");
