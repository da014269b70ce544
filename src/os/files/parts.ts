// Files that come in parts from elsewhere, and are there under their name only once all of them has the hash that was
// said beforehand. Each step is a thread's, so that a disk that hangs does not hold up the process.

import { constants } from "node:fs";
import { lstat, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

const { O_CREAT, O_NOFOLLOW, O_RDONLY, O_RDWR, O_WRONLY } = constants;

/** Content that is known by its hash (hex) before it is there. */
export interface Content {
  readonly sha256: string;
  readonly bytes: number;
}

const READ_BYTES = 1024 * 1024;

/** Writes a part at its offset. The file is made with the first part; one that is there is not cut off. */
export async function writePart(path: string, offset: number, part: Uint8Array): Promise<void> {
  const file = await open(path, (offset === 0 ? O_CREAT : 0) | O_WRONLY | O_NOFOLLOW, 0o600);
  try {
    for (let at = 0; at < part.length;) {
      at += (await file.write(part, at, part.length - at, offset + at)).bytesWritten;
    }
  } finally {
    await file.close();
  }
}

/** Returns the size of a regular file, or null if there is none. */
export async function sizeOfFile(path: string): Promise<number | null> {
  try {
    const there = await lstat(path);
    return there.isFile() ? there.size : null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** Returns up to `length` bytes of a file from an offset, fewer at its end; or null if there is no such file. */
export async function readPart(path: string, offset: number, length: number): Promise<Uint8Array | null> {
  try {
    const file = await open(path, O_RDONLY | O_NOFOLLOW);
    try {
      const bytes = new Uint8Array(length);
      return bytes.subarray(0, (await file.read(bytes, 0, length, offset)).bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/**
 * Gives the parts at `from` the name `to`, durably, if together they are the content. Otherwise they are removed, and
 * the result is false.
 */
export async function joinParts(from: string, to: string, content: Content): Promise<boolean> {
  const file = await open(from, O_RDWR | O_NOFOLLOW);
  try {
    const hasher = new Bun.CryptoHasher("sha256");
    const buffer = new Uint8Array(READ_BYTES);
    let size = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, READ_BYTES, size);
      if (bytesRead === 0) break;
      hasher.update(buffer.subarray(0, bytesRead));
      size += bytesRead;
      if (size > content.bytes) break;
    }
    if (size !== content.bytes || hasher.digest("hex") !== content.sha256) {
      await rm(from, { force: true });
      return false;
    }
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(from, to);
  const dir = await open(dirname(to), O_RDONLY);
  try {
    await dir.sync();
  } finally {
    await dir.close();
  }
  return true;
}
