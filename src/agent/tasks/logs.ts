// Reads the output of a task, from an offset or a time, to its end or while it grows. Offsets count all bytes that were
// ever written, also those that the cap has removed since.

import { pause } from "../../os/clock";
import { changedMs, closeFile, readAt, sizeOf } from "../../os/files/files";
import { openToReadTask, readTaskFile, wholeLines, type OpenedToRead } from "../../os/files/task-files";
import { MIB, type Ms, type WallMs } from "../../core/units";
import { createStamper, startOfLast } from "./log-lines";
import { recalled, type Clocks, type KeptMoment } from "./moments";
import { FILES, readAttempt, type Attempt } from "./taskdir";

export interface TaskLogQuery {
  readonly uid: string;
  readonly name: "stdout" | "stderr";
  readonly offset: number;
  readonly follow: boolean;
  /** Only output of the last so many milliseconds is read; null for no such bound. */
  readonly since_age_ms: number | null;
  /** Only the last so many lines of what is there are read. */
  readonly tail_lines?: number | undefined;
  /** Each line begins with its time. */
  readonly times?: true | undefined;
}

export interface TaskLogOptions {
  /** Returns where the directory of a task is now; null if it is gone. */
  readonly dirOf: (uid: string) => string | null;
  readonly clocks: () => Clocks;
  /** Returns whether the task may still write. */
  readonly living: (uid: string) => boolean;
  readonly signal: AbortSignal;
  /** Receives the offset at which the reading begins. */
  readonly begins?: (offset: number) => void;
  /**
   * Returns where the output is within the directory of the task: that of one element of a batch; null if there is none
   * yet. Missing: it is the task's own.
   */
  readonly outputIn?: (dir: string) => string | null;
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

/** One look at a task's stream: what its directory says of it, and the file, which whoever looks has to close. */
interface Output {
  readonly marks: Marks;
  readonly opened: OpenedToRead;
}

type Place = Pick<TaskLogOptions, "dirOf" | "outputIn"> & Pick<TaskLogQuery, "uid">;

const placeOf = ({ uid }: TaskLogQuery, { dirOf, outputIn }: TaskLogOptions): Place =>
  outputIn === undefined ? { uid, dirOf } : { uid, dirOf, outputIn };

/**
 * Reads in the directory of a task. It is moved to the ended ones as soon as the server has the task's end, which may
 * be between two calls here: what is missing where it was looked for is looked for again.
 */
function readIn<T>({ dirOf, uid }: Place, read: (dir: string) => T, isMissing: (found: T) => boolean): T {
  for (let dir = dirOf(uid); dir !== null;) {
    const found = read(dir);
    const now = isMissing(found) ? dirOf(uid) : dir;
    if (now === dir) return found;
    dir = now;
  }
  throw new Error("its output is no longer kept on the node");
}

const attemptIn = (place: Place): Attempt | null => readIn(place, readAttempt, (attempt) => attempt === null);

/** The file is opened last: if it is there, its directory was there too while the marks were read. */
const openOutput = (place: Place, name: TaskLogQuery["name"]): Output =>
  readIn(
    place,
    (dir) => openIn(dir, name, place.outputIn),
    ({ opened }) => opened.is === "missing",
  );

const NO_MARKS: Marks = { base: 0, from: 0, at: [] };

/** The directory in which an element runs becomes the next one's, so it is asked for again once the file is open. */
function openIn(dir: string, name: TaskLogQuery["name"], outputIn: TaskLogOptions["outputIn"]): Output {
  for (let at = outputIn === undefined ? dir : outputIn(dir); at !== null;) {
    const output = { marks: readMarks(at, name), opened: openToReadTask(at, FILES[name]) };
    const now = outputIn === undefined ? at : outputIn(dir);
    if (now === at) return output;
    if (output.opened.is === "open") closeFile(output.opened.fd);
    at = now;
  }
  return { marks: NO_MARKS, opened: { is: "missing" } };
}

/** Returns the offset of the first byte that was asked for. */
async function firstOffset(query: TaskLogQuery, place: Place, { clocks }: TaskLogOptions): Promise<number> {
  const { name, since_age_ms, tail_lines } = query;
  const boot_id = since_age_ms === null ? "" : (attemptIn(place)?.boot_id ?? "");
  const { marks, opened } = openOutput(place, name);
  try {
    const since = since_age_ms === null ? 0 : offsetSince(marks, boot_id, since_age_ms, clocks());
    return Math.max(query.offset, since, tail_lines === undefined ? 0 : await offsetOfLast(opened, tail_lines, marks));
  } finally {
    if (opened.is === "open") closeFile(opened.fd);
  }
}

/** Returns the offset at which the last lines of what is there begin. */
async function offsetOfLast(opened: OpenedToRead, lines: number, marks: Marks): Promise<number> {
  if (opened.is !== "open") return marks.from;
  return marks.base + (await startOfLast(opened.fd, lines, marks.from - marks.base));
}

/** Returns when a byte was noticed: the time of the first mark behind it. Returns null if none is. */
function timeAt(marks: Marks, offset: number): WallMs | null {
  let [from, until] = [0, marks.at.length];
  while (from < until) {
    const middle = (from + until) >> 1;
    if ((marks.at[middle]?.offset ?? 0) > offset) until = middle;
    else from = middle + 1;
  }
  return marks.at[from]?.wall_ms ?? null;
}

/**
 * Reads the bytes of a task's stream. It stops at the end of the file or, when following, once the task is over and all
 * its output was read.
 */
export async function* readLog(query: TaskLogQuery, options: TaskLogOptions): AsyncGenerator<Uint8Array> {
  const place = placeOf(query, options);
  let offset = await firstOffset(query, place, options);
  options.begins?.(offset);
  let marks = NO_MARKS;
  const stamper = query.times === true ? createStamper() : null;
  /** Puts times before the lines of output that begins at an offset; null: they are said now, and are no output. */
  const timed = (bytes: Uint8Array, at: number | null, written_ms: WallMs): Uint8Array =>
    stamper?.(bytes, at ?? 0, (of) => (at === null ? null : timeAt(marks, of)) ?? written_ms) ?? bytes;
  const said = (bytes: Uint8Array): Uint8Array => timed(bytes, null, options.clocks().wall_ms);
  let unread = false;
  for (;;) {
    // This is asked before the last look, so that output from just before the task's end is read too.
    const living = options.living(query.uid);
    const output = openOutput(place, query.name);
    const { opened } = output;
    marks = output.marks;
    try {
      if (offset < marks.from) {
        yield said(gap(marks.from - offset));
        offset = marks.from;
      }
      if (opened.is === "failed") {
        if (!unread) yield said(note(`this output cannot be read now: ${opened.why}`));
        unread = true;
      }
      // The last bytes have no mark yet. They are as old as the file at most.
      const written_ms = opened.is === "open" ? changedMs(opened.fd) : 0;
      for (const bytes of opened.is === "open" ? chunksOf(opened.fd, offset - marks.base) : []) {
        const at = offset;
        offset += bytes.length;
        yield timed(bytes, at, written_ms);
        if (options.signal.aborted) return;
      }
    } finally {
      if (opened.is === "open") closeFile(opened.fd);
    }
    // An empty answer would pass for one that has it all.
    if (opened.is === "missing" && !living && hasRun(place)) throw new Error("its output is not on the node any more");
    if (!query.follow || !living || options.signal.aborted) return;
    await pause(LOOK_EVERY_MS, options.signal);
  }
}

/** Returns whether a process of the task began, which has its output from the first moment on. */
const hasRun = (place: Place): boolean => (attemptIn(place)?.process ?? null) !== null;

const note = (text: string): Uint8Array => new TextEncoder().encode(`[${text}]\n`);
const gap = (bytes: number): Uint8Array => note(`${bytes} older bytes were removed: the log is at its cap`);

/** Reads an open file from an offset to its end. */
function* chunksOf(fd: number, from: number): Generator<Uint8Array> {
  for (let at = from; at < sizeOf(fd);) {
    const bytes = readAt(fd, at, CHUNK_BYTES);
    if (bytes.length === 0) return;
    at += bytes.length;
    yield bytes;
  }
}
