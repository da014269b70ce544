// A list of things as one table: folded, and with a summary below it where it is long.

import type { Style } from "./color";
import type { Folding } from "./fold";
import { type Column, table } from "./table";
import { hang } from "./wrap";

export interface Listing<T> {
  readonly columns: readonly Column<T>[];
  /** Which equal rows are one on a terminal. Null: each has its own. */
  readonly folding?: Folding<T> | null;
  /** Says in one line what the rows are. */
  readonly summary?: (rows: readonly T[]) => string;
}

/** A list of more rows than this does not show by itself how many of which there are. */
const LONG = 15;

/** Returns the lines of a list. Without a terminal (`width` is null) each row is one line, and nothing else is said. */
export function listing<T>(
  { columns, folding = null, summary }: Listing<T>,
  rows: readonly T[],
  width: number | null,
  styled: Style,
): string[] {
  const lines = table(columns, rows, width, folding);
  if (width === null || summary === undefined || rows.length <= LONG) return lines;
  return [...lines, ...hang(summary(rows), width, "  ").map(styled.dim)];
}
