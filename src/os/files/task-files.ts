// Files that a task may have changed: its account can be that of the agent, so any of them may have become a link, a
// pipe or a huge file. They are opened without following a link, without waiting, only as regular files, and read with
// a bound. Also the lines of such files: each begins on a line of its own, whatever was cut off before it.

import { closeSync, constants, fstatSync, ftruncateSync, lstatSync, openSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../errors";
import { appendTo, readAt, sizeOf, type Text } from "./files";

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY, O_DIRECTORY, O_RDONLY, O_RDWR, O_WRONLY, O_APPEND } =
  constants;
const SAFELY = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

/** `append` creates the file where it is missing, and `create` only there. */
export type Purpose = "read" | "append" | "create" | "change";

const FLAGS: Readonly<Record<Purpose, number>> = {
  read: O_RDONLY,
  append: O_RDWR | O_APPEND | O_CREAT,
  create: O_RDWR | O_APPEND | O_CREAT | O_EXCL,
  change: O_WRONLY,
};

/** Opens a regular file in a directory. Throws if it cannot be opened so, also where it is no regular file. */
export function openTaskFile(dir: string, name: string, purpose: Purpose): number {
  const fd = openIn(dir, name, FLAGS[purpose] | SAFELY);
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw Object.assign(new Error(`${join(dir, name)} is not a regular file`), { code: "ENOTREG" });
}

/**
 * Opens an output of a task for appending, and creates it where it is missing. The descriptor is handed to the task, so
 * it has none of the flags with which the file was looked at.
 */
export const openOutput = (dir: string, name: string): number => openToHand(dir, name, "append", O_WRONLY | O_APPEND);

/** Opens the input of a task for reading. The descriptor is handed to the task, like that of an output. */
export const openInput = (dir: string, name: string): number => openToHand(dir, name, "read", O_RDONLY);

function openToHand(dir: string, name: string, purpose: Purpose, flags: number): number {
  const looked = openTaskFile(dir, name, purpose);
  try {
    return openAgain(looked, join(dir, name), flags);
  } finally {
    closeSync(looked);
  }
}

/** Opens an open file anew, so that what a process does to one descriptor (flags, locks) is not seen at the other. */
const openAgain = (fd: number, path: string, flags: number): number =>
  openSync(process.platform === "linux" ? `/proc/self/fd/${fd}` : path, flags);

/** An output file that is handed to one process after the other, for as long as none of them has written to it. */
export interface HeldOutput {
  readonly path: string;
  readonly fd: number;
}

export const holdOutput = (dir: string, name: string): HeldOutput => ({
  path: join(dir, name),
  fd: openTaskFile(dir, name, "append"),
});

/** Opens a held output for a process, as `openOutput` does. */
export const handOutput = ({ path, fd }: HeldOutput): number => openAgain(fd, path, O_WRONLY | O_APPEND);

/** Returns the size of a held output; null if its name was taken from it, so that nobody would find it. */
export function sizeOfHeld({ fd }: HeldOutput): number | null {
  const { size, nlink } = fstatSync(fd);
  return nlink === 0 ? null : size;
}

/** Opens a name in a directory that is itself no link. Where /proc is missing, only the last part is held to that. */
function openIn(dir: string, name: string, flags: number): number {
  const at = openSync(dir, O_RDONLY | O_DIRECTORY | SAFELY);
  try {
    const path = process.platform === "linux" ? `/proc/self/fd/${at}/${name}` : join(dir, name);
    return openSync(path, flags, 0o600);
  } catch (error) {
    throw named(error, join(dir, name));
  } finally {
    closeSync(at);
  }
}

/** Returns the error with the path that people know. */
function named(error: unknown, path: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  return code === undefined || code === "ENOTREG"
    ? error
    : Object.assign(new Error(`${code}: ${path} could not be opened`), { code });
}

