// The command line's reference as Markdown, made from the table of commands: everything that `--help` prints, on one
// page.

import { GROUPS, type AnyCommand, type CommandEntry, type CommandGroup } from "./command";
import { helpOf } from "./parse";
import { EXIT } from "../failure";

const EXITS: readonly (readonly [number | string, string])[] = [
  [EXIT.done, "done"],
  [EXIT.failed, "what was asked for failed, or standard output could not be written (a full disk)"],
  [EXIT.usage, "usage or spec error"],
  [EXIT.unreachable, "the server cannot be reached, or is not the one that is known"],
  [EXIT.denied, "not allowed"],
  [EXIT.changes, "`orch plan --detailed-exitcode`: there are changes"],
  [EXIT.unknown, "`orch run`: nobody knows how the job ended; its run waits for a person, or has failed so"],
  [EXIT.own, "`orch run`: orch failed, not the job"],
  ["124", "`orch run`: the job reached its time limit"],
  ["126, 127", "`orch run`: the job could not start"],
  ["137", "`orch run`: the job ran out of memory"],
  ["128 + n", "`orch run`: signal n ended the job"],
  [EXIT.interrupted, "interrupted"],
  ["141", "the reader of standard output went away, as `| head` does: nothing is said"],
];

/** Returns the page. Everything on it comes from the code, so it cannot be stale. */
export async function cliReference(commands: readonly CommandEntry[]): Promise<string> {
  const parts: string[] = [
    "# Command line",
    "",
    "Settings go flag, then environment (`ORCH_URL`, `ORCH_TOKEN`, `ORCH_DATA`), then the current context in",
    "`~/.config/orch/`, then the server's own data directory, where it may be read. Commands that talk to a server",
    "take `--url URL`, `--token TOKEN` and `--data DIR`; they may also stand before the command. They use no proxy but",
    "that of `ORCH_PROXY` ([surroundings](../security.md#surroundings)).",
    "",
    "| exit code | means |",
    "| --- | --- |",
    ...EXITS.map(([code, meaning]) => `| ${code} | ${meaning} |`),
    "",
  ];
  for (const group of Object.keys(GROUPS) as CommandGroup[]) {
    parts.push(`## ${GROUPS[group]}`, "");
    for (const entry of commands.filter((one) => one.group === group)) {
      parts.push(...section(entry, await entry.load()));
    }
  }
  return `${parts.join("\n").trimEnd()}\n`;
}

function section({ name, about }: CommandEntry, decl: AnyCommand): string[] {
  return [
    `### orch ${name}`,
    "",
    `${about}.`,
    "",
    "```text",
    helpWithoutTitle(helpOf(name, about, { ...decl, talks: false }), about),
    "```",
    "",
    ...(decl.examples.length === 0 ? [] : ["```sh", ...decl.examples.map(example), "```", ""]),
    ...(decl.notes === undefined ? [] : [decl.notes, ""]),
  ];
}

const example = ([line, meaning]: readonly [string, string]): string =>
  meaning === "" ? line : `${line}   # ${meaning}`;

const helpWithoutTitle = (help: string, about: string): string => help.replace(`${about}\n\n`, "").trim();
