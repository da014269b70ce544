// Writes records into a book, some at once, and prints the uid of each that is written, until it is killed.

import { openBook } from "../../../src/agent/tasks/book";
import { createDisk } from "../../../src/os/files/disk";
import { assignmentFor, recordFor } from "../../support/tasks";

/** The path of this program. Its argument is the data directory. */
export const BOOK_WRITER = import.meta.path;

async function write(data: string): Promise<void> {
  const book = openBook(data, createDisk(), console.error);
  book.read();
  await book.begin([]);
  const lane = async (): Promise<void> => {
    for (;;) {
      const record = recordFor(assignmentFor("true"));
      await book.write(record);
      process.stdout.write(`${record.assignment.uid}\n`);
    }
  };
  await Promise.all([lane(), lane(), lane(), lane()]);
}

if (import.meta.main) await write(process.argv[2] ?? "");