/** Reads a file of at most `most` bytes. A longer one, or one that is no regular file, is `failed`. */
export function readTaskFile(dir: string, name: string, most: number): Text {
  try {
    const fd = openTaskFile(dir, name, "read");
    try {
      const size = sizeOf(fd);
      if (size > most) return { is: "failed", why: `${join(dir, name)} has ${size} bytes, of at most ${most}` };
      return { is: "there", text: new TextDecoder().decode(readAt(fd, 0, size)) };
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "ENOENT" ? { is: "missing" } : { is: "failed", why: messageOf(error) };
  }
}

export type OpenedToRead =
  | { readonly is: "open"; readonly fd: number }
  | { readonly is: "missing" }
  | { readonly is: "failed"; readonly why: string };

/** Opens a file for reading. What is no regular file, or has a lease on it, is `failed`. */
export function openToReadTask(dir: string, name: string): OpenedToRead {
  try {
    return { is: "open", fd: openTaskFile(dir, name, "read") };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    if (code === "ENOENT") return { is: "missing" };
    return { is: "failed", why: code === "EAGAIN" ? "its task holds a lease on it" : messageOf(error) };
  }
}

/** Returns the first or the last bytes of a file, at most `most`; nothing if there is no regular file. */
export function partOf(dir: string, name: string, part: "first" | "last", most: number): Uint8Array {
  const opened = openToReadTask(dir, name);
  if (opened.is !== "open") return new Uint8Array(0);
  const { fd } = opened;
  try {
    return readAt(fd, part === "first" ? 0 : Math.max(0, sizeOf(fd) - most), most);
  } finally {
    closeSync(fd);
  }
}

/**
 * Returns whether a name is in a directory. No link is followed: what is in the place of the directory may hide the
 * file, so it counts as the file.
 */
export function isTaskFile(dir: string, name: string): boolean {
  const there = lstatSync(dir, { throwIfNoEntry: false });
  if (there === undefined) return false;
  return !there.isDirectory() || lstatSync(join(dir, name), { throwIfNoEntry: false }) !== undefined;
}

/** The bytes that a file shows, and those that it takes of the disk, also beyond its end. */
export interface Extent {
  readonly size: number;
  readonly disk_bytes: number;
}

const STAT_BLOCK = 512;

/** Returns the extent of a regular file; nothing if there is none. */
export function extentOfTaskFile(dir: string, name: string): Extent {
  const there = lstatSync(join(dir, name), { throwIfNoEntry: false });
  return there?.isFile() === true
    ? { size: there.size, disk_bytes: there.blocks * STAT_BLOCK }
    : { size: 0, disk_bytes: 0 };
}

/** Cuts an open file off at a size, which frees what is allocated beyond it. */
export const cutTaskFile = (fd: number, size: number): void => ftruncateSync(fd, size);

// ---- lines

/** A line that ends so was cut off while it was written, and counts for nothing. */
const TORN = "!";
const NEWLINE = 10;

/**
 * Appends whole lines to an open file. If the text before was cut off, by a full disk or a kill, its line is ended as a
 * torn one first, so that it does not become a part of the new line.
 */
export function appendLines(fd: number, lines: string): void {
  appendTo(fd, isTorn(fd) ? `${TORN}\n${lines}` : lines);
}

/** Returns whether the last line of an open file was cut off. */
function isTorn(fd: number): boolean {
  const size = sizeOf(fd);
  return size > 0 && readAt(fd, size - 1, 1)[0] !== NEWLINE;
}

/** Returns the lines of a text that were written whole. */
export const wholeLines = (text: string): string[] =>
  text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .filter((line) => line !== "" && !line.endsWith(TORN));

/** Appends whole lines to a file. */
export function appendTaskLines(dir: string, name: string, lines: string): void {
  const fd = openTaskFile(dir, name, "append");
  try {
    appendLines(fd, lines);
  } finally {
    closeSync(fd);
  }
}

/** Appends whole lines to a file. The process does other things meanwhile, also on a disk that hangs. */
export async function appendTaskLinesSlowly(dir: string, name: string, lines: string): Promise<void> {
  const at = await open(dir, O_RDONLY | O_DIRECTORY | SAFELY);
  try {
    const path = process.platform === "linux" ? `/proc/self/fd/${at.fd}/${name}` : join(dir, name);
    const file = await open(path, FLAGS.append | SAFELY, 0o600);
    try {
      if (!(await file.stat()).isFile()) {
        throw Object.assign(new Error(`${join(dir, name)} is not a regular file`), { code: "ENOTREG" });
      }
      await file.writeFile(isTorn(file.fd) ? `${TORN}\n${lines}` : lines);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw named(error, join(dir, name));
  } finally {
    await at.close();
  }
}
