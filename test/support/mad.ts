// What files, processes and tools may hold where numbers and names are expected.

import type { Dice } from "./random";

/** Texts in the place of numbers and names. None has a line break of its own, as in tables of tools. */
export const MAD: readonly string[] = [
  "",
  " ",
  "[N/A]",
  "[Unknown Error]",
  "-1",
  "0",
  "NaN",
  "Infinity",
  "1e400",
  "1e17",
  "9007199254740993",
  "18446744073709551616",
  "0.0000000000001",
  "0xffffffffffffffffffffff",
  "-9223372036854775808",
  "\u001b[2J\u001b]0;t\u0007",
  "\u0001\u0002, x",
  "a) b (c",
  "\u202e\u2066 right to left",
  "x".repeat(6_000),
  "é".repeat(5_000),
  "__proto__",
  "$(id); `id`",
  "\"'\\",
];

/** Returns a copy of a table's row with some of its cells made mad. */
export const madRow = <T>(dice: Dice, row: Readonly<Record<string, T>>, share: number): Record<string, T | string> =>
  Object.fromEntries(
    Object.entries(row).map(([key, value]) => [key, dice.chance(share) ? dice.pick(MAD) : value] as const),
  );

/** Returns a text with some of its parts cut out, doubled, or put in the place of others. */
export function madText(dice: Dice, text: string): string {
  let made = text;
  for (let change = 0; change <= dice.below(6); change++) {
    const at = dice.below(made.length + 1);
    made = made.slice(0, at) + dice.pick(MAD) + made.slice(at + dice.below(40));
  }
  return made;
}
