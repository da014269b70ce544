// Files that are whole or not there: written aside, synced, renamed into place, and their directory synced too. Every
// file that orch replaces is replaced here.

import {
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
  fdatasync,
  fsync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { randomHex } from "../dice";
import { syncDir } from "./files";

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, O_WRONLY } = constants;

/**
 * What a replaced file survives. `whole`: the end of this process at any moment. `durable`: also the end of the
 * machine.
 */
export type Lasting = "whole" | "durable";

/**
 * Replaces a file. Resolves when the new file is durable. Each step is a thread's, so that a disk that hangs does not
 * hold up the process.
 */
export async function replaceFile(path: string, text: string, mode = 0o600): Promise<void> {
  const aside = nameAside(path);
  const file = await open(aside, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, mode);
  try {
    try {
      await file.chmod(mode);
      await file.writeFile(text);
      await synced(fdatasync, file.fd);
    } finally {
      await file.close();
    }
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
  const dir = await open(dirname(path), O_RDONLY);
  try {
    await synced(fsync, dir.fd);
  } finally {
    await dir.close();
  }
}

/** Replaces a file before the function returns. With `durable`, the whole process waits for the disk. */
export function replaceFileNow(path: string, text: string, lasting: Lasting, mode = 0o600): void {
  const { aside, fd } = writeAside(path, text, mode);
  try {
    try {
      if (lasting === "durable") fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(aside, path);
  } catch (error) {
    rmSync(aside, { force: true });
    throw error;
  }
  if (lasting === "durable") syncDir(dirname(path));
}

/** Copies a file so that `to` is whole or not there. The two files share blocks where the file system supports it. */
export function copyDurably(from: string, to: string, mode = 0o600): void {
  const aside = nameAside(to);
  try {
    copyFileSync(from, aside, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
    const fd = openSync(aside, O_RDWR | O_NOFOLLOW);
    try {
      fchmodSync(fd, mode);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    rmSync(aside, { force: true });
    throw error;
  }
  renameDurably(aside, to);
}

export function renameDurably(from: string, to: string): void {
  renameSync(from, to);
  syncDir(dirname(to));
}

/** Resolves when `sync` has finished; the process does other things meanwhile. */
const synced = (sync: typeof fdatasync | typeof fsync, fd: number): Promise<void> =>
  new Promise((resolve, reject) => {
    sync(fd, (error) => (error === null ? resolve() : reject(error)));
  });

/** Returns a name beside the file that no other call uses, and that nobody can guess and take beforehand. */
const nameAside = (path: string): string => `${path}.${randomHex(8)}.new`;

/** Writes the new text into a file beside `path`. If that fails, the file is removed. */
function writeAside(path: string, text: string, mode: number): { readonly aside: string; readonly fd: number } {
  const aside = nameAside(path);
  const fd = openSync(aside, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, mode);
  try {
    fchmodSync(fd, mode);
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
    return { aside, fd };
  } catch (error) {
    closeSync(fd);
    rmSync(aside, { force: true });
    throw error;
  }
}
