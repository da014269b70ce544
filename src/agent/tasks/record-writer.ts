// Writes the records of tasks into the book, each after its task has a directory.

import { join } from "node:path";
import type { TaskRecord } from "../../core/model/record";
import { createSlowly, makeDirSlowly, type Disk } from "../../os/files/disk";
import { lookAt } from "../../os/files/files";
import type { Book } from "./book";
import { FILES } from "./taskdir";

export interface RecordWriter {
  write(record: TaskRecord): Promise<void>;
}

export const createRecordWriter = (tasks: string, disk: Disk, book: Pick<Book, "has" | "write">): RecordWriter => ({
  async write(record) {
    const { uid } = record.assignment;
    const dir = join(tasks, uid);
    const [there, isKnown] = [lookAt(dir), book.has(uid)];
    // Another write of the task may make it meanwhile.
    const make = async (): Promise<void> => {
      if (lookAt(dir) === null) await (isKnown ? makeAgain(dir, record) : makeDirSlowly(dir));
    };
    if (there === null) await disk.run(make);
    else if (!there.isDirectory()) throw new Error(`${dir} is not a directory`);
    await book.write(record);
  },
});

/**
 * Makes the directory of a task anew that somebody has removed. Its claim was lost with it, and the task may have
 * begun. So a task that has not ended gets an empty claim, with which it never executes.
 */
export async function makeAgain(dir: string, { end }: TaskRecord): Promise<void> {
  await makeDirSlowly(dir);
  if (end === null) await createSlowly(join(dir, FILES.claim), "");
}
