// Starts a store: it inspects before it touches anything, refuses what is not safe with words that say what to do, and
// raises the epoch.

import type { Database } from "bun:sqlite";
import { join } from "node:path";
import { assert } from "../core/assert";
import { LAWS } from "../core/laws/laws";
import type { ClusterRow } from "../core/model/rows-state";
import type { Ms } from "../core/units";
import { machineId } from "../os/machine";
import { type Locked, type LockHolder, noteHolder, takeLock } from "../os/files/lock";
import { assembleStore } from "./assemble";
import type { BatchContext } from "./batch";
import { ballastIn, makeRoom, NO_BALLAST } from "./ballast";
import { connect, inspect, type Inspected, sqliteTooOld } from "./database";
import { DATA_HINT, prepareDirectory, type StoreRefusal, refuse } from "./directory";
import { codeOf, type SqliteFailure } from "./errors";
import { type HighestRead, keepHighest, mismatch, NO_KEEPER, readHighest } from "./highest";
import { loadCluster } from "./load";
import { copiesOf, copyBefore, migrateDatabase, migrationsFolder, timeStamp } from "./migrate";
import type { Store } from "./store";

export interface OpenOptions {
  readonly dir: string;
  /**
   * Returns Unix milliseconds. If the clock is behind the last committed time, the store's time begins at that time.
   */
  readonly clock: () => Ms;
  readonly random: (bytes: number) => Uint8Array;
  /** The identity of this machine. Missing: it is looked up. Null: unknown, so nothing is concluded from it. */
  readonly host?: string | null;
  /** Missing: the program's own migrations. */
  readonly migrations?: string;
  /**
   * The laws that transactions must obey, and whether every transaction is checked by all of them. Missing: ALL_LAWS.
   */
  readonly laws?: BatchContext["laws"];
}

export type OpenedStore =
  /** `notices`: what was put right or should be known, for the operator. */
  { readonly ok: true; readonly store: Store; readonly notices: readonly string[] } | StoreRefusal;

/**
 * Every law, in the cheap form for production: laws that read every live task apply to passes only, so that their cost
 * does not grow with the number of reports.
 */
export const ALL_LAWS: BatchContext["laws"] = { list: LAWS, thorough: false };

export const DATABASE = "orch.db";
export const LOCK = "lock";
const RESTORE_HINT = "bring back a copy with: orch restore FILE";

/**
 * Opens the store in `dir`, or a new one in memory for ":memory:". The store is then locked, checked, migrated, and one
 * epoch further.
 */
export function openStore(options: OpenOptions): OpenedStore {
  const old = sqliteTooOld();
  if (old !== null) return refuse("runtime", old, "use the released binary, which brings its own");
  const folder = options.migrations ?? migrationsFolder();
  const host = options.host === undefined ? machineId() : options.host;
  if (options.dir === ":memory:") return openInMemory(options, folder);

  const prepared = prepareDirectory(options.dir);
  if (!prepared.ok) return prepared;
  const owned = own(prepared.dir, options.clock());
  if (!owned.ok) return owned;
  let opened: OpenedStore | null = null;
  try {
    opened = openOwned({ ...options, dir: prepared.dir, folder, host, release: owned.release });
  } finally {
    if (opened?.ok !== true) owned.release();
  }
  return opened.ok ? { ...opened, notices: [...prepared.notices, ...opened.notices] } : opened;
}

/** Takes the directory for this process, or says who has it. */
export function own(dir: string, now_ms: Ms): { readonly ok: true; readonly release: () => void } | StoreRefusal {
  const lock = join(dir, LOCK);
  let locked: Locked | null = null;
  try {
    locked = takeLock(lock);
    if (locked.is === "held") return held(dir, locked.holder);
    makeRoom(dir);
    noteHolder(lock, now_ms);
    return { ok: true, release: locked.release };
  } catch (error) {
    if (locked?.is === "taken") locked.release();
    if (codeOf(error) === null) throw error;
    return refuse("not_writable", `${dir} cannot be written: ${(error as Error).message}`, DATA_HINT);
  }
}

function held(dir: string, holder: LockHolder | null): StoreRefusal {
  const who =
    holder === null
      ? "a process that left no note"
      : `process ${holder.pid} on ${holder.host}, since ${new Date(holder.since_ms).toISOString()}`;
  return refuse(
    "held",
    `${dir} is in use by another server: ${who}`,
    "stop that one, or use another directory with --data DIR",
  );
}

interface Owned extends OpenOptions {
  readonly folder: string;
  readonly host: string | null;
  readonly release: () => void;
}

