// Operations on files that return what is missing or broken as a value instead of throwing, and that sync what has to
// survive. The replacement of files is in durable.ts.

import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fdatasync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  fstatSync,
  unlinkSync,
  writeSync,
  type Stats,
} from "node:fs";
import { messageOf } from "../errors";
import { parsedJson } from "./json";

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, O_WRONLY, O_TRUNC, O_APPEND, O_NONBLOCK } = constants;

export type Text =
  | { readonly is: "there"; readonly text: string }
  | { readonly is: "missing" }
  | { readonly is: "failed"; readonly why: string };
export type Json =
  | { readonly is: "there"; readonly value: unknown }
  | { readonly is: "missing" }
  | { readonly is: "failed"; readonly why: string };

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? "";

/** The most that is read of a file as a whole. Files of ours are far smaller. */
const MOST_BYTES = 64 * 1024 * 1024;

/** Reads a whole text file. One that is not regular, or larger than `most`, is not read, and nothing waits for it. */
export function readText(path: string, most = MOST_BYTES): Text {
  try {
    const fd = openSync(path, O_RDONLY | O_NONBLOCK);
    try {
      if (!fstatSync(fd).isFile()) return { is: "failed", why: `${path} is not a regular file` };
      const bytes = readUpTo(fd, most + 1);
      if (bytes.length > most) return { is: "failed", why: `${path} is larger than ${most} bytes` };
      return { is: "there", text: new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes) };
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return { is: "missing" };
    return { is: "failed", why: messageOf(error) };
  }
}

/** Returns the first bytes of an open file, at most `most`. The kernel's own files do not say how long they are. */
export function readUpTo(fd: number, most: number): Uint8Array {
  const chunks: Uint8Array[] = [];
  let size = 0;
  while (size < most) {
    const chunk = new Uint8Array(Math.min(Math.max(fstatSync(fd).size - size, 4_096), most - size));
    const read = readSync(fd, chunk);
    if (read === 0) break;
    chunks.push(chunk.subarray(0, read));
    size += read;
  }
  return Buffer.concat(chunks);
}

export function readJson(path: string): Json {
  const read = readText(path);
  if (read.is !== "there") return read;
  const value = parsedJson(read.text);
  return value === undefined ? { is: "failed", why: `${path} is no JSON` } : { is: "there", value };
}

/** Makes a directory and those above it, for their owner only. */
export function makePrivateDir(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
}

/** Returns the bytes of the disk that a path itself takes, as if it were no link; 0 if nothing is there. */
export const diskBytesOf = (path: string): number => (lookAt(path)?.blocks ?? 0) * 512;

/** Returns why this process cannot write in a directory, or null. */
export function isWritable(path: string): string | null {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

/** Returns the names in a directory, or none if it does not exist or is none. */
export function namesIn(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return [];
    throw error;
  }
}

/** Resolves when the content of an open file is durable; the process does other things meanwhile. */
export const synced = (fd: number): Promise<void> =>
  new Promise((resolve, reject) => {
    fdatasync(fd, (error) => (error === null ? resolve() : reject(error)));
  });

function writeWhole(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
}

/** The disk took the name of a new file and not its text, and not the removal of the name either. */
export class LeftEmpty extends Error {
  /** The code of the first failure. */
  readonly code: string | undefined;
  constructor(error: unknown, left: string) {
    super(`${messageOf(error)}; its file stays without its text: ${left}`, { cause: error });
    this.code = codeOf(error);
  }
}

/** Creates a file and syncs it. Returns "exists" if the file was there before. */
export async function createOnce(path: string, text: string): Promise<"created" | "exists"> {
  const fd = await createHeld(path, text);
  if (fd === null) return "exists";
  closeSync(fd);
  return "created";
}

/**
 * Creates a file, syncs it, and returns it open for appending; or null if the file was there before. A file whose text
 * the disk does not take is removed: that it is there would say what the text does not. Throws `LeftEmpty` where that
 * fails too.
 */
export async function createHeld(path: string, text: string): Promise<number | null> {
  let fd: number;
  try {
    fd = openSync(path, O_CREAT | O_EXCL | O_APPEND | O_RDWR | O_NOFOLLOW, 0o600);
  } catch (error) {
    if (codeOf(error) === "EEXIST") return null;
    throw error;
  }
  try {
    writeWhole(fd, text);
    await synced(fd);
    return fd;
  } catch (error) {
    const left = clearAway(path);
    closeSync(fd);
    throw left === null ? error : new LeftEmpty(error, left);
  }
}

/**
 * Writes a short text without waiting for the disk. If the process is killed meanwhile, the file has none of the text
 * or all of it.
 */
export function writeShort(path: string, text: string): void {
  const fd = openSync(path, O_CREAT | O_TRUNC | O_WRONLY | O_NOFOLLOW, 0o600);
  try {
    writeWhole(fd, text);
  } finally {
    closeSync(fd);
  }
}

export const openToAppend = (path: string): number =>
  openSync(path, O_CREAT | O_APPEND | O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0o600);

export const appendTo = (fd: number, text: string): void => writeWhole(fd, text);

/** Returns size and times of a path itself, even if it is a link; or null if nothing is there. */
export function lookAt(path: string): Stats | null {
  return lstatSync(path, { throwIfNoEntry: false }) ?? null;
}

/** Returns why a path does not lead to a directory that this process can enter, or null. */
export function directoryProblem(path: string): string | null {
  try {
    return statSync(path).isDirectory() ? null : `${path} is not a directory`;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return `the directory ${path} is not there`;
    return `the directory ${path} cannot be entered: ${messageOf(error)}`;
  }
}

/** Returns whether there is a directory that this process may enter. */
export function stateOfDirectory(path: string): "there" | "missing" | "no_directory" | "closed" | "unknown" {
  try {
    if (!statSync(path).isDirectory()) return "no_directory";
    accessSync(path, constants.X_OK);
    return "there";
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") return "missing";
    if (code === "EACCES") return "closed";
    if (code === "") throw error;
    return "unknown";
  }
}

/** Returns up to `length` bytes of an open file from `offset`. There are fewer at the end of the file. */
export function readAt(fd: number, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  return bytes.subarray(0, readSync(fd, bytes, 0, length, offset));
}

export const sizeOf = (fd: number): number => fstatSync(fd).size;

/** Returns when an open file was written last, on the wall clock. */
export const changedMs = (fd: number): number => Math.floor(fstatSync(fd).mtimeMs);

export function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
}

/** Removes what nobody needs any more. Returns why it could not be removed, as on a read-only disk, or null. */
export function clearAway(path: string): string | null {
  try {
    rmSync(path, { recursive: true, force: true });
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

export const removeTree = (path: string): void => rmSync(path, { recursive: true, force: true });
export const exists = (path: string): boolean => existsSync(path);
export const renameTo = (from: string, to: string): void => renameSync(from, to);
export const closeFile = (fd: number): void => closeSync(fd);

/** Syncs a directory, so that the names in it survive the end of the machine. */
export function syncDir(path: string): void {
  const fd = openSync(path, O_RDONLY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
