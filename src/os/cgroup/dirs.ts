// Operations on directories and files of a cgroup file system. The attempts (`try…`) return a failure instead of
// throwing.

import { mkdirSync, readdirSync, rmdirSync, writeFileSync } from "node:fs";
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
  return [...innerOf(dir).flatMap((name) => below(join(dir, name))), dir];
}

/** Returns the names of the directories in a directory; none if it is gone, also since a moment ago. */
function innerOf(dir: string): string[] {
  try {
    return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return [];
  }
}

export function tryRemove(dir: string): boolean {
  try {
    rmdirSync(dir);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}
