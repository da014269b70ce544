// Connections to the database file: one that only reads, before anything is touched, and one that writes.

import { Database } from "bun:sqlite";
import { closeSync, existsSync, openSync, rmSync, statSync } from "node:fs";
import { assert } from "../core/assert";
import type { ClusterRow } from "../core/model/rows-state";
import { codeOf } from "./errors";
import { loadCluster } from "./load";
import { knownSchemas, schemaOf } from "./migrate";

/** SQLite below this version can lose a committed log when the log is reset (3.7.0 to 3.51.2). */
const SQLITE_MIN = "3.51.3";
const JOURNAL_LIMIT_BYTES = 64 * 1024 * 1024;

export type Inspected =
  | { readonly is: "absent" }
  /** The file exists and has no tables: a first start was cut short. */
  | { readonly is: "blank" }
  | { readonly is: "corrupt"; readonly why: string }
  | { readonly is: "newer"; readonly made_ms: number }
  | { readonly is: "ours"; readonly cluster: ClusterRow; readonly host: string | null; readonly behind: boolean };

/** Inspects a database without changing it or its log. `thorough` also checks that indexes and rows agree. */
export function inspect(file: string, folder: string, thorough = false): Inspected {
  const log = `${file}-wal`;
  const logged = existsSync(log) && statSync(log).size > 0;
  if (!existsSync(file)) return logged ? { is: "corrupt", why: "its log is there without it" } : { is: "absent" };
  if (statSync(file).size === 0 && !logged) return { is: "blank" };
  try {
    // A connection that cannot write does not fold the log into a damaged file when it closes.
    const db = new Database(file, { readonly: true });
    try {
      return look(db, folder, thorough);
    } finally {
      db.close();
      // Reading has made an empty log and its index, which are removed.
      if (!logged) for (const made of [log, `${file}-shm`]) rmSync(made, { force: true });
    }
  } catch (error) {
    const code = codeOf(error);
    if (code === null) throw error;
    return { is: "corrupt", why: `${code}: ${(error as Error).message}` };
  }
}

function look(db: Database, folder: string, thorough: boolean): Inspected {
  const check = thorough ? "pragma integrity_check(3)" : "pragma quick_check(3)";
  const lines = db.query<Record<string, string>, []>(check).all();
  const problems = lines.flatMap((row) => Object.values(row)).filter((line) => line !== "ok");
  if (problems.length > 0) return { is: "corrupt", why: problems.join("; ") };
  const tables = db.query<{ name: string }, []>("select name from sqlite_schema where type = 'table'").all();
  const schema = schemaOf(db);
  if (schema === null) {
    return tables.every(({ name }) => name === "__drizzle_migrations")
      ? { is: "blank" }
      : { is: "corrupt", why: "it is a database of another program" };
  }
  const known = knownSchemas(folder);
  const newest = known.at(-1) ?? 0;
  if (schema > newest) return { is: "newer", made_ms: schema };
  const cluster = loadCluster(db);
  if (cluster === null) return { is: "blank" };
  const home = db.query<{ host: string | null }, []>("select host from home").get();
  return { is: "ours", cluster, host: home?.host ?? null, behind: schema < newest };
}

/** Returns why this runtime's SQLite must not be used, or null. */
export function sqliteTooOld(): string | null {
  const db = new Database(":memory:");
  const version = db.query<{ version: string }, []>("select sqlite_version() as version").get()?.version ?? "0";
  db.close();
  return Bun.semver.order(version, SQLITE_MIN) < 0 ? `SQLite ${version} is older than ${SQLITE_MIN}` : null;
}

/**
 * Opens the connection that writes. Every setting is read back, since durability depends on the settings and SQLite may
 * ignore one.
 */
export function connect(file: string): Database {
  const memory = file === ":memory:";
  // The file gets its final mode before SQLite opens it, since the log and its index inherit the mode.
  if (!memory && !existsSync(file)) closeSync(openSync(file, "wx", 0o600));
  const db = new Database(file, { create: memory, readwrite: true });
  const set = (name: string, value: string | number, expected: string | number): void => {
    db.query(`pragma ${name} = ${value}`).get();
    const got = Object.values(db.query<Record<string, string | number>, []>(`pragma ${name}`).get() ?? {})[0];
    assert(got === expected, `SQLite did not take ${name} = ${value}: it says ${got}`);
  };
  set("busy_timeout", 5_000, 5_000);
  set("journal_mode", "wal", memory ? "memory" : "wal");
  set("synchronous", "full", 2);
  set("foreign_keys", "on", 1);
  set("journal_size_limit", JOURNAL_LIMIT_BYTES, JOURNAL_LIMIT_BYTES);
  return db;
}
