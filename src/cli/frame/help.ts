// The overview of all commands, made from their table, and the layout of the help of one: no line is wider than the
// narrowest usual terminal.

import { GROUPS, type AnyCommand, type CommandEntry, type CommandGroup } from "./command";
import { pad, wide, wrap } from "../print/wrap";

export const HELP_WIDTH = 80;

/** Options that are longer stand above their description. */
export const TERM_MOST = 28;

/** Commands that the overview tells in one line. What each does stands in its own help, and in that of the group. */
const TOLD_TOGETHER: readonly (readonly [names: readonly string[], about: string])[] = [
  [["agent join", "agent leave"], "Make this machine a node, or take it out again"],
  [["node show", "node label", "node taint"], "Look at a node, set its labels and taints"],
  [["node drain", "node resume", "node forget"], "Give a node no work, work again, or forget it"],
  [["node test", "node orphans"], "Test a node; list its tasks that no app has"],
  [["node approve", "node refuse"], "Let in a node that waits, or turn it away"],
  [["login", "logout"], "Keep or forget a token for a cluster"],
  [["context ls", "context use", "context rm"], "List, choose and forget clusters"],
  [["token new", "token ls", "token revoke"], "Make, list and revoke tokens"],
  [["user add", "user ls", "user grant", "user rm"], "Add, list and remove people"],
  [["install server", "install agent"], "Make systemd run a part"],
];

interface Line {
  readonly name: string;
  readonly group: CommandGroup;
  readonly about: string;
}

/** Returns `node show, label, taint`. */
function titleOf(names: readonly string[]): string {
  const [first = "", ...others] = names;
  const space = first.indexOf(" ") + 1;
  return [first, ...others.map((name) => name.slice(space))].join(", ");
}

function linesOf(commands: readonly CommandEntry[]): Line[] {
  return commands.flatMap((entry): Line[] => {
    const together = TOLD_TOGETHER.find(([names]) => names.includes(entry.name));
    if (together === undefined) return [entry];
    const [names, about] = together;
    return names[0] === entry.name ? [{ name: titleOf(names), group: entry.group, about }] : [];
  });
}

function text(lines: readonly Pick<Line, "name" | "about">[], width: number): string {
  return lines.map(({ name, about }) => `  ${name.padEnd(width)}  ${about}\n`).join("");
}

const widest = (lines: readonly Pick<Line, "name">[]): number => Math.max(...lines.map(({ name }) => name.length));

/** Returns the text of `orch --help`. */
export function overview(commands: readonly CommandEntry[]): string {
  const lines = linesOf(commands);
  const width = widest(lines);
  const groups = (Object.keys(GROUPS) as CommandGroup[]).map((group) => {
    const members = lines.filter((line) => line.group === group);
    return members.length === 0 ? "" : `\n${GROUPS[group]}:\n${text(members, width)}`;
  });
  return (
    "orch makes one cluster of a handful of machines.\n\nUsage: orch COMMAND [options]\n" +
    `${groups.join("")}\nOptions and examples of a command: orch COMMAND --help\n`
  );
}

/** Returns the text of `orch node --help`. */
export function groupHelp(commands: readonly CommandEntry[], first: string): string {
  const members = commands.filter((entry) => entry.name.startsWith(`${first} `));
  return `Usage: orch ${first} COMMAND [options]\n\n${text(members, widest(members))}`;
}

/** Returns an option or an operand with its description, which begins beside it where it is no longer than `width`. */
export function itemText(term: string, description: string, width: number): string {
  if (description === "") return `  ${term}`;
  const indent = " ".repeat(2 + width + 2);
  const lines = wrap(description, HELP_WIDTH, indent);
  if (wide(term) > width) return [`  ${term}`, ...lines].join("\n");
  return lines.join("\n").replace(indent, `  ${pad(term, width, "left")}  `);
}

/** Returns the examples, each beside what it does; where one is too long for that, all have it below themselves. */
export function examplesText(examples: AnyCommand["examples"]): string {
  if (examples.length === 0) return "";
  const width = Math.max(...examples.map(([line]) => wide(line)));
  const beside = examples.map(([line, about]) => `  ${pad(line, width, "left")}  ${about}`.trimEnd());
  const below = examples.flatMap(([line, about]) => [
    `  ${line}`,
    ...(about === "" ? [] : wrap(about, HELP_WIDTH, BELOW)),
  ]);
  const lines = beside.every((line) => wide(line) <= HELP_WIDTH) ? beside : below;
  return `\nExamples:\n${lines.join("\n")}\n`;
}

const BELOW = " ".repeat(6);

/** Returns notes as lines that fit. A line of the source that ends a sentence ends one here too. */
export function notesText(notes: string | undefined): string {
  if (notes === undefined) return "";
  const lines = notes.replaceAll(/([^.\n])\n(?=[^\n])/g, "$1 ").split("\n");
  return `\n${lines.flatMap((line) => wrap(line, HELP_WIDTH)).join("\n")}\n`;
}
