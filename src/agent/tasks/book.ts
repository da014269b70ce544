// The book of an agent: one file with the records of all its tasks, which only grows, a checked line a version. What
// waits to be written together is synced together, however many tasks it is of.

import { join } from "node:path";
import { MIB, type Bytes } from "../../core/units";
import type { TaskRecord } from "../../core/model/record";
import { appendSlowly, type Disk, inodeOf, openToAppendSlowly, wordsOf } from "../../os/files/disk";
import { replaceFile } from "../../os/files/durable";
import { closeFile, lookAt } from "../../os/files/files";
import { fieldsOf, parsedJson } from "../../os/files/json";
import { readTaskFile } from "../../os/files/task-files";
import { checked, textIn } from "./checked";
import { clocksNow } from "./moments";
import { keptRecord, parseRecord } from "./records";

/** The lines of a book and what could not be read of it. */
interface BookRead {
  /** The newest line of each task, and its record. */
  readonly found: ReadonlyMap<string, { readonly line: string; readonly record: TaskRecord }>;
  /** How many lines are damaged. A last line that was cut off is none: nobody was told that it was written. */
  readonly damaged: number;
}

export interface Book {
  /** Reads the book. It is called once, before anything else. */
  read(): BookRead;
  /** Begins the book anew without the tasks that are `gone`. What was damaged of it is noted elsewhere by then. */
  begin(gone: readonly string[]): Promise<void>;
  has(uid: string): boolean;
  /** Returns the newest version of a record as the file of a directory has it, or null. */
  textOf(uid: string): string | null;
  /**
   * Resolves when the record is in the book: synced if its task may run still. A record with an end only has to outlive
   * this process: a loss of power that takes it has ended the task too.
   */
  write(record: TaskRecord): Promise<void>;
  /** Takes a task out of the book. Resolves as `write` of an end does. */
  forget(uid: string): Promise<void>;
  /** Returns why nothing could be written when it was tried last, or null. */
  trouble(): string | null;
  /** Closes the file, once nothing is being written. */
  close(): void;
}

const FILE = "records.log";
/** The book is begun anew when it is larger than this, and most of it is of the past. */
const LARGE: Bytes = 8 * MIB;
const MOST_PAST = 4;
const MOST_BYTES: Bytes = 512 * MIB;

/** What waits to be written. */
interface Waiting {
  readonly text: string;
  readonly synced: boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Opens the book in an agent's data directory. */
export function openBook(data: string, disk: Disk, say: (line: string) => void): Book {
  const path = join(data, FILE);
  /** The newest text of each task. */
  const living = new Map<string, string>();
  const file = new BookFile(path, () => [...living.values()].map((text) => `${checked(text)}\n`).join(""));
  const writing = createWriting(disk, file);

  return {
    read() {
      const read = readBook(data);
      for (const [uid, { line }] of read.found) living.set(uid, line);
      return read;
    },
    async begin(gone) {
      for (const uid of gone) living.delete(uid);
      const answer = await disk.answer(() => file.beginAnew());
      if (answer.is !== "done") say(`the book of tasks is not begun anew yet: ${answer.why}`);
    },
    has: (uid) => living.has(uid),
    textOf(uid) {
      const record = fieldsOf(parsedJson(living.get(uid) ?? ""))["record"];
      return record === undefined ? null : `${JSON.stringify(record)}\n`;
    },
    write(record) {
      const text = JSON.stringify({ record: keptRecord(record, clocksNow()) });
      living.set(record.assignment.uid, text);
      return writing.append(text, record.end === null);
    },
    trouble: () => file.trouble,
    close: writing.close,
    forget(uid) {
      return living.delete(uid) ? writing.append(JSON.stringify({ gone: uid }), false) : Promise.resolve();
    },
  };
}

interface Writing {
  append(text: string, synced: boolean): Promise<void>;
  close(): void;
}

/** Writes lines in their order, all that wait at once, and closes the file when nothing is being written. */
function createWriting(disk: Disk, file: BookFile): Writing {
  let waiting: Waiting[] = [];
  let [isFlushing, isClosed] = [false, false];

  const put = async (taken: readonly Waiting[]): Promise<void> => {
    const lines = taken.map(({ text }) => `${checked(text)}\n`).join("");
    const isSynced = taken.some(({ synced }) => synced);
    try {
      await disk.run(() => file.append(lines, isSynced));
      for (const { resolve } of taken) resolve();
    } catch (error) {
      for (const { reject } of taken) reject(error);
    }
  };
  const flush = async (): Promise<void> => {
    // What comes in the same turn is written with it.
    await Promise.resolve();
    while (waiting.length > 0) {
      const taken = waiting;
      waiting = [];
      await put(taken);
    }
    isFlushing = false;
    if (isClosed) file.close();
  };
  return {
    append(text, synced) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      waiting.push({ text, synced, resolve, reject });
      if (!isFlushing) {
        isFlushing = true;
        flush().catch(reject);
      }
      return promise;
    },
    close() {
      isClosed = true;
      if (!isFlushing) file.close();
    },
  };
}

