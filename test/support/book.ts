// The book of an agent as a disk may leave it: damaged, cut, or not there.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Returns the path of the book in an agent's data directory (`<data>/agent`). */
export const bookOf = (data: string): string => join(data, "records.log");

/** Flips a bit in each line that names a task. */
export function damageRecord(data: string, uid: string): void {
  const lines = readFileSync(bookOf(data), "utf8").split("\n");
  const flipped = (line: string): string => `${line.slice(0, 20)}${line[20] === "!" ? "#" : "!"}${line.slice(21)}`;
  writeFileSync(bookOf(data), lines.map((line) => (line.includes(uid) ? flipped(line) : line)).join("\n"));
}

/** Takes the lines that name a task out of the book. */
export function dropRecord(data: string, uid: string): void {
  const lines = readFileSync(bookOf(data), "utf8").split("\n");
  writeFileSync(bookOf(data), lines.filter((line) => !line.includes(uid)).join("\n"));
}
