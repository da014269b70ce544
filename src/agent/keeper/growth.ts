// Watches the output of tasks grow. Marks say when which byte was there, so that logs can be asked for by time, and the
// oldest bytes beyond a cap are removed from the disk. The keeper does this, so that it goes on without an agent.

import { messageOf } from "../../os/errors";
import { closeFile, sizeOf } from "../../os/files/files";
import { appendTaskLines, cutTaskFile, extentOfTaskFile, openTaskFile } from "../../os/files/task-files";
import { punchHole, type HoleFailure } from "../../os/libc";
import { readMarks } from "../tasks/logs";
import { clocksNow, type Clocks } from "../tasks/moments";
import { FILES } from "../tasks/taskdir";

/**
 * The shortest time between two looks at a stream, so that it gets at most 4 marks a second. A quiet stream is looked
 * at less often.
 */
export const LOOK_EVERY_MS = 250;
const LOOK_SELDOM_MS = 4_000;
/** After this many marks of a stream the time between two of them doubles, so that the marks file stays small. */
const MARKS_A_STEP = 2_000;
const BLOCK = 4_096;
/** How many caps a stream may take of the disk while its task lives, for file systems that allocate ahead. */
const SPARE = 2;
/** Some file systems count freed blocks as taken until they have written their next transaction. */
const COUNT_LAG_MS = 10_000;

export type StreamName = "stdout" | "stderr";

interface Stream {
  readonly name: StreamName;
  /** The offset of the file's first byte. It is more than 0 after a cut, where holes cannot be punched. */
  base: number;
  size: number;
  freed: number;
  marks: number;
  mark_after_ms: number;
  look_after_ms: number;
  quiet_ms: number;
  /** Since when the stream takes more of the disk than it may, although all that it does not show was freed. */
  over_since_ms: number | null;
}

export interface Growth {
  readonly dir: string;
  readonly cap_bytes: number;
  readonly streams: readonly Stream[];
  /** Whether it was said that there can be no marks, and that the streams cannot be watched. */
  unmarked: boolean;
  unwatched: boolean;
}

const freshStream = (name: StreamName): Stream => ({
  name,
  base: 0,
  size: 0,
  freed: 0,
  marks: 0,
  mark_after_ms: 0,
  look_after_ms: 0,
  quiet_ms: LOOK_EVERY_MS,
  over_since_ms: null,
});

export const watchGrowth = (dir: string, cap_bytes: number): Growth => ({
  dir,
  cap_bytes,
  streams: [freshStream("stdout"), freshStream("stderr")],
  unmarked: false,
  unwatched: false,
});

/** Goes on watching what another process has watched, from its marks. */
export const resumeGrowth = (dir: string, cap_bytes: number): Growth => ({
  ...watchGrowth(dir, cap_bytes),
  streams: (["stdout", "stderr"] as const).map((name) => {
    const { base, from, at } = readMarks(dir, name);
    return { ...freshStream(name), base, freed: from, marks: at.length, size: Math.max(at.at(-1)?.offset ?? 0, base) };
  }),
});

/**
 * Looks once at the streams that are due. The lines of the marks file are `at NAME OFFSET MS BOOT_MS`, `from NAME
 * OFFSET` and `cut NAME OFFSET`. Keepers of earlier releases wrote no BOOT_MS.
 */
