// Aligned columns for people. Cells are cleaned here, so that no caller can forget it.
//
// On a terminal no line is longer than it is wide. Columns give way in the order that they state; prose comes last, and
// stands whole on lines of its own where it does not fit beside its row. Without a terminal nothing is cut or folded:
// one row is one line, for grep and awk.

import { clean } from "./clean";
import { fold, type Folding } from "./fold";
import { GAP, type Give, narrow, type Lane, widthOf } from "./narrow";
import { cut, hang, pad, wide, wrap } from "./wrap";

export interface Column<T> {
  readonly title: string;
  readonly align?: "right";
  /** How the column gives way where the terminal is too narrow. One without turns is cut only if nothing else helps. */
  readonly gives?: readonly Give[];
  /** A name is cut in its middle, since its end tells it from others. */
  readonly cut?: "middle";
  /** Sentences, never cut: below the row if they do not fit beside it. Only of the last column. */
  readonly prose?: true;
  cell(row: T): string;
  /** The cell of equal rows that are folded into one. Rows are equal if all columns without this are. */
  folded?(rows: readonly [T, ...T[]]): string;
  /** Colours the finished, padded cell. */
  paint?(row: T, padded: string): string;
}

interface Laid<T> extends Lane {
  readonly column: Column<T>;
  readonly cells: readonly string[];
}

/** What stands below its row is indented by this. */
const BELOW = "    ";

/**
 * Returns the lines of a table, its head first. Columns that are empty in every row are left out, except the first.
 * `width` is the terminal's, or null for none. With `folding`, equal rows are one on a terminal.
 */
export function table<T>(
  columns: readonly Column<T>[],
  rows: readonly T[],
  width: number | null = null,
  folding: Folding<T> | null = null,
): string[] {
  const groups = foldedRows(columns, rows, width === null ? null : folding);
  const all = columns
    .map((column): Laid<T> => {
      const cells = groups.map((group) =>
        clean(group.length === 1 ? column.cell(group[0]) : foldedCell(column, group)),
      );
      const least = Math.max(wide(clean(column.title)), ...cells.map(wide));
      return { column, cells, gives: column.gives ?? [], width: least, place: "beside" };
    })
    .filter(({ cells }, i) => i === 0 || rows.length === 0 || cells.some((cell) => cell !== ""));
  const last = all.at(-1);
  const prose = last?.column.prose === true && all.length > 1 ? last : null;
  const before = prose === null ? all : all.slice(0, -1);
  const lanes = width === null ? before : (narrow(before, width) as readonly Laid<T>[]);
  const room = width === null ? Number.POSITIVE_INFINITY : width - widthOf(lanes) - GAP.length;
  const isBeside = (text: string): boolean => text !== "" && wide(text) <= room;
  const hasTitle = prose !== null && isBeside(clean(prose.column.title));
  const title = hasTitle && (rows.length === 0 || prose.cells.some(isBeside)) ? clean(prose.column.title) : "";
  return [
    lineOf(lanes, ({ column }) => clean(column.title), title),
    ...groups.flatMap(([row], n) => {
      const said = prose?.cells[n] ?? "";
      const text = prose?.column.paint === undefined ? said : prose.column.paint(row, said);
      const beside = isBeside(said);
      return [
        lineOf(lanes, ({ cells }) => cells[n] ?? "", beside ? text : "", row),
        ...below(lanes, n, width),
        ...(said === "" || beside || prose?.cells[n + 1] === said
          ? []
          : wrap(sharedBy(prose?.cells ?? [], n) + text, width, BELOW)),
      ];
    }),
  ];
}

/** Returns what begins a text that stands once below all rows that have it, up to row `n`. */
function sharedBy(cells: readonly string[], n: number): string {
  const rows = n - cells.findLastIndex((cell, at) => at < n && cell !== cells[n]);
  return rows === 1 ? "" : `these ${rows}: `;
}

function lineOf<T>(lanes: readonly Laid<T>[], textOf: (lane: Laid<T>) => string, behind: string, row?: T): string {
  const cells = lanes
    .filter(({ place }) => place === "beside")
    .map((lane) => {
      const { column, width } = lane;
      const padded = pad(cut(textOf(lane), width, column.cut), width, column.align === "right" ? "right" : "left");
      return row === undefined || column.paint === undefined ? padded : column.paint(row, padded);
    });
  return [...cells, behind].join(GAP).trimEnd();
}

/** Returns the cells of a row that have gone below it, as many on a line as fit. */
function below<T>(lanes: readonly Laid<T>[], n: number, width: number | null): string[] {
  const room = width === null ? null : width - BELOW.length;
  const items = lanes
    .filter(({ place, cells }) => place === "below" && (cells[n] ?? "") !== "")
    .map(({ column, cells }) => `${clean(column.title).toLowerCase()}: ${cells[n] ?? ""}`);
  return packed(items, room).flatMap((line) => hang(line, room, "  ").map((each) => BELOW + each));
}

function packed(items: readonly string[], room: number | null): string[] {
  const lines: string[] = [];
  for (const item of items) {
    const longer = lines.length === 0 ? item : `${lines.at(-1) ?? ""}${GAP}${item}`;
    if (lines.length === 0 || (room !== null && wide(longer) > room)) lines.push(item);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}

const foldedCell = <T>(column: Column<T>, group: readonly [T, ...T[]]): string =>
  column.folded === undefined ? column.cell(group[0]) : column.folded(group);

function foldedRows<T>(
  columns: readonly Column<T>[],
  rows: readonly T[],
  folding: Folding<T> | null,
): (readonly [T, ...T[]])[] {
  if (folding === null) return rows.map((row) => [row] as const);
  const same = columns.filter(({ folded }) => folded === undefined);
  return fold(rows, folding, (row) => JSON.stringify(same.map((column) => column.cell(row))));
}
