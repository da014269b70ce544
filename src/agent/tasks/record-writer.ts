// Writes the records of tasks into the book, each after its task has a directory.

import { join } from "node:path";
import type { TaskRecord } from "../../core/model/record";
import { createSlowly, makeDirSlowly, type Disk } from "../../os/files/disk";
import { closeFile, lookAt, synced } from "../../os/files/files";
import { openToReadTask } from "../../os/files/task-files";
import type { Book } from "./book";
import { ELEMENTS } from "./element-journal";
import { FILES } from "./taskdir";

export interface RecordWriter {
  write(record: TaskRecord): Promise<void>;
}

/** Makes a writer. The records of one task are written one after the other, and those of all tasks together. */
export function createRecordWriter(tasks: string, disk: Disk, book: Pick<Book, "has" | "write">): RecordWriter {
  const last = new Map<string, Promise<void>>();
  const make = makingTogether(disk);

  const put = async (record: TaskRecord): Promise<void> => {
    const { uid } = record.assignment;
    const dir = join(tasks, uid);
    const there = lookAt(dir);
    if (there === null) await make(() => (book.has(uid) ? makeAgain(dir, record) : makeDirSlowly(dir)));
    else if (!there.isDirectory()) throw new Error(`${dir} is not a directory`);
    if (record.end !== null && record.assignment.batch !== undefined) await disk.run(() => syncJournal(dir));
    await book.write(record);
  };
  const after = async (before: Promise<void>, record: TaskRecord): Promise<void> => {
    // Whoever made the write before hears of its failure.
    await Promise.allSettled([before]);
    return put(record);
  };
  return {
    async write(record) {
      const { uid } = record.assignment;
      const before = last.get(uid);
      const mine = before === undefined ? put(record) : after(before, record);
      last.set(uid, mine);
      try {
        await mine;
      } finally {
        if (last.get(uid) === mine) last.delete(uid);
      }
    },
  };
}

/**
 * Resolves when the disk has what the journal of a batch says. Results follow from it and from the batch's end, so a
 * loss of power after that end must not take a line away: an element that had begun would go back, and run twice.
 */
async function syncJournal(dir: string): Promise<void> {
  const opened = openToReadTask(dir, ELEMENTS);
  if (opened?.is !== "open") return;
  try {
    await synced(opened.fd);
  } finally {
    closeFile(opened.fd);
  }
}

/** How many directories are made in one operation, which a disk that answers takes milliseconds for. */
const MOST_AT_ONCE = 32;

/** Makes a function that makes directories, those that are asked for in one turn in one operation of the disk. */
function makingTogether(disk: Disk): (make: () => Promise<void>) => Promise<void> {
  let waiting: { make: () => Promise<void>; resolve: () => void; reject: (error: unknown) => void }[] = [];
  const flush = async (): Promise<void> => {
    await Promise.resolve();
    const taken = waiting;
    waiting = [];
    for (let at = 0; at < taken.length; at += MOST_AT_ONCE) {
      await disk.run(async () => {
        for (const { make, resolve, reject } of taken.slice(at, at + MOST_AT_ONCE)) {
          try {
            await make();
            resolve();
          } catch (error) {
            reject(error);
          }
        }
      });
    }
  };
  return (make) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    waiting.push({ make, resolve, reject });
    if (waiting.length === 1) flush().catch(reject);
    return promise;
  };
}

/**
 * Makes the directory of a task anew that somebody has removed. Its claim was lost with it, and the task may have
 * begun. So a task that has not ended gets an empty claim, with which it never executes.
 */
export async function makeAgain(dir: string, { end }: TaskRecord): Promise<void> {
  await makeDirSlowly(dir);
  if (end === null) await createSlowly(join(dir, FILES.claim), "");
}
