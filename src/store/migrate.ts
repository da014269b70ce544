// Migrates a database to this program's tables: forward only, whole or not at all, after a copy of the file was made.

import type { Database } from "bun:sqlite";
import { readMigrationFiles } from "drizzle-orm/migrator";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Ms } from "../core/units";
import { assert } from "../core/assert";
import { copyDurably } from "../os/files/durable";
import { failureOf } from "./errors";
import type { SqliteFailure } from "./errors";

/** How many copies from before migrations are kept. */
const COPIES = 3;
const COPY_MARK = ".before-";

/** Returns the directory of the migrations: beside the program in the binary, at the root of the tree in the source. */
export function migrationsFolder(): string {
  const found = [join(import.meta.dir, "migrations"), join(import.meta.dir, "..", "..", "migrations")].find((dir) =>
    existsSync(join(dir, "meta", "_journal.json")),
  );
  assert(found !== undefined, "the program was built without its migrations");
  return found;
}

/** Returns the time stamps by which drizzle identifies migrations, oldest first. */
export function knownSchemas(folder: string): number[] {
  const text = readFileSync(join(folder, "meta", "_journal.json"), "utf8");
  const journal = JSON.parse(text) as { readonly entries: readonly { readonly when: number }[] };
  return journal.entries.map((entry) => entry.when);
}

/** Returns the newest migration that a database has, or null. */
export function schemaOf(db: Database): number | null {
  const there = db.query("select 1 from sqlite_schema where name = '__drizzle_migrations'").get();
  if (there === null) return null;
  const newest = db.query<{ at: number | null }, []>("select max(created_at) as at from __drizzle_migrations").get();
  return newest?.at ?? null;
}

/**
 * Applies the missing migrations in one transaction of SQLite. Returns why that failed, with the database unchanged, or
 * null.
 */
export function migrateDatabase(db: Database, folder: string): SqliteFailure | null {
  const schema = schemaOf(db) ?? -1;
  const missing = readMigrationFiles({ migrationsFolder: folder }).filter(({ folderMillis }) => folderMillis > schema);
  if (missing.length === 0) return null;
  const apply = db.transaction(() => {
    // The table that drizzle keeps, but strict like the others.
    db.run(`create table if not exists __drizzle_migrations
      (id integer primary key, hash text not null, created_at integer) strict`);
    for (const { sql, hash, folderMillis } of missing) {
      for (const statement of sql) db.run(statement);
      db.run("insert into __drizzle_migrations (hash, created_at) values (?, ?)", [hash, folderMillis]);
    }
  });
  try {
    apply.immediate();
    return null;
  } catch (error) {
    return failureOf(error);
  }
}

/**
 * Folds the log into the database file, and copies the file to a name with the time. Only the newest few copies are
 * kept.
 */
export function copyBefore(db: Database, file: string, now_ms: Ms): string {
  const folded = db.query<{ busy: number }, []>("pragma wal_checkpoint(truncate)").get();
  assert(folded?.busy === 0, "the database is in use by another program");
  const copy = `${file}${COPY_MARK}${timeStamp(now_ms)}`;
  copyDurably(file, copy);
  for (const old of copiesOf(file).slice(COPIES)) rmSync(old);
  return copy;
}

/** Returns the copies that were made before migrations, newest first. */
export function copiesOf(file: string): string[] {
  const mark = basename(file) + COPY_MARK;
  return readdirSync(dirname(file))
    .filter((name) => name.startsWith(mark) && !name.endsWith(".new"))
    .toSorted()
    .toReversed()
    .map((name) => join(dirname(file), name));
}

/** Formats a time for names of files: `20261123T225900Z`. */
export const timeStamp = (at_ms: Ms): string => new Date(at_ms).toISOString().replace(/[-:]|\.\d+/g, "");