/** The file of a book. Its operations never overlap. */
class BookFile {
  readonly #path: string;
  /** Returns the lines that count now. */
  readonly #living: () => string;
  #open: { readonly fd: number; readonly ino: number } | null = null;
  #bytes: Bytes = 0;
  /** At this size it is begun anew. */
  #most: Bytes = LARGE;
  /** Whether the last line may have been cut off. */
  #torn = false;
  trouble: string | null = null;

  constructor(path: string, living: () => string) {
    this.#path = path;
    this.#living = living;
  }

  append(lines: string, synced: boolean): Promise<void> {
    return this.#noting(() => this.#append(lines, synced));
  }

  /** Replaces the file by one with what counts now. */
  beginAnew(): Promise<void> {
    return this.#noting(() => this.#beginAnew());
  }

  async #noting(write: () => Promise<void>): Promise<void> {
    try {
      await write();
      this.trouble = null;
    } catch (error) {
      this.trouble = wordsOf(error);
      throw error;
    }
  }

  async #append(lines: string, synced: boolean): Promise<void> {
    // Somebody may have removed or replaced the file. A new one has these lines already.
    if (this.#open === null || lookAt(this.#path)?.ino !== this.#open.ino || this.#bytes > this.#most)
      return this.#beginAnew();
    const { fd } = this.#open;
    const text = this.#torn ? `\n${lines}` : lines;
    this.#torn = true;
    await appendSlowly(fd, text, synced);
    this.#torn = false;
    this.#bytes += Buffer.byteLength(text);
  }

  close(): void {
    if (this.#open !== null) closeFile(this.#open.fd);
    this.#open = null;
  }

  async #beginAnew(): Promise<void> {
    if (lookAt(this.#path)?.isDirectory() === true)
      throw new Error(`${this.#path} is a directory: remove it, the agent makes a file there`);
    const text = this.#living();
    await replaceFile(this.#path, text);
    this.close();
    const fd = await openToAppendSlowly(this.#path);
    this.#open = { fd, ino: inodeOf(fd) };
    this.#bytes = Buffer.byteLength(text);
    this.#most = Math.max(LARGE, MOST_PAST * this.#bytes);
    this.#torn = false;
  }
}

/** Reads the book of an agent's data directory. A line that is damaged costs what it says, and no other line. */
export function readBook(data: string): BookRead {
  const found = new Map<string, { line: string; record: TaskRecord }>();
  const read = readTaskFile(data, FILE, MOST_BYTES);
  if (read.is === "missing") return { found, damaged: 0 };
  if (read.is === "failed") return { found, damaged: 1 };
  const lines = read.text.split("\n");
  // What follows the last end of a line was cut off, if not right before its own end, or its end is damaged.
  const last = lines.pop() ?? "";
  if (textIn(last) !== null || textIn(last.slice(0, -1)) !== null) lines.push(last);
  let damaged = 0;
  for (const line of lines) {
    const text = textIn(line);
    const { record, gone } = fieldsOf(text === null ? undefined : parsedJson(text));
    const uid = fieldsOf(fieldsOf(record)["assignment"])["uid"];
    if (typeof gone === "string") found.delete(gone);
    else if (text === null || typeof uid !== "string") damaged += line === "" ? 0 : 1;
    else {
      const parsed = parseRecord(record, uid);
      if (parsed.is === "there") found.set(uid, { line: text, record: parsed.record });
      else damaged++;
    }
  }
  return { found, damaged };
}
