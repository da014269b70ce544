// The overview of all commands, made from their table.

import { GROUPS, type CommandEntry, type CommandGroup } from "./command";

function lines(entries: readonly CommandEntry[], width: number): string {
  return entries.map((entry) => `  ${entry.name.padEnd(width)}  ${entry.about}\n`).join("");
}

/** Returns the text of `orch --help`. */
export function overview(commands: readonly CommandEntry[]): string {
  const width = Math.max(...commands.map((entry) => entry.name.length));
  const groups = (Object.keys(GROUPS) as CommandGroup[]).map((group) => {
    const members = commands.filter((entry) => entry.group === group);
    return members.length === 0 ? "" : `\n${GROUPS[group]}:\n${lines(members, width)}`;
  });
  return (
    "orch makes one cluster of a handful of machines.\n\nUsage: orch COMMAND [options]\n" +
    `${groups.join("")}\nOptions and examples of a command: orch COMMAND --help\n`
  );
}

/** Returns the text of `orch node --help`. */
export function groupHelp(commands: readonly CommandEntry[], first: string): string {
  const members = commands.filter((entry) => entry.name.startsWith(`${first} `));
  const width = Math.max(...members.map((entry) => entry.name.length));
  return `Usage: orch ${first} COMMAND [options]\n\n${lines(members, width)}`;
}
