// Operations on one disk, which may hang: only a few at a time, so that they do not take all of this process's threads
// for files, and with the age of the oldest, so that a hang is noticed.

import { cpus } from "node:os";
import { constants, fdatasync, fstatSync, open as openFile, write } from "node:fs";
import { mkdir, open, rename, rm, unlink, type FileHandle } from "node:fs/promises";
import { afterLiving, withinLife } from "../clock";
import { messageOf } from "../errors";
import { exists, LeftEmpty } from "./files";

const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_TRUNC, O_WRONLY } = constants;

/**
 * How long an operation may take before the disk counts as hanging. A time in which this process was stopped does not
 * count, since the disk could not answer it.
 */
export const DISK_LATE_MS = 4_000;

/** What became of an operation. A late one may still happen, at any time. */
export type DiskAnswer<T> =
  | { readonly is: "done"; readonly value: T }
  | { readonly is: "failed"; readonly why: string }
  | { readonly is: "late"; readonly why: string };

export interface Disk {
  /** Runs an operation when its turn comes. Resolves when it is over, however long a hanging disk takes. */
  run<T>(operation: () => Promise<T>): Promise<T>;
  /** Runs an operation, and resolves after `DISK_LATE_MS` at the latest. */
  answer<T>(operation: () => Promise<T>): Promise<DiskAnswer<T>>;
  /** Whether an operation is under way for longer than that. */
  hangs(): boolean;
}

export const DISK_HANGS = "its disk does not answer";

export function createDisk(at_once = Math.max(1, cpus().length - 1)): Disk {
  const begun = new Set<{ late: boolean }>();
  const waiting: (() => void)[] = [];
  const run = async <T>(operation: () => Promise<T>): Promise<T> => {
    if (begun.size >= at_once) {
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
      });
    }
    const one = { late: false };
    begun.add(one);
    const end = afterLiving(DISK_LATE_MS, () => {
      one.late = true;
    });
    try {
      return await operation();
    } finally {
      end();
      begun.delete(one);
      waiting.shift()?.();
    }
  };
  return {
    run,
    answer: (operation) => answerOf(run(operation)),
    hangs: () => [...begun].some(({ late }) => late),
  };
}

/** Resolves with what became of an operation, after `DISK_LATE_MS` at the latest. */
export async function answerOf<T>(running: Promise<T>): Promise<DiskAnswer<T>> {
  const over = running
    .then((value): DiskAnswer<T> => ({ is: "done", value }))
    .catch((error: unknown): DiskAnswer<T> => ({ is: "failed", why: wordsOf(error) }));
  return withinLife<DiskAnswer<T>>(DISK_LATE_MS, over, { is: "late", why: DISK_HANGS });
}

/** The words stay the same while the disk is full, so that each look is not news. */
export const DISK_FULL = "its disk is full";

const WORDS: Readonly<Record<string, string>> = {
  ENOSPC: DISK_FULL,
  EDQUOT: "its disk quota is used up",
  EROFS: "its data directory is read-only",
  EIO: "its disk fails",
};

/** Returns why an operation on a disk failed, in words that need no path. */
export const wordsOf = (error: unknown): string =>
  WORDS[(error as NodeJS.ErrnoException).code ?? ""] ?? messageOf(error);

/** Makes a directory for its owner only, unless it is there. */
export async function makeDirSlowly(path: string): Promise<void> {
  // On a frozen file system even the making of a directory that is there would wait.
  if (!exists(path)) await mkdir(path, { recursive: true, mode: 0o700 });
}

/** Opens a file for appending, as a descriptor that the caller closes. */
export const openToAppendSlowly = (path: string): Promise<number> =>
  new Promise((resolve, reject) => {
    openFile(path, O_CREAT | O_APPEND | O_WRONLY | O_NOFOLLOW, 0o600, (error, fd) =>
      error === null ? resolve(fd) : reject(error),
    );
  });

/** Returns which file a descriptor is of. */
export const inodeOf = (fd: number): number => fstatSync(fd).ino;

/** Appends a text, and syncs it if it has to outlive the machine. */
export async function appendSlowly(fd: number, text: string, synced: boolean): Promise<void> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) {
    at += await asked<number>((answer) => write(fd, bytes, at, bytes.length - at, null, answer));
  }
  if (synced) await asked<void>((answer) => fdatasync(fd, answer));
}

/** Returns the answer of a call that is a thread's. */
const asked = <T>(call: (answer: (error: Error | null, value?: T) => void) => void): Promise<T> =>
  new Promise((resolve, reject) => {
    call((error, value) => (error === null || error === undefined ? resolve(value as T) : reject(error)));
  });

/**
 * Creates a file and syncs it. Returns "exists" if the file was there before. A file whose text the disk does not take
 * is removed: that it is there would say what the text does not. Throws `LeftEmpty` where that fails too.
 */
export async function createSlowly(path: string, text: string): Promise<"created" | "exists"> {
  if (exists(path)) return "exists";
  let file: FileHandle;
  try {
    file = await open(path, O_CREAT | O_EXCL | O_APPEND | O_WRONLY | O_NOFOLLOW, 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return "exists";
    throw error;
  }
  try {
    await fill(file, text);
    return "created";
  } catch (error) {
    throw await undone(path, error);
  }
}

/** Writes the text of a file that is there without it, and syncs it. */
export const refillSlowly = async (path: string, text: string): Promise<void> =>
  fill(await open(path, O_TRUNC | O_APPEND | O_WRONLY | O_NOFOLLOW), text);

async function fill(file: FileHandle, text: string): Promise<void> {
  try {
    await file.writeFile(text);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** Removes a file whose text could not be written. Returns the error of that, or what it became. */
async function undone(path: string, error: unknown): Promise<unknown> {
  try {
    await rm(path, { force: true });
    return error;
  } catch (second) {
    return new LeftEmpty(error, messageOf(second));
  }
}

export const renameSlowly = (from: string, to: string): Promise<void> => rename(from, to);
export const removeTreeSlowly = (path: string): Promise<void> => rm(path, { recursive: true, force: true });

export async function removeSlowly(path: string): Promise<void> {
  if (exists(path)) await unlink(path);
}
