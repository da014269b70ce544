// A law is a rule that the committed state keeps at every moment. It names the rows of a transaction that break it.

import type { MomentRows } from "./moment";

export interface Law {
  readonly name: string;
  /** The rule in words for people. */
  readonly says: string;
  /** Returns one line for each row that breaks the rule. */
  readonly broken: (look: MomentRows) => readonly string[];
  /**
   * Returns the ids of the nodes on which it is broken. Missing for a rule that is not kept node by node: what one node
   * says can break no such rule.
   */
  readonly nodes?: (look: MomentRows) => readonly string[];
}

/** Returns the lines of those rows that break a rule. `breaks` returns null for a row that keeps the rule. */
export function linesOf<Row>(rows: Iterable<Row>, breaks: (row: Row) => string | null): string[] {
  const lines: string[] = [];
  for (const row of rows) {
    const line = breaks(row);
    if (line !== null) lines.push(line);
  }
  return lines;
}
