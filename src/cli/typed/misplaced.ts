// `orch run nginx --image nginx`: options of orch behind a program that is not there are meant for orch.

import { Option } from "commander";
import { findCommand } from "../../os/process/spawn";
import { UsageError } from "../failure";
import { longName, type Options } from "../frame/command";
import { shown } from "../instead/line";

interface TypedProgram {
  /** The command line. `before` of its words stand before a `--`. */
  readonly args: readonly string[];
  readonly before: number;
  readonly cwd: string;
  readonly path: string | undefined;
}

/**
 * Throws UsageError if options of `orch run` stand behind a program that this machine does not have: they would go to
 * the program. Where the program is here, or `--` was typed, they are its own.
 */
export function refuseMisplaced(options: Options, { args, before, cwd, path }: TypedProgram): void {
  const [program = "", ...words] = args;
  if (before === 0 || program.includes("/") || findCommand(program, path ?? "", cwd) !== null) return;
  const known = Object.values(options).map(({ flags }) => ({
    name: longName(flags),
    isValued: new Option(flags).required,
  }));
  const ours: string[] = [];
  const others: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    const found = at < before - 1 ? known.find(({ name }) => word === name || word.startsWith(`${name}=`)) : undefined;
    if (found === undefined) others.push(word);
    else ours.push(word, ...(found.isValued && word === found.name ? [words[++at] ?? "VALUE"] : []));
  }
  const [first] = ours;
  if (first === undefined) return;
  throw new UsageError(
    `${program} is not found here, and ${first.replace(/=.*$/s, "")} behind it would be its own option`,
    `Options of orch run stand before the command: orch run ${shown(ours)} -- ${shown([program, ...others])}; if ` +
      `they are the command's: orch run -- ${shown(args)}`,
  );
}
