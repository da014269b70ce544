// Reads the output of a task, from an offset or a time, to its end or while it grows. Offsets count all bytes that were
// ever written, also those that the cap has removed since.

import { pause } from "../../os/clock";
import { closeFile, readAt, sizeOf } from "../../os/files/files";
import { openToReadTask, readTaskFile, wholeLines } from "../../os/files/task-files";
import { MIB, type Ms } from "../../core/units";
import { recalled, type Clocks, type KeptMoment } from "./moments";
import { dirOfTask, FILES, readAttempt } from "./taskdir";

export interface TaskLogQuery {
  readonly uid: string;
  readonly name: "stdout" | "stderr";
  readonly offset: number;
  readonly follow: boolean;
  /** Only output of the last so many milliseconds is read; null for no such bound. */
  readonly since_age_ms: number | null;
}

export interface TaskLogOptions {
  /** `<data>/agent`. */
  readonly data: string;
  readonly clocks: () => Clocks;
  /** Returns whether the task may still write. */
  readonly living: (uid: string) => boolean;
  readonly signal: AbortSignal;
}

const CHUNK_BYTES = 64 * 1024;
const LOOK_EVERY_MS = 100;

/** The keeper writes far fewer. A longer file is not its work, and counts as empty. */
const MOST_MARKS = 16 * MIB;

/** When a byte was there. Marks of earlier releases have no `boot_ms`. */
interface Mark extends Omit<KeptMoment, "boot_id"> {
  readonly offset: number;
}

/** The facts about one stream in the marks file. */
interface Marks {
  /** The offset of the file's first byte. It is more than 0 if the file was cut. */
  readonly base: number;
  /** The first offset that was not removed. */
  readonly from: number;
  readonly at: readonly Mark[];
}

/** Returns what the marks file says of one stream. */
export function readMarks(dir: string, name: string): Marks {
  const read = readTaskFile(dir, FILES.marks, MOST_MARKS);
  let [base, from] = [0, 0];
  const at: Mark[] = [];
  for (const line of read.is === "there" ? wholeLines(read.text) : []) {
    const [verb, stream, offset, wall_ms, boot_ms] = line.split(" ");
    if (stream !== name) continue;
    if (verb === "cut") base = Number(offset);
    if (verb === "cut" || verb === "from") from = Number(offset);
    if (verb === "at") {
      at.push({
        offset: Number(offset),
        wall_ms: Number(wall_ms),
        boot_ms: boot_ms === undefined ? null : Number(boot_ms),
      });
    }
  }
  return { base, from, at };
}

/**
 * Returns the offset at which the output of the last `age_ms` begins: the offset of the last older mark, as bytes
 * before it were written earlier. `boot_id` is the boot in which the task ran.
 */
function offsetSince(marks: Marks, boot_id: string, age_ms: Ms, now: Clocks): number {
  const since_ms = now.boot_ms - age_ms;
  const older = marks.at.filter((mark) => recalled({ ...mark, boot_id }, now) < since_ms).at(-1);
  return older?.offset ?? 0;
}

/**
 * Reads the bytes of a task's stream. It stops at the end of the file or, when following, once the task is over and all
 * its output was read.
 */
export async function* readLog(query: TaskLogQuery, options: TaskLogOptions): AsyncGenerator<Uint8Array> {
  const found = dirOfTask(options.data, query.uid);
  if (found === null) throw new Error("its output is no longer kept on the node");
  let marks = readMarks(found, query.name);
  const { since_age_ms } = query;
  const boot_id = readAttempt(found)?.boot_id ?? "";
  const since = since_age_ms === null ? 0 : offsetSince(marks, boot_id, since_age_ms, options.clocks());
  let offset = Math.max(query.offset, since);
  let unread = false;
  for (;;) {
    // This is asked before the last look, so that output from just before the task's end is read too.
    const living = options.living(query.uid);
    const dir = dirOfTask(options.data, query.uid) ?? found;
    marks = readMarks(dir, query.name);
    if (offset < marks.from) {
      yield gap(marks.from - offset);
      offset = marks.from;
    }
    const opened = openToReadTask(dir, FILES[query.name]);
    if (opened.is === "failed") {
      if (!unread) yield note(`this output cannot be read now: ${opened.why}`);
      unread = true;
    }
    for (const bytes of opened.is === "open" ? chunksOf(opened.fd, offset - marks.base) : []) {
      offset += bytes.length;
      yield bytes;
      if (options.signal.aborted) return;
    }
    if (!query.follow || !living || options.signal.aborted) return;
    await pause(LOOK_EVERY_MS, options.signal);
  }
}

const note = (text: string): Uint8Array => new TextEncoder().encode(`[${text}]\n`);
const gap = (bytes: number): Uint8Array => note(`${bytes} older bytes were removed: the log is at its cap`);

/** Reads an open file from an offset to its end, and closes it. */
function* chunksOf(fd: number, from: number): Generator<Uint8Array> {
  try {
    for (let at = from; at < sizeOf(fd);) {
      const bytes = readAt(fd, at, CHUNK_BYTES);
      if (bytes.length === 0) return;
      at += bytes.length;
      yield bytes;
    }
  } finally {
    closeFile(fd);
  }
}