export function look(growth: Growth, now: Clocks, say: (why: string) => void): void {
  const failures: unknown[] = [];
  for (const stream of growth.streams) {
    if (now.boot_ms < stream.look_after_ms) continue;
    // A stream that cannot be opened, since its task holds a lease on the file, keeps the other one from nothing.
    try {
      lookAtStream(growth, stream, now, say);
    } catch (error) {
      stream.look_after_ms = now.boot_ms + LOOK_EVERY_MS;
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

function lookAtStream(growth: Growth, stream: Stream, now: Clocks, say: (why: string) => void): void {
  const extent = extentOfTaskFile(growth.dir, FILES[stream.name]);
  const size = stream.base + extent.size;
  if (size === stream.size) {
    stream.look_after_ms = now.boot_ms + stream.quiet_ms;
    stream.quiet_ms = Math.min(LOOK_SELDOM_MS, stream.quiet_ms * 2);
  } else if (size < stream.size) shrunk(growth, stream, extent.size, say);
  else grown(growth, stream, size, now, say);
  // Bytes are freed in steps of an eighth of the cap, so that steady output does not cost a call at every look.
  const { cap_bytes } = growth;
  if (stream.size - stream.freed > allowed(cap_bytes)) free(growth, stream, say);
  else if (extent.disk_bytes <= SPARE * cap_bytes) stream.over_since_ms = null;
  else reclaim(growth, stream, SPARE * cap_bytes, now, say);
}

const allowed = (cap_bytes: number): number => cap_bytes + cap_bytes / 8;

function grown(growth: Growth, stream: Stream, size: number, now: Clocks, say: (why: string) => void): void {
  const now_ms = now.boot_ms;
  stream.size = size;
  stream.quiet_ms = LOOK_EVERY_MS;
  stream.look_after_ms = now_ms + LOOK_EVERY_MS;
  if (now_ms < stream.mark_after_ms) return;
  stream.marks += 1;
  stream.mark_after_ms = now_ms + LOOK_EVERY_MS * 2 ** Math.floor(stream.marks / MARKS_A_STEP);
  mark(growth, `at ${stream.name} ${size} ${now.wall_ms} ${now_ms}`, say);
}

/** Begins anew with a file that its task has cut off: its first byte follows the last one that was seen. */
function shrunk(growth: Growth, stream: Stream, size: number, say: (why: string) => void): void {
  beginAt(growth, stream, stream.size, say);
  stream.size += size;
  stream.quiet_ms = LOOK_EVERY_MS;
}

/** A file can be made to look larger than a number can count exactly. Offsets stay below that. */
const MOST_OFFSET = 2 ** 52;

function beginAt(growth: Growth, stream: Stream, offset: number, say: (why: string) => void): void {
  stream.base = Math.min(offset, MOST_OFFSET);
  stream.size = stream.base;
  stream.freed = stream.base;
  mark(growth, `cut ${stream.name} ${stream.base}`, say);
}

/**
 * Notes a fact about a stream. Where that is impossible, as when the task has put something else there, it is said
 * once.
 */
function mark(growth: Growth, line: string, say: (why: string) => void): void {
  try {
    appendTaskLines(growth.dir, FILES.marks, `${line}\n`);
  } catch (error) {
    if (!growth.unmarked) say(`${growth.dir}: its output has no marks: ${messageOf(error)}`);
    growth.unmarked = true;
  }
}

/**
 * Frees the bytes beyond the cap by a hole. Where holes cannot be punched, the file is emptied and the cut is noted.
 */
function free(growth: Growth, stream: Stream, say: (why: string) => void): void {
  const until = Math.floor((stream.size - growth.cap_bytes) / BLOCK) * BLOCK;
  // The kernel refuses a hole without length, which would pass for a file system without holes.
  if (until <= stream.freed) return;
  const fd = openTaskFile(growth.dir, FILES[stream.name], "change");
  try {
    const from = Math.max(0, stream.freed - stream.base);
    const failed = punchHole(fd, from, until - stream.base - from);
    if (failed !== null) {
      // A file system without room for the hole's own records may have it at the next look.
      const { disk_bytes } = extentOfTaskFile(growth.dir, FILES[stream.name]);
      if (!failed.impossible && disk_bytes <= SPARE * growth.cap_bytes) throw new Error(failed.why);
      return empty(growth, stream, fd, say);
    }
    stream.freed = until;
    mark(growth, `from ${stream.name} ${until}`, say);
  } finally {
    closeFile(fd);
  }
}

function empty(growth: Growth, stream: Stream, fd: number, say: (why: string) => void): void {
  cutTaskFile(fd, 0);
  beginAt(growth, stream, stream.size, say);
}

/**
 * Frees what a stream takes of the disk and does not show: blocks that were allocated beyond the file's end, or again
 * where the oldest bytes were. Some file systems allocate ahead by themselves, so the room of another cap is left.
 * `now` is null once the task has ended: then what cannot be freed is left, since nothing more is added.
 */
function reclaim(growth: Growth, stream: Stream, most: number, now: Clocks | null, say: (why: string) => void): void {
  const fd = openTaskFile(growth.dir, FILES[stream.name], "change");
  const isOver = (): boolean => extentOfTaskFile(growth.dir, FILES[stream.name]).disk_bytes > most;
  try {
    const hidden = stream.freed - stream.base;
    const failed = hidden > 0 ? punchHole(fd, 0, hidden) : null;
    // Bytes may be appended meanwhile, so the hole begins farther on.
    punchToTheEnd(fd, stream.size - stream.base + growth.cap_bytes / 4);
    // ext4 frees nothing beyond the end by a hole, but does when a file is cut off at its own size.
    if (isOver()) cutTaskFile(fd, sizeOf(fd));
    const found = judgeOver(isOver() ? (stream.over_since_ms ?? now?.boot_ms ?? null) : null, failed, now);
    stream.over_since_ms = found.since_ms;
    if (found.empties) empty(growth, stream, fd, say);
  } finally {
    closeFile(fd);
  }
}

/**
 * Returns whether a stream that is over its bound since `since_ms` (null: it is not) is emptied. That takes its whole
 * output, so it is the last resort: for a living task, and once it is sure that the blocks do not come back.
 */
export function judgeOver(
  since_ms: number | null,
  failed: HoleFailure | null,
  now: Clocks | null,
): { readonly since_ms: number | null; readonly empties: boolean } {
  if (since_ms === null || now === null) return { since_ms: null, empties: false };
  const isSure = failed?.impossible === true || now.boot_ms - since_ms >= COUNT_LAG_MS;
  return isSure ? { since_ms: null, empties: true } : { since_ms, empties: false };
}

/** Punches the longest hole that the file system takes: how far a file may reach depends on it. */
function punchToTheEnd(fd: number, from: number): void {
  const offset = Math.ceil(from / BLOCK) * BLOCK;
  for (let length = 2 ** 60; length >= BLOCK; length /= 2) if (punchHole(fd, offset, length) === null) return;
}

/**
 * Caps what the streams of a task take of the disk, once none of its processes is left: what was written or allocated
 * since the last look stays for as long as the task's files do.
 */
export function capAtEnd(dir: string, cap_bytes: number, say: (why: string) => void): void {
  const most = allowed(cap_bytes) + BLOCK;
  const isOver = (name: StreamName): boolean => extentOfTaskFile(dir, FILES[name]).disk_bytes > most;
  if (!isOver("stdout") && !isOver("stderr")) return;
  const growth = resumeGrowth(dir, cap_bytes);
  for (const stream of growth.streams) {
    try {
      if (!isOver(stream.name)) continue;
      lookAtStream(growth, stream, clocksNow(), say);
      if (stream.size - stream.freed > cap_bytes) free(growth, stream, say);
      if (isOver(stream.name)) reclaim(growth, stream, most, null, say);
    } catch (error) {
      say(`${dir}: ${messageOf(error)}`);
    }
  }
}

/**
 * Looks once at all streams. A task whose streams cannot be looked at is reported to `say` once, and the others are
 * still looked at.
 */
export function lookAtAll(growths: Iterable<Growth>, say: (why: string) => void): void {
  const now = clocksNow();
  for (const growth of growths) {
    try {
      look(growth, now, say);
    } catch (error) {
      if (!growth.unwatched) say(`${growth.dir}: ${messageOf(error)}`);
      growth.unwatched = true;
    }
  }
}
