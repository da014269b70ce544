// Measures how fast a directory's disk writes and syncs, and whether it returns what was written. It blocks, so it runs
// in a child process.

import {
  closeSync,
  constants,
  fsyncSync,
  fdatasyncSync,
  ftruncateSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { preciseMs } from "../clock";
import { messageOf } from "../errors";
import { dropCached } from "../libc";

export interface DiskTrial {
  readonly write_bytes_s: number | null;
  readonly read_bytes_s: number | null;
  /** The median time of writing a little and syncing it. */
  readonly sync_ms: number | null;
  /** Whether the data that was read may have come from memory. */
  readonly cached: boolean;
  /** What failed, and where; null if nothing did. */
  readonly failed: { readonly at: "write" | "read" | "sync"; readonly why: string } | null;
}

const STEP = 4 * 2 ** 20;
const MOST_STEPS = 16;
/** No further step is made once this much time has passed, since a few steps are enough to know a slow disk. */
const LONG_ENOUGH_MS = 100;
const SYNCS = 8;
const SMALL = 4_096;

type Mutable = { -readonly [K in keyof DiskTrial]: DiskTrial[K] };

/** Writes at most `room_bytes` into a file in `dir`, which disappears when the trial ends or the process dies. */
export function tryDisk(dir: string, room_bytes: number): DiskTrial {
  const trial: Mutable = { write_bytes_s: null, read_bytes_s: null, sync_ms: null, cached: false, failed: null };
  let at: "write" | "read" | "sync" = "write";
  let fd: number | null = null;
  try {
    fd = openScratch(dir);
    const steps = Math.max(1, Math.min(MOST_STEPS, Math.floor(room_bytes / STEP)));
    const written = writeSteps(fd, steps);
    trial.write_bytes_s = written.rate;
    at = "read";
    trial.cached = dropCached(fd) !== null;
    const read = readSteps(fd, written.steps);
    if (typeof read === "string") trial.failed = { at, why: read };
    else trial.read_bytes_s = read;
    at = "sync";
    ftruncateSync(fd, 0);
    trial.sync_ms = medianSync(fd);
  } catch (error) {
    trial.failed = { at, why: messageOf(error) };
  } finally {
    if (fd !== null) closeSync(fd);
  }
  return trial;
}

/** The file has no name from the beginning, so that nothing is left of it. */
function openScratch(dir: string): number {
  const path = join(dir, `disk-trial.${process.pid}`);
  const { O_CREAT, O_EXCL, O_RDWR, O_NOFOLLOW } = constants;
  const fd = openSync(path, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW, 0o600);
  unlinkSync(path);
  return fd;
}

/** Fills the buffer with bytes that no file system can compress, different ones for each step. */
function fill(buffer: Uint32Array, step: number): void {
  let x = 0x9e3779b9 ^ (step + 1);
  for (let i = 0; i < buffer.length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    buffer[i] = x;
  }
}

function writeSteps(fd: number, most: number): { readonly steps: number; readonly rate: number } {
  const words = new Uint32Array(STEP / 4);
  const bytes = new Uint8Array(words.buffer);
  let took_ms = 0;
  let steps = 0;
  while (steps < most && took_ms < LONG_ENOUGH_MS) {
    fill(words, steps);
    const begun_ms = preciseMs();
    for (let at = 0; at < STEP;) at += writeSync(fd, bytes, at, STEP - at, steps * STEP + at);
    fdatasyncSync(fd);
    took_ms += preciseMs() - begun_ms;
    steps++;
  }
  return { steps, rate: (steps * STEP * 1_000) / took_ms };
}

/** Returns bytes per second, or what is wrong with the data. */
function readSteps(fd: number, steps: number): number | string {
  const expected = new Uint32Array(STEP / 4);
  const bytes = Buffer.allocUnsafe(STEP);
  let took_ms = 0;
  for (let step = 0; step < steps; step++) {
    const begun_ms = preciseMs();
    for (let at = 0; at < STEP;) {
      const got = readSync(fd, bytes, at, STEP - at, step * STEP + at);
      if (got === 0) return `what was written is not all there: it ends at ${step * STEP + at} bytes`;
      at += got;
    }
    took_ms += preciseMs() - begun_ms;
    fill(expected, step);
    if (bytes.compare(new Uint8Array(expected.buffer)) !== 0) return "what is read is not what was written";
  }
  return (steps * STEP * 1_000) / took_ms;
}

function medianSync(fd: number): number {
  const small = new Uint8Array(SMALL).fill(0x5a);
  const times: number[] = [];
  let all = 0;
  for (let n = 0; n < SYNCS && all < LONG_ENOUGH_MS; n++) {
    const begun_ms = preciseMs();
    writeSync(fd, small, 0, SMALL, n * SMALL);
    fsyncSync(fd);
    times.push(preciseMs() - begun_ms);
    all += times.at(-1) ?? 0;
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
}
