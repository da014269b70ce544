// Small files of a person at the command line: a missing file is a value, and a written file is for its owner only.

import {
  closeSync,
  constants,
  createReadStream,
  fstatSync,
  openSync,
  readFileSync,
  statSync,
  type Stats,
} from "node:fs";
import { homedir, hostname } from "node:os";
import { dirname, join, resolve } from "node:path";
import { replaceFile } from "./durable";
import { makePrivateDir, readUpTo } from "./files";

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

export type ReadText =
  | { readonly is: "there"; readonly text: string }
  /** The file is missing, or this account may not see it. */
  | { readonly is: "absent"; readonly why: string }
  | { readonly is: "unreadable"; readonly why: string };

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  EACCES: "not yours to read",
  EPERM: "not yours to read",
  EISDIR: "is a directory",
  ENOTDIR: "a part of the path is not a directory",
};
const ABSENT = new Set(["ENOENT", "EACCES", "EPERM", "ENOTDIR"]);

/** The most that is read of a file that a person names, and of standard input. */
const MOST_BYTES = 8 * 1024 * 1024;
const TOO_LARGE = `is larger than ${MOST_BYTES / 1024 / 1024} MiB`;

/**
 * Returns all bytes of a stream, or null if there are more than the bound. A stream may have no end: a device, a pipe.
 */
export async function bytesUpTo(
  stream: AsyncIterable<Uint8Array>,
  most = MOST_BYTES,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > most) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * Returns all of standard input, or null if it is larger than the bound. A stream of the runtime fails on a device as
 * standard input; reads of the descriptor do not.
 */
export const standardInput = (most = MOST_BYTES): Promise<Uint8Array<ArrayBuffer> | null> =>
  bytesUpTo(createReadStream("", { fd: 0, autoClose: false }) as AsyncIterable<Uint8Array>, most);

/** Returns whether somebody gives this process a standard input: it is open, and is not /dev/null. */
export function isInputGiven(): boolean {
  try {
    const stats = fstatSync(0);
    return !stats.isCharacterDevice() || stats.rdev !== statSync("/dev/null").rdev;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EBADF") return false;
    throw error;
  }
}

/** Reads a whole text file. A file that is not UTF-8, or larger than 8 MiB, counts as unreadable. */
export async function readText(path: string): Promise<ReadText> {
  try {
    const bytes = await allOf(resolve(path));
    if (bytes === null) return { is: "unreadable", why: TOO_LARGE };
    return { is: "there", text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch (error) {
    return refusalOf(error);
  }
}

/** A stream's code takes 3 ms to load, so only what may keep its reader waiting, such as a pipe, is read as one. */
async function allOf(path: string): Promise<Uint8Array | null> {
  if (!statSync(path).isFile()) return bytesUpTo(createReadStream(path) as AsyncIterable<Uint8Array>);
  const fd = openSync(path, O_RDONLY | O_NONBLOCK);
  try {
    const bytes = readUpTo(fd, MOST_BYTES + 1);
    return bytes.length > MOST_BYTES ? null : bytes;
  } finally {
    closeSync(fd);
  }
}

/**
 * Reads a file that only the owner of its directory can have written: a regular file of that owner, in a directory that
 * nobody else may write to. The owner has to be `uid` or root; root as the reader believes any owner about the owner's
 * own files, but a link there could name a file of root's, so no link is followed.
 */
export function readOwned(dir: string, name: string, uid: number | null): ReadText {
  let fd: number;
  try {
    fd = openSync(join(dir, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ELOOP"
      ? { is: "unreadable", why: "it is a symbolic link" }
      : refusalOf(error);
  }
  try {
    const [directory, file] = [statSync(dir), fstatSync(fd)];
    const why = foreignness(directory, file, uid);
    if (why !== null) return { is: "unreadable", why };
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(readFileSync(fd));
    return { is: "there", text };
  } catch (error) {
    return refusalOf(error);
  } finally {
    closeSync(fd);
  }
}

function foreignness(directory: Stats, file: Stats, uid: number | null): string | null {
  if (uid !== null && uid !== 0 && directory.uid !== uid && directory.uid !== 0) {
    return `its directory belongs to another account (uid ${directory.uid})`;
  }
  if ((directory.mode & 0o022) !== 0) return "others may write to its directory";
  if (!file.isFile()) return "it is no regular file";
  if (file.uid !== directory.uid) return `it belongs to another account than its directory (uid ${file.uid})`;
  if (file.nlink > 1) return "it has another name elsewhere (a hard link)";
  return (file.mode & 0o022) === 0 ? null : "others may write to it";
}

/** Writes a file that only its owner may read, and the directories above it. */
export async function writePrivate(path: string, text: string): Promise<void> {
  makePrivateDir(dirname(path));
  await replaceFile(path, text);
}

/** Returns the home directory and uid of the account that runs this process, and the machine's name. */
export const self = (): { readonly home: string; readonly hostname: string; readonly uid: number | null } => ({
  home: process.env["HOME"] || homedir(),
  hostname: hostname(),
  uid: process.getuid?.() ?? null,
});

function refusalOf(error: unknown): Exclude<ReadText, { is: "there" }> {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof TypeError) return { is: "unreadable", why: "not UTF-8 text" };
  return { is: ABSENT.has(code ?? "") ? "absent" : "unreadable", why: WORDS[code ?? ""] ?? message };
}
