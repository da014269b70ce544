// Aligned columns for people. Cells are cleaned here, so that no caller can forget it.

import { clean } from "./clean";

export interface Column<T> {
  readonly title: string;
  readonly align?: "right";
  /** The width to which the column may be cut where the terminal is too narrow. */
  readonly least?: number;
  cell(row: T): string;
  /** Colours the finished, padded cell. */
  paint?(row: T, padded: string): string;
}

const GAP = "  ";
const CUT_LEAST = 20;

/**
 * Returns the lines of a table, its head first. With `width` the last column is cut to fit the terminal. Columns that
 * are empty in every row are left out, except the first.
 */
export function table<T>(columns: readonly Column<T>[], rows: readonly T[], width: number | null = null): string[] {
  const cells = rows.map((row) => columns.map((column) => clean(column.cell(row))));
  const shown = columns
    .map((column, i) => ({ column, i }))
    .filter(({ i }) => i === 0 || rows.length === 0 || cells.some((line) => line[i] !== ""));
  const widths = shown.map(({ column, i }) =>
    Math.max(wide(clean(column.title)), ...cells.map((line) => wide(line[i] ?? ""))),
  );
  const last = widths.length - 1;
  if (width !== null) {
    narrow(
      shown.map(({ column }) => column),
      widths,
      width,
    );
    const before = widths.slice(0, last).reduce((sum, one) => sum + one + GAP.length, 0);
    widths[last] = Math.min(widths[last] ?? 0, Math.max(width - before, CUT_LEAST));
  }
  const line = (texts: readonly string[], row: T | null): string =>
    shown
      .map(({ column, i }, n) => {
        const padded = pad(cut(texts[i] ?? "", widths[n] ?? 0), widths[n] ?? 0, column.align === "right", n === last);
        return row === null || column.paint === undefined ? padded : column.paint(row, padded);
      })
      .join(GAP)
      .trimEnd();
  return [
    line(
      columns.map((column) => clean(column.title)),
      null,
    ),
    ...rows.map((row, n) => line(cells[n] ?? [], row)),
  ];
}

/** Cuts the columns that may be cut, the last of them first, until the table and a short last column fit. */
function narrow(columns: readonly Column<never>[], widths: number[], width: number): void {
  const last = widths.length - 1;
  const all = widths.reduce((sum, one, n) => sum + (n === last ? Math.min(one, CUT_LEAST) : one + GAP.length), 0);
  let over = all - width;
  for (const [n, { least }] of [...columns.entries()].toReversed()) {
    if (over <= 0 || least === undefined || n === last) continue;
    const cutTo = Math.max(Math.min(least, widths[n] ?? 0), (widths[n] ?? 0) - over);
    over -= (widths[n] ?? 0) - cutTo;
    widths[n] = cutTo;
  }
}

const wide = (text: string): number => Bun.stringWidth(text);

function pad(text: string, width: number, right: boolean, last: boolean): string {
  const room = " ".repeat(Math.max(0, width - wide(text)));
  if (right) return room + text;
  return last ? text : text + room;
}

function cut(text: string, width: number): string {
  if (wide(text) <= width) return text;
  let out = "";
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    if (wide(out) + wide(segment) > width - 1) break;
    out += segment;
  }
  return `${out}…`;
}