function openOwned(options: Owned): OpenedStore {
  const { dir, folder, host } = options;
  const file = join(dir, DATABASE);
  const highest = readHighest(dir);
  const found = inspect(file, folder);
  const refused = judge(file, found, highest, host);
  if (refused !== null) return refused;
  const notices: string[] = [];
  if (found.is === "ours" && highest.is !== "known") {
    notices.push("highest.json was missing or not readable; it is made again from the database");
  }
  let db: Database | null = null;
  try {
    db = connect(file);
    if (found.is === "ours" && found.behind) {
      notices.push(`the database is migrated; a copy from before is ${copyBefore(db, file, options.clock())}`);
    }
    const failure = migrateDatabase(db, folder);
    if (failure !== null) {
      db.close();
      return notMigrated(file, failure);
    }
    const cluster = raiseEpoch(db, options, host);
    const { clock, random, release } = options;
    const laws = options.laws ?? ALL_LAWS;
    const keeper = keepHighest(dir, cluster, host);
    const parts = { clock, folder, release, keeper, ballast: ballastIn(dir, random), laws };
    return { ok: true, notices, store: assembleStore(db, cluster, parts) };
  } catch (error) {
    db?.close();
    if (codeOf(error) === null) throw error;
    return refuse(
      "not_writable",
      `${file} cannot be written: ${(error as Error).message}`,
      "free space or permissions are missing; what was there is unchanged",
    );
  }
}

export function notMigrated(file: string, failure: SqliteFailure): StoreRefusal {
  if (failure.is === "full") {
    return refuse("not_writable", `no space is left to migrate ${file}`, "free some; nothing was changed");
  }
  return refuse(
    "migration",
    `${file} could not be brought to this version: ${failure.message}`,
    "nothing was changed; go on with the version that wrote it, and report this",
  );
}

/** Why the database that was found must not be used. */
function judge(file: string, found: Inspected, highest: HighestRead, host: string | null): StoreRefusal | null {
  switch (found.is) {
    case "absent":
    case "blank":
      return highest.is === "none"
        ? null
        : refuse(
            "missing",
            `${file} is gone, but this directory has had one`,
            `${RESTORE_HINT}; to begin an empty cluster instead, remove highest.json`,
          );
    case "corrupt": {
      const newest = copiesOf(file)[0];
      return refuse(
        "corrupt",
        `${file} is damaged: ${found.why}`,
        `nothing was changed; ${RESTORE_HINT}${newest === undefined ? "" : ` (the newest copy here is ${newest})`}`,
      );
    }
    case "newer":
      return refuse(
        "newer",
        `${file} was written by a newer orch, of ${timeStamp(found.made_ms)} or later`,
        "nothing was changed; use that version, or restore a copy from before the upgrade",
      );
    case "ours": {
      const why = highest.is === "known" ? mismatch(highest.highest, found.cluster) : null;
      if (why !== null)
        return refuse(
          "old_copy",
          `${file} is not the newest database of this directory: ${why}`,
          "nothing was changed; only this brings an older copy back: orch restore FILE",
        );
      return found.host === null || host === null || found.host === host
        ? null
        : refuse(
            "other_host",
            `${file} belongs to another machine (${found.host})`,
            "nothing was changed; move a cluster to this machine with: orch restore FILE",
          );
    }
  }
}

/** Commits the next epoch, or the first one of a new cluster, before anybody can use the store. */
function raiseEpoch(db: Database, options: OpenOptions, host: string | null): ClusterRow {
  const now_ms = Math.floor(options.clock());
  const uid = (): string => Buffer.from(options.random(16)).toString("hex");
  const raise = db.transaction(() => {
    db.query(
      `insert into home (key, host) values ('home', ?1)
      on conflict (key) do update set host = coalesce(?1, host)`,
    ).run(host);
    if (loadCluster(db) === null) {
      db.query(
        `insert into cluster
        (key, cluster_id, timeline, epoch, revision, next_run, next_ordinal, at_ms, recovering)
        values ('cluster', ?, ?, 1, 1, 1, 1, ?, null)`,
      ).run(uid(), uid(), now_ms);
    } else {
      const raised = db
        .query(
          `update cluster
        set epoch = epoch + 1, revision = revision + 1, at_ms = max(at_ms, ?)`,
        )
        .run(now_ms);
      assert(raised.changes === 1, "the database has more than one cluster");
    }
  });
  raise.immediate();
  const cluster = loadCluster(db);
  assert(cluster !== null, "the cluster's row was just written");
  return cluster;
}

function openInMemory(options: OpenOptions, folder: string): OpenedStore {
  const db = connect(":memory:");
  assert(migrateDatabase(db, folder) === null, "a fresh database could not be made");
  const cluster = raiseEpoch(db, options, null);
  const alone = { keeper: NO_KEEPER, ballast: NO_BALLAST, release: () => undefined };
  const parts = { ...alone, clock: options.clock, folder, laws: options.laws ?? ALL_LAWS };
  return { ok: true, notices: [], store: assembleStore(db, cluster, parts) };
}
