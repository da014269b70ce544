// Operations on directories and files of a cgroup file system. The attempts (`try…`) return a failure instead of
// throwing.

import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../errors";

/** Writes a kernel file. Returns why that failed, or null. */
export function tryWrite(path: string, text: string): string | null {
  try {
    writeFileSync(path, text);
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

export function tryMake(path: string): string | null {
  try {
    mkdirSync(path, { recursive: true });
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

/**
 * Returns a directory and all directories below it, deepest first. A task that runs as root may have made groups of its
 * own.
 */
export function below(dir: string): string[] {
  const inner = existsSync(dir) ? readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory()) : [];
  return [...inner.flatMap(({ name }) => below(join(dir, name))), dir];
}

export function tryRemove(dir: string): boolean {
  try {
    rmdirSync(dir);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}
