// Splits reports into pages, each small enough for one message. The server commits an inventory at once, so a long
// inventory leaves out the last output of some tasks; their logs still have it.

import { endOfPage } from "../../core/agent/results";
import type { TaskReport } from "../../core/model/record";
import type { Orphan } from "../../core/model/rows-node";
import type { InventoryPage } from "./link";

const PAGE_ENTRIES = 200;
/**
 * Counted in characters of JSON, each of at most 3 bytes: 3 MiB, well below the 4 MiB that the server accepts in one
 * message.
 */
const PAGE_CHARS = 1024 * 1024;
/**
 * The most last output in one inventory, in characters: at most 9 MiB, well below the 16 MiB that the server commits at
 * once.
 */
const WORDS_CHARS = 3 * 1024 * 1024;

/** The most results of batches in one message, as characters of JSON. */
const RESULTS_CHARS = 160 * 1024;

/** Returns pages in order, none of them too large for one message. */
export function* pagesOf(entries: Iterable<TaskReport>): Generator<TaskReport[]> {
  let page: TaskReport[] = [];
  let [chars, told] = [0, 0];
  for (const entry of entries) {
    const size = JSON.stringify(entry).length;
    const results = entry.results === undefined ? 0 : size;
    const isFull = page.length >= PAGE_ENTRIES || chars + size > PAGE_CHARS || told + results > RESULTS_CHARS;
    if (page.length > 0 && isFull) {
      yield page;
      page = [];
      [chars, told] = [0, 0];
    }
    page.push(entry);
    chars += size;
    told += results;
  }
  if (page.length > 0) yield page;
}

/** Returns how many results of each batch the server has once it has these entries. */
export const resultCounts = (entries: readonly TaskReport[]): ReadonlyMap<string, number> =>
  new Map(entries.flatMap(({ uid, results }) => (results === undefined ? [] : [[uid, endOfPage(results)] as const])));

/** Returns the messages of a whole inventory. The last of them says that it is the last. */
export function inventoryPages(entries: readonly TaskReport[], unreadable: readonly Orphan[]): InventoryPage[] {
  const pages = Array.from(pagesOf(entries), (page): InventoryPage => ({ ...EMPTY_PAGE, entries: page }));
  for (let at = 0; at < unreadable.length; at += PAGE_ENTRIES) {
    pages.push({ ...EMPTY_PAGE, unreadable: unreadable.slice(at, at + PAGE_ENTRIES) });
  }
  const last = pages.pop() ?? EMPTY_PAGE;
  return [...pages, { ...last, last: true }];
}

const EMPTY_PAGE: InventoryPage = { type: "inventory", entries: [], unreadable: [], last: false };

/** Returns the same entries, without the last output of those that do not fit into one commit. */
export function withinOneCommit(entries: readonly TaskReport[]): TaskReport[] {
  let room = WORDS_CHARS;
  return entries.map((entry) => {
    const { reported } = entry;
    if (!("tail" in reported) || reported.tail === null) return entry;
    room -= JSON.stringify(reported.tail).length;
    return room >= 0 ? entry : { ...entry, reported: { ...reported, tail: null } };
  });
}
