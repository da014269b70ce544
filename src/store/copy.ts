// Copies a running database whole into one file, and checks the copy before it gets its name.

import type { Database } from "bun:sqlite";
import { chmodSync, existsSync, rmSync } from "node:fs";
import { renameDurably } from "../os/files/durable";
import { inspect } from "./database";
import { codeOf, StorageError } from "./errors";

/** Writes the copy to `path`, which must not exist. When that fails, throws a StorageError and leaves nothing. */
export function copyDatabase(db: Database, path: string, folder: string): void {
  if (existsSync(path)) throw new StorageError("storage_failed", `${path} exists`, "name a file that does not");
  const aside = `${path}.new`;
  try {
    rmSync(aside, { force: true });
    db.query("vacuum into ?").run(aside);
    chmodSync(aside, 0o600);
    const made = inspect(aside, folder);
    if (made.is !== "ours") throw new StorageError("storage_failed", `the copy is not readable: ${made.is}`);
    renameDurably(aside, path);
  } catch (error) {
    rmSync(aside, { force: true });
    if (error instanceof StorageError || codeOf(error) === null) throw error;
    throw new StorageError("storage_failed", `no copy was made at ${path}: ${(error as Error).message}`);
  }
}
