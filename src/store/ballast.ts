// The ballast is a file that only takes up room. It is deleted when the disk is full, so that ends and stops of tasks
// still fit.

import { closeSync, constants, existsSync, fsyncSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Bytes } from "../core/units";
import { MIB } from "../core/units";
import { freeBytes } from "../os/files/filesystem";
import { failureOf } from "./errors";

const { O_CREAT, O_NOFOLLOW, O_TRUNC, O_WRONLY } = constants;

export const BALLAST_BYTES: Bytes = 8 * MIB;
const CHUNK_BYTES: Bytes = 64 * 1024;
/** The ballast is made only where this many times its size is free. */
const ROOMY = 2;
/** With less free space than this a server cannot start. */
const START_BYTES: Bytes = 2 * MIB;

export interface Ballast {
  /** Deletes the file. Returns false if there was none. */
  release(): boolean;
  /** Returns whether the file is there. Without it, the disk is nearly full. */
  readonly there: () => boolean;
  /** Makes the file again if there is enough room. */
  restore(): void;
}

/** The ballast of databases in memory, which need none. */
export const NO_BALLAST: Ballast = { release: () => false, there: () => true, restore: () => undefined };

const fileIn = (dir: string): string => join(dir, "ballast");

/** Deletes the ballast if a start would fail for want of room. */
export function makeRoom(dir: string): void {
  if (freeBytes(dir) < START_BYTES) rmSync(fileIn(dir), { force: true });
}

export function ballastIn(dir: string, random: (bytes: number) => Uint8Array): Ballast {
  const file = fileIn(dir);
  let there = false;
  const restore = (): void => {
    if (there) return;
    there = existsSync(file) && statSync(file).size === BALLAST_BYTES;
    if (!there && freeBytes(dir) >= ROOMY * BALLAST_BYTES) there = fill(file, random);
  };
  restore();
  return {
    release() {
      if (!there) return false;
      rmSync(file, { force: true });
      there = false;
      return true;
    },
    there: () => there,
    restore,
  };
}

/** Fills the file with random bytes, since some file systems compress zeros. Returns false if there is no room. */
function fill(file: string, random: (bytes: number) => Uint8Array): boolean {
  const fd = openSync(file, O_CREAT | O_TRUNC | O_WRONLY | O_NOFOLLOW, 0o600);
  try {
    for (let written = 0; written < BALLAST_BYTES; written += CHUNK_BYTES) writeSync(fd, random(CHUNK_BYTES));
    fsyncSync(fd);
    return true;
  } catch (error) {
    rmSync(file);
    if (failureOf(error).is === "full") return false;
    throw error;
  } finally {
    closeSync(fd);
  }
}
