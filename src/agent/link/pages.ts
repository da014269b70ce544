// How reports travel: in pages that the server takes in one message each. An inventory is one commit there, so a long
// one leaves the last words of some tasks out; their logs still have them.

import type { TaskReport } from "../../core/model/record";

const PAGE_ENTRIES = 200;
/** In characters of JSON, each of at most 3 bytes: well below the 4 MiB that the server takes in one message. */
const PAGE_CHARS = 1024 * 1024;
/** As much of last words in one inventory: well below the 16 MiB that the server commits at once. */
const WORDS_CHARS = 3 * 1024 * 1024;

/** Pages in order, none of them too large for one message. */
export function pagesOf(entries: readonly TaskReport[]): TaskReport[][] {
  const pages: TaskReport[][] = [];
  let page: TaskReport[] = [];
  let chars = 0;
  for (const entry of entries) {
    const size = JSON.stringify(entry).length;
    if (page.length > 0 && (page.length >= PAGE_ENTRIES || chars + size > PAGE_CHARS)) {
      pages.push(page);
      page = [];
      chars = 0;
    }
    page.push(entry);
    chars += size;
  }
  if (page.length > 0) pages.push(page);
  return pages;
}

/** The same entries, with last words only as far as one commit has room for them. */
export function withinOneCommit(entries: readonly TaskReport[]): TaskReport[] {
  let room = WORDS_CHARS;
  return entries.map((entry) => {
    const { reported } = entry;
    if (!("tail" in reported) || reported.tail === null) return entry;
    room -= JSON.stringify(reported.tail).length;
    return room >= 0 ? entry : { ...entry, reported: { ...reported, tail: null } };
  });
}
