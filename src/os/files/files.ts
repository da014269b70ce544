// Files as values: what is missing or broken is told, not thrown; what must survive is synced before it is believed.
// Files are replaced in durable.

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
  readFileSync,
  readSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  fstatSync,
  truncateSync,
  unlinkSync,
  writeSync,
  type Stats,
} from "node:fs";
import { messageOf } from "../errors";
import { parsedJson } from "./json";

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY, O_TRUNC, O_APPEND, O_NONBLOCK } = constants;

export type Text =
  | { readonly is: "there"; readonly text: string }
  | { readonly is: "missing" }
  | { readonly is: "failed"; readonly why: string };
export type Json =
  | { readonly is: "there"; readonly value: unknown }
  | { readonly is: "missing" }
  | { readonly is: "failed"; readonly why: string };

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? "";
export function readText(path: string): Text {
  try {
    return { is: "there", text: readFileSync(path, "utf8") };
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return { is: "missing" };
    return { is: "failed", why: messageOf(error) };
  }
}

export function readJson(path: string): Json {
  const read = readText(path);
  if (read.is !== "there") return read;
  const value = parsedJson(read.text);
  return value === undefined ? { is: "failed", why: `${path} is no JSON` } : { is: "there", value };
}

/** Makes a directory, and those above it, readable by its owner alone. */
export function makePrivateDir(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
}

/**
 * Makes a directory of this account's own where something is to be written. Gives why it cannot be, in a few words;
 * `null`: it is there, and may be written.
 */
export function takeDir(path: string): string | null {
  try {
    makePrivateDir(path);
    accessSync(path, constants.W_OK | constants.X_OK);
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

/** Names in a directory; none when it is not there. */
export function namesIn(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}

const synced = (fd: number): Promise<void> =>
  new Promise((resolve, reject) => {
    fdatasync(fd, (error) => (error === null ? resolve() : reject(error)));
  });

function writeWhole(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
}

/** Creates a file that must not be there yet, and syncs it before it says so. */
export async function createOnce(path: string, text: string): Promise<"created" | "exists"> {
  const fd = await createHeld(path, text);
  if (fd === null) return "exists";
  closeSync(fd);
  return "created";
}

/** The same, and gives back the file open for appending; `null`: it is there already. */
export async function createHeld(path: string, text: string): Promise<number | null> {
  let fd: number;
  try {
    fd = openSync(path, O_CREAT | O_EXCL | O_APPEND | O_WRONLY | O_NOFOLLOW, 0o600);
  } catch (error) {
    if (codeOf(error) === "EEXIST") return null;
    throw error;
  }
  try {
    writeWhole(fd, text);
    await synced(fd);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Writes a short text at once, without waiting for the disk: a crash of ours leaves none of it or all. */
export function writeShort(path: string, text: string): void {
  const fd = openSync(path, O_CREAT | O_TRUNC | O_WRONLY | O_NOFOLLOW, 0o600);
  try {
    writeWhole(fd, text);
  } finally {
    closeSync(fd);
  }
}

export const openToAppend = (path: string): number => openSync(path, O_CREAT | O_APPEND | O_WRONLY | O_NOFOLLOW, 0o600);

export const appendTo = (fd: number, text: string): void => writeWhole(fd, text);

/** Appends a text and syncs it. Resolves when it is durable. */
export async function appendDurably(path: string, text: string): Promise<void> {
  const fd = openToAppend(path);
  try {
    writeWhole(fd, text);
    await synced(fd);
  } finally {
    closeSync(fd);
  }
}

export function appendText(path: string, text: string): void {
  const fd = openToAppend(path);
  try {
    writeWhole(fd, text);
  } finally {
    closeSync(fd);
  }
}

/** Size and times of what lies at a path itself, never behind a link; `null` when nothing does. */
export function lookAt(path: string): Stats | null {
  return lstatSync(path, { throwIfNoEntry: false }) ?? null;
}

/** Whether a path leads to a directory that can be entered, and if not, why. */
export function directoryProblem(path: string): string | null {
  try {
    return statSync(path).isDirectory() ? null : `${path} is not a directory`;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return `the directory ${path} is not there`;
    return `the directory ${path} cannot be entered: ${messageOf(error)}`;
  }
}

/** A regular file opened to be read, never through a link and never waiting; `null` when there is none. */
export function openToRead(path: string): number | null {
  let fd: number;
  try {
    fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ELOOP") return null;
    throw error;
  }
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  return null;
}

/** Up to `length` bytes of an open file from `offset`; fewer at its end. */
export function readAt(fd: number, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  return bytes.subarray(0, readSync(fd, bytes, 0, length, offset));
}

export const sizeOf = (fd: number): number => fstatSync(fd).size;

/** The last `length` bytes of a file; empty when there is none. */
export function tailOf(path: string, length: number): Uint8Array {
  const fd = openToRead(path);
  if (fd === null) return new Uint8Array(0);
  try {
    return readAt(fd, Math.max(0, sizeOf(fd) - length), length);
  } finally {
    closeSync(fd);
  }
}

export function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
}

export const removeTree = (path: string): void => rmSync(path, { recursive: true, force: true });
export const exists = (path: string): boolean => existsSync(path);
export const renameTo = (from: string, to: string): void => renameSync(from, to);
export const closeFile = (fd: number): void => closeSync(fd);

/** Syncs a directory, so that the names in it survive. */
export function syncDir(path: string): void {
  const fd = openSync(path, O_RDONLY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Opens an existing regular file for changing it in place. */
export const openToChange = (path: string): number => openSync(path, O_WRONLY | O_NOFOLLOW);
export const cutFile = (path: string): void => truncateSync(path, 0);
