// What a law is: a rule that the committed state keeps at every moment, and the rows of a transaction that break it.

import type { MomentRows } from "./moment";

export interface Law {
  readonly name: string;
  /** The rule, as one says it to people. */
  readonly says: string;
  /** What breaks it, a line for each row; empty: nothing does. */
  readonly broken: (look: MomentRows) => readonly string[];
}

/** The lines about those rows of a list that break a rule; `null`: the row keeps it. */
export function linesOf<Row>(rows: Iterable<Row>, breaks: (row: Row) => string | null): string[] {
  const lines: string[] = [];
  for (const row of rows) {
    const line = breaks(row);
    if (line !== null) lines.push(line);
  }
  return lines;
}
