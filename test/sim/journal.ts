// The journal of a batch on a simulated disk: the real lines, of which a loss of power takes some that are not synced,
// and perhaps a part of one.

import type { JournalSource } from "../../src/agent/tasks/element-reader";
import type { Random } from "./random";

export interface Journal {
  text: string;
  /** How many of its characters the disk has. */
  synced: number;
}

/** The power is lost: some of what was not synced is gone. */
export function losePower(journal: Journal, random: Random): void {
  if (journal.synced === journal.text.length) return;
  journal.text = journal.text.slice(0, random.int(journal.synced, journal.text.length));
}

/** Returns what opens a journal that may be there. */
export const openJournal =
  (find: () => Journal | undefined): JournalSource =>
  () => {
    const journal = find();
    if (journal === undefined) return { is: "missing" };
    const read = (offset: number, length: number): Uint8Array =>
      new TextEncoder().encode(journal.text.slice(offset, offset + length));
    return { is: "open", read, close: () => undefined };
  };
