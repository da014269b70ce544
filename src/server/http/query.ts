// Parts of queries that several routes take: numbers and switches as text, pages of long lists.

import { z } from "zod";
import { HOUSE_LIMITS } from "../../core/limits";
import { RefusedError } from "../refused";

const NUMBER = /^\d{1,15}$/;
export const NUMBER_PATTERN = NUMBER.source;
export const number = z.string().regex(NUMBER, "must be a whole number").transform(Number);
export const flag = z.enum(["true", "false"]).transform((text) => text === "true");
export const short = z.string().max(200);

/** `limit` and `next` of a list. */
export const page = z.object({
  limit: number
    .optional()
    .describe(`the most items of this page: 1 to ${HOUSE_LIMITS.list_page}, which is also the default`),
  next: short.optional().describe("where the list goes on: `next` of the page before"),
});

const limitOf = (query: { readonly limit?: number | undefined }): number =>
  Math.min(Math.max(query.limit ?? HOUSE_LIMITS.list_page, 1), HOUSE_LIMITS.list_page);

type Page = z.infer<typeof page>;

/** Where a list continues: among the living items, or behind an ended one. */
type Cursor = { readonly is: "living"; readonly offset: number } | { readonly is: "ended"; readonly after: string };

/** Reads the text of `next`. This module alone makes and reads such texts. */
function cursorOf(next: string | undefined, isKey: RegExp): Cursor {
  if (next === undefined) return { is: "living", offset: 0 };
  const [, offset, after] = /^(?:at-(\d{1,9})|after-(.{1,64}))$/.exec(next) ?? [];
  if (offset !== undefined) return { is: "living", offset: Number(offset) };
  if (after !== undefined && isKey.test(after)) return { is: "ended", after };
  throw new RefusedError("bad_request", "`next` is not one that this list gave", "Begin the list again without it");
}

/** An item that has ended, with the key behind which the list continues. */
export interface Ended<V> {
  readonly key: string;
  readonly view: V;
}

const HEX = /^[0-9a-f]{1,32}$/;

/** Reads at most `limit` ended items, newest first. With a key, only those behind it. */
type ReadEnded<V> = (limit: number, after: string | null) => readonly Ended<V>[];

/**
 * Returns one page of a list: the living items in their own order, then the ended ones. `ended` is null for a list of
 * living items alone, and `isKey` tells what a key of ended items looks like.
 */
export function pageOf<V>(
  query: Page,
  living: readonly V[],
  ended: ReadEnded<V> | null,
  isKey: RegExp = HEX,
): { readonly items: V[]; readonly next: string | null } {
  const limit = limitOf(query);
  const from = cursorOf(query.next, isKey);
  const begin = from.is === "living" ? from.offset : living.length;
  const end = begin + limit;
  const items = living.slice(begin, end);
  if (end < living.length) return { items, next: `at-${end}` };
  if (ended === null) return { items, next: null };
  const room = limit - items.length;
  const read = ended(room + 1, from.is === "ended" ? from.after : null);
  const shown = read.slice(0, room);
  const last = shown.at(-1);
  const next = read.length <= room ? null : last === undefined ? `at-${living.length}` : `after-${last.key}`;
  return { items: [...items, ...shown.map(({ view }) => view)], next };
}
