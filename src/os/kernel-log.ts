// Follows the kernel's log without ever waiting for it: /dev/kmsg, or a growing file that stands in for it. The place
// up to which the log was read survives a restart, so each line is read once.

import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { bootMs } from "./clock";

export interface KernelLine {
  readonly text: string;
  /** How long ago the line was logged, or null if that is unknown. */
  readonly age_ms: number | null;
}

export interface KernelLog {
  /** Returns the lines that were logged since the last call. */
  read(): readonly KernelLine[];
  /** Returns the place at which the next call begins, as a text that a later process can pass to `openKernelLog`. */
  place(): string;
  /** Returns why the log cannot be read, or null. */
  problem(): string | null;
  close(): void;
}

const RECORD_BYTES = 8_192;
/** The most records of one read, about as many as the kernel's buffer holds. Further records wait for the next read. */
const MOST_RECORDS = 50_000;
const CHUNK_BYTES = 1024 * 1024;

/** Follows the log at `path` from an earlier place, or else from the oldest line that is still there. */
export function openKernelLog(path: string, place: string | null): KernelLog {
  let fd: number | null = null;
  let why: string | null = null;
  let at = place ?? "";

  const open = (): number | null => {
    if (fd !== null) return fd;
    try {
      fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      why = null;
    } catch (error) {
      why = (error as Error).message;
    }
    return fd;
  };

  const close = (): void => {
    if (fd !== null) closeSync(fd);
    fd = null;
  };

  return {
    read() {
      const file = open();
      if (file === null) return [];
      try {
        const { is, lines, place: now } = fstatSync(file).isCharacterDevice() ? records(file, at) : added(file, at);
        at = now;
        // A file that has replaced the old one has to be opened anew.
        if (is === "file") close();
        return lines;
      } catch (error) {
        why = (error as Error).message;
        close();
        return [];
      }
    },
    place: () => at,
    problem: () => why,
    close,
  };
}

interface Read {
  readonly is: "device" | "file";
  readonly lines: readonly KernelLine[];
  readonly place: string;
}

/**
 * Reads one record per call; the place is the number of the last record. Each opening begins with the oldest record.
 */
function records(fd: number, place: string): Read {
  const lines: KernelLine[] = [];
  const bytes = Buffer.alloc(RECORD_BYTES);
  let last = Number(place || -1);
  for (let count = 0; count < MOST_RECORDS; count++) {
    const length = recordInto(fd, bytes);
    if (length === null) break;
    if (length === "lost") continue;
    const record = /^\d+,(\d+),(\d+),[^;]*;([^\n]*)/.exec(bytes.toString("utf8", 0, length));
    if (record === null || Number(record[1]) <= last) continue;
    last = Number(record[1]);
    lines.push({ text: record[3] ?? "", age_ms: ageOf(Number(record[2]) / 1_000) });
  }
  return { is: "device", lines, place: last < 0 ? "" : String(last) };
}

/**
 * Reads one record into `bytes` and returns its length. Returns null if there is none now, and "lost" if records were
 * overwritten before they were read.
 */
function recordInto(fd: number, bytes: Buffer): number | "lost" | null {
  try {
    return readSync(fd, bytes, 0, bytes.length, null) || null;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EAGAIN") return null;
    if (code === "EPIPE" || code === "EINVAL") return "lost";
    throw error;
  }
}

const ageOf = (logged_boot_ms: number): number => Math.max(0, bootMs() - logged_boot_ms);

/**
 * Reads the whole lines behind the place `inode:offset`. A file that was cut or replaced is read from its beginning.
 */
function added(fd: number, place: string): Read {
  const { ino, size } = fstatSync(fd);
  const [inode = "", offset = "0"] = place.split(":");
  const from = inode === String(ino) && Number(offset) <= size ? Number(offset) : 0;
  const bytes = Buffer.alloc(Math.min(CHUNK_BYTES, size - from));
  const length = bytes.length === 0 ? 0 : readSync(fd, bytes, 0, bytes.length, from);
  const whole = bytes.subarray(0, length).lastIndexOf(10) + 1;
  const texts = bytes.toString("utf8", 0, whole).split("\n").slice(0, -1);
  return { is: "file", lines: texts.map(lineOf), place: `${ino}:${from + whole}` };
}

/**
 * Parses a line in the format of /dev/kmsg, `dmesg` or a system log. The kernel's own time is used where the line has
 * it.
 */
function lineOf(line: string): KernelLine {
  const record = /^\d+,\d+,(\d+),[^;]*;(.*)$/.exec(line);
  if (record !== null) return { text: record[2] ?? "", age_ms: ageOf(Number(record[1]) / 1_000) };
  const seconds = /^(?:.*kernel: )?\[\s*(\d+\.\d+)\] /.exec(line)?.[1];
  return { text: line, age_ms: seconds === undefined ? null : ageOf(Number(seconds) * 1_000) };
}
