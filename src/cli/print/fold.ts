// Folds what is equal: rows of consecutive slots into one row, names into `box3 … box9`, and a list into a summary.

type Some<T> = readonly [T, ...T[]];

/** Which rows may be folded: those of one series whose numbers follow each other. Null: none with others. */
export interface Folding<T> {
  readonly series: (row: T) => string | null;
  readonly slot: (row: T) => number;
  /** How many equal rows are one row. Fewer stay as they are. */
  readonly least: (row: T) => number;
}

/** Of a few things each is looked at. */
export const FEW = 5;

/** Returns the rows in groups. Rows of a group are of one series, consecutive, and the same by `same`. */
export function fold<T>(rows: readonly T[], { series, slot, least }: Folding<T>, same: (row: T) => string): Some<T>[] {
  const groups: [T, ...T[]][] = [];
  for (const row of rows) {
    const group = groups.at(-1);
    const before = group?.at(-1);
    const follows =
      before !== undefined &&
      series(row) !== null &&
      series(row) === series(before) &&
      slot(row) === slot(before) + 1 &&
      same(row) === same(before);
    if (group !== undefined && follows) group.push(row);
    else groups.push([row]);
  }
  return groups.flatMap((group): Some<T>[] =>
    group.length >= least(group[0]) ? [group] : group.map((row): Some<T> => [row]),
  );
}

/** A name around the number of its slot: `shop.web.` 12 `#2`. Null for a name without a number. */
export function aroundSlot(
  name: string,
): { readonly head: string; readonly slot: number; readonly tail: string } | null {
  const [, head, digits, tail] = /^(.*[._])(\d{1,9})(#\d+)?$/s.exec(name) ?? [];
  return head === undefined ? null : { head, slot: Number(digits), tail: tail ?? "" };
}

/** Folds whatever is called by the name of a slot, from two on. */
export const byName = <T>(nameOf: (row: T) => string): Folding<T> => ({
  series: (row) => {
    const parts = aroundSlot(nameOf(row));
    return parts === null ? null : `${parts.head}${parts.tail}`;
  },
  slot: (row) => aroundSlot(nameOf(row))?.slot ?? 0,
  least: () => 2,
});

/** Returns one name for the slots of a group: `shop.web.12 … 47`. */
export function foldedName(names: Some<string>): string {
  const [first] = names;
  const last = aroundSlot(names.at(-1) ?? first);
  return names.length === 1 || last === null ? first : `${first} … ${last.slot}${last.tail}`;
}

/** Names in a row are written as a range from so many on. */
const RANGE_LEAST = 3;
/** The most names and ranges that are written out. */
const NAMES_SHOWN = 8;

/** Returns names in their order, as `box1, box3 … box9, spot`. Long lists end with `and 12 more`. */
export function namesText(names: readonly string[]): string {
  const sorted = names.toSorted((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const numbered = (name: string): { head: string; digits: string } => {
    const [, head = name, digits = ""] = /^(.*?)(0|[1-9]\d{0,8})$/s.exec(name) ?? [];
    return { head, digits };
  };
  const ranges = fold(
    sorted,
    {
      series: (name) => (numbered(name).digits === "" ? null : numbered(name).head),
      slot: (name) => Number(numbered(name).digits),
      least: () => RANGE_LEAST,
    },
    () => "",
  );
  const shown = ranges.slice(0, NAMES_SHOWN);
  const more = names.length - shown.reduce((sum, range) => sum + range.length, 0);
  const texts = shown.map((range) => (range.length === 1 ? range[0] : `${range[0]} … ${range.at(-1) ?? ""}`));
  return more > 0 ? `${texts.join(", ")} and ${more} more` : texts.join(", ");
}

/** Returns a list's summary, the most frequent word first: `48 tasks: 36 pending, 12 running`. */
export function summary(noun: string, words: readonly string[]): string {
  const counts = [...Map.groupBy(words, (word) => word)].map(([word, those]) => ({ word, count: those.length }));
  counts.sort((a, b) => b.count - a.count);
  return `${words.length} ${noun}: ${counts.map(({ word, count }) => `${count} ${word}`).join(", ")}`;
}
