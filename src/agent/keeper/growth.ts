// Watches the output of tasks grow. Marks say when which byte was there, so that logs can be asked for by time, and the
// oldest bytes beyond a cap are removed from the disk. The keeper does this, so that it goes on without an agent.

import { join } from "node:path";
import { nowMs } from "../../os/clock";
import { messageOf } from "../../os/errors";
import { appendText, closeFile, cutFile, lookAt, openToChange } from "../../os/files/files";
import { punchHole } from "../../os/libc";
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
});

/**
 * Looks once at the streams that are due. The lines of the marks file are `at NAME OFFSET MS`, `from NAME OFFSET` and
 * `cut NAME OFFSET`.
 */
export function look(growth: Growth, now_ms: number): void {
  for (const stream of growth.streams) {
    if (now_ms < stream.look_after_ms) continue;
    const there = lookAt(join(growth.dir, FILES[stream.name]));
    const size = stream.base + (there?.size ?? 0);
    if (size === stream.size) {
      stream.look_after_ms = now_ms + stream.quiet_ms;
      stream.quiet_ms = Math.min(LOOK_SELDOM_MS, stream.quiet_ms * 2);
      continue;
    }
    grown(growth, stream, size, now_ms);
  }
}

function grown(growth: Growth, stream: Stream, size: number, now_ms: number): void {
  const marks = join(growth.dir, FILES.marks);
  if (now_ms >= stream.mark_after_ms) {
    appendText(marks, `at ${stream.name} ${size} ${now_ms}\n`);
    stream.marks += 1;
    stream.mark_after_ms = now_ms + LOOK_EVERY_MS * 2 ** Math.floor(stream.marks / MARKS_A_STEP);
  }
  stream.size = size;
  stream.quiet_ms = LOOK_EVERY_MS;
  stream.look_after_ms = now_ms + LOOK_EVERY_MS;
  // Bytes are freed in steps of an eighth of the cap, so that steady output does not cost a call at every look.
  if (size - stream.freed > growth.cap_bytes + growth.cap_bytes / 8) free(growth, stream, marks);
}

/**
 * Frees the bytes beyond the cap by a hole. Where holes cannot be punched, the file is emptied and the cut is noted.
 */
function free(growth: Growth, stream: Stream, marks: string): void {
  const path = join(growth.dir, FILES[stream.name]);
  const until = Math.floor((stream.size - growth.cap_bytes) / BLOCK) * BLOCK;
  const fd = openToChange(path);
  try {
    const from = Math.max(0, stream.freed - stream.base);
    const why = punchHole(fd, from, until - stream.base - from);
    if (why === null) {
      stream.freed = until;
      appendText(marks, `from ${stream.name} ${until}\n`);
      return;
    }
  } finally {
    closeFile(fd);
  }
  cutFile(path);
  stream.base = stream.size;
  stream.freed = stream.size;
  appendText(marks, `cut ${stream.name} ${stream.size}\n`);
}

/**
 * Looks once at all streams. A task whose streams cannot be looked at is reported to `say`, and the others are still
 * looked at.
 */
export function lookAtAll(growths: Iterable<Growth>, say: (why: string) => void): void {
  const now = nowMs();
  for (const growth of growths) {
    try {
      look(growth, now);
    } catch (error) {
      say(`${growth.dir}: ${messageOf(error)}`);
    }
  }
}
