// Watches the output of tasks grow. Marks say when which byte was there, so that logs can be asked for by time, and the
// oldest bytes beyond a cap are removed from the disk. The keeper does this, so that it goes on without an agent.

import { messageOf } from "../../os/errors";
import { closeFile } from "../../os/files/files";
import { appendTaskLines, emptyTaskFile, openTaskFile, sizeOfTaskFile } from "../../os/files/task-files";
import { punchHole } from "../../os/libc";
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
    return { ...freshStream(name), base, freed: from, marks: at.length, size: at.at(-1)?.offset ?? base };
  }),
});

/**
 * Looks once at the streams that are due. The lines of the marks file are `at NAME OFFSET MS BOOT_MS`, `from NAME
 * OFFSET` and `cut NAME OFFSET`. Keepers of earlier releases wrote no BOOT_MS.
 */
export function look(growth: Growth, now: Clocks, say: (why: string) => void): void {
  const now_ms = now.boot_ms;
  for (const stream of growth.streams) {
    if (now_ms < stream.look_after_ms) continue;
    const size = stream.base + sizeOfTaskFile(growth.dir, FILES[stream.name]);
    if (size === stream.size) {
      stream.look_after_ms = now_ms + stream.quiet_ms;
      stream.quiet_ms = Math.min(LOOK_SELDOM_MS, stream.quiet_ms * 2);
      continue;
    }
    grown(growth, stream, size, now, say);
  }
}

function grown(growth: Growth, stream: Stream, size: number, now: Clocks, say: (why: string) => void): void {
  const now_ms = now.boot_ms;
  stream.size = size;
  stream.quiet_ms = LOOK_EVERY_MS;
  stream.look_after_ms = now_ms + LOOK_EVERY_MS;
  if (now_ms >= stream.mark_after_ms) {
    stream.marks += 1;
    stream.mark_after_ms = now_ms + LOOK_EVERY_MS * 2 ** Math.floor(stream.marks / MARKS_A_STEP);
    mark(growth, `at ${stream.name} ${size} ${now.wall_ms} ${now_ms}`, say);
  }
  // Bytes are freed in steps of an eighth of the cap, so that steady output does not cost a call at every look.
  if (size - stream.freed > growth.cap_bytes + growth.cap_bytes / 8) free(growth, stream, say);
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
  const name = FILES[stream.name];
  const until = Math.floor((stream.size - growth.cap_bytes) / BLOCK) * BLOCK;
  const fd = openTaskFile(growth.dir, name, "change");
  try {
    const from = Math.max(0, stream.freed - stream.base);
    const why = punchHole(fd, from, until - stream.base - from);
    if (why === null) {
      stream.freed = until;
      return mark(growth, `from ${stream.name} ${until}`, say);
    }
  } finally {
    closeFile(fd);
  }
  emptyTaskFile(growth.dir, name);
  stream.base = stream.size;
  stream.freed = stream.size;
  mark(growth, `cut ${stream.name} ${stream.size}`, say);
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
