// A file that only takes up room. When the disk is full it is given up, so that ends and stops of tasks still fit.

import { closeSync, existsSync, fsyncSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Bytes } from "../core/units";
import { MIB } from "../core/units";
import { freeBytes } from "../os/filesystem";
import { failureOf } from "./errors";

export const BALLAST_BYTES: Bytes = 8 * MIB;
const CHUNK_BYTES: Bytes = 64 * 1024;
/** It is only made where it is a small part of what is free. */
const ROOMY = 4;

export interface Ballast {
  /** Gives the room up; `false` when there is none to give. */
  release(): boolean;
  released(): boolean;
  /** Takes the room back when there is enough again. */
  restore(): void;
}

/** Databases in memory have none. */
export const NO_BALLAST: Ballast = { release: () => false, released: () => false, restore: () => undefined };

export function ballastIn(dir: string, random: (bytes: number) => Uint8Array): Ballast {
  const file = join(dir, "ballast");
  let released = false;
  const restore = (): void => {
    if (existsSync(file) && statSync(file).size === BALLAST_BYTES) {
      released = false;
      return;
    }
    if (freeBytes(dir) >= ROOMY * BALLAST_BYTES && fill(file, random)) released = false;
  };
  restore();
  return {
    release() {
      if (!existsSync(file)) return false;
      rmSync(file);
      released = true;
      return true;
    },
    released: () => released,
    restore,
  };
}

/** Random bytes: a file system that compresses would give the room of zeros away. `false`: no room. */
function fill(file: string, random: (bytes: number) => Uint8Array): boolean {
  const fd = openSync(file, "w", 0o600);
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
