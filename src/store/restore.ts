// Restores an older database on purpose. An older database that was put in place in any other way is refused at the
// next start. The present database is set aside, agents see a new timeline, and the server awaits the inventories of
// all nodes before it places anything.

import type { Database } from "bun:sqlite";
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { assert } from "../core/assert";
import type { ClusterRow } from "../core/model/rows-state";
import { machineId } from "../os/machine";
import { renameDurably } from "../os/files/durable";
import { syncDir } from "../os/files/files";
import { connect, inspect } from "./database";
import { prepareDirectory, type StoreRefusal, refuse } from "./directory";
import { eventId } from "./draft";
import { codeOf } from "./errors";
import { readHighest, writeHighest } from "./highest";
import { loadCluster } from "./load";
import { migrateDatabase, migrationsFolder, timeStamp } from "./migrate";
import { DATABASE, notMigrated, type OpenOptions, own } from "./open";
import { SECOND_MS, type Ms } from "../core/units";

/** How many run numbers may have been given out between the copy and its restore, and are skipped. */
const RUN_GAP = 1_000;
const STAGING = "restoring-";
const PARTS = ["", "-wal", "-shm"];

export type RestoreOptions = OpenOptions & { readonly from: string };

export type Restored =
  /** `set_aside`: the paths of the files of the database that was there before. */
  | {
      readonly ok: true;
      readonly cluster: ClusterRow;
      readonly set_aside: readonly string[];
      readonly notices: readonly string[];
    }
  | StoreRefusal;

/**
 * Replaces the database of `dir` by a copy of `from`. The server of `dir` must be stopped. If the copy is refused, the
 * present database is unchanged; after `not_writable` it may have been set aside, and the restore must be repeated.
 */
export function restoreDatabase(options: RestoreOptions): Restored {
  if (!existsSync(options.from) || !statSync(options.from).isFile()) {
    const why = existsSync(options.from) ? `${options.from} is no file` : `there is no file ${options.from}`;
    return refuse("bad_source", why, "name the copy of the database, such as backup.db");
  }
  const prepared = prepareDirectory(options.dir);
  if (!prepared.ok) return prepared;
  const { dir } = prepared;
  const owned = own(dir, options.clock());
  if (!owned.ok) return owned;
  const stamp = timeStamp(options.clock());
  const staging = join(dir, STAGING + stamp);
  try {
    const staged = stage({ ...options, dir }, staging);
    if (!staged.ok) return staged;
    const set_aside = exchange(dir, staging, stamp);
    const { cluster_id, timeline, epoch, revision, next_run } = staged.cluster;
    writeHighest(dir, { cluster_id, timeline, epoch, revision, next_run, host: hostOf(options) });
    return {
      ok: true,
      cluster: staged.cluster,
      set_aside,
      notices: [
        ...prepared.notices,
        "what was revoked after this copy was made is valid again: tokens (orch token ls), and keys of nodes that " +
          "were put out or refused (orch nodes); revoke them again: orch node forget NODE --fenced --revoke",
      ],
    };
  } catch (error) {
    if (codeOf(error) === null) throw error;
    return refuse(
      "not_writable",
      `the copy could not be brought back: ${(error as Error).message}`,
      "free space or permissions are missing; start again with: orch restore FILE",
    );
  } finally {
    rmSync(staging, { recursive: true, force: true });
    owned.release();
  }
}

const hostOf = (options: OpenOptions): string | null => (options.host === undefined ? machineId() : options.host);

interface Staged {
  readonly ok: true;
  readonly cluster: ClusterRow;
}

/** Copies, checks, migrates and marks the database in a folder of its own; nothing else is touched. */
function stage(options: RestoreOptions, staging: string): Staged | StoreRefusal {
  const { dir, from } = options;
  const folder = options.migrations ?? migrationsFolder();
  for (const name of readdirSync(dir)) if (name.startsWith(STAGING)) rmSync(join(dir, name), { recursive: true });
  mkdirSync(staging, { mode: 0o700 });
  const file = join(staging, DATABASE);
  // A copy of a running server's files has its newest commits in the log beside it.
  for (const part of ["", "-wal"]) if (existsSync(from + part)) copyFileSync(from + part, file + part);

  const source = inspect(file, folder, true);
  if (source.is === "newer") {
    return refuse(
      "newer",
      `${from} was written by a newer orch, of ${timeStamp(source.made_ms)} or later`,
      "use that version",
    );
  }
  if (source.is !== "ours") {
    const why = source.is === "corrupt" ? source.why : "it is empty";
    return refuse("bad_source", `${from} cannot be restored: ${why}`, "nothing was changed; try an older copy");
  }
  const known = knownOf(dir, folder);
  const stranger = known.find((one) => one.cluster_id !== source.cluster.cluster_id);
  if (stranger !== undefined) {
    return refuse(
      "bad_source",
      `${from} is of another cluster than ${dir}`,
      "restore it into an empty directory: --data DIR",
    );
  }
  const db = connect(file);
  try {
    const failure = migrateDatabase(db, folder);
    if (failure !== null) return notMigrated(from, failure);
    const cluster = mark(db, options, [source.cluster, ...known]);
    db.query("pragma wal_checkpoint(truncate)").get();
    return { ok: true, cluster };
  } finally {
    db.close();
  }
}

type Known = Pick<ClusterRow, "cluster_id" | "epoch" | "revision" | "next_run">;

/** Returns what this directory knows of how far the cluster had come: its present database and the file beside it. */
function knownOf(dir: string, folder: string): Known[] {
  const present = inspect(join(dir, DATABASE), folder);
  const highest = readHighest(dir);
  return [...(present.is === "ours" ? [present.cluster] : []), ...(highest.is === "known" ? [highest.highest] : [])];
}

/**
 * Returns an epoch, a revision and a run number beyond all that were used since the copy was made. A restore on another
 * machine cannot know the newest epoch, and agents do not follow an older one. So the epoch is at least the time in
 * seconds, since no server starts once a second.
 */
export function beyond(known: readonly Omit<Known, "cluster_id">[], at_ms: Ms): Omit<Known, "cluster_id"> {
  const highest = (field: "epoch" | "revision" | "next_run"): number => Math.max(...known.map((one) => one[field]));
  return {
    epoch: Math.max(highest("epoch") + 1, Math.floor(at_ms / SECOND_MS)),
    revision: highest("revision") + 1,
    next_run: highest("next_run") + RUN_GAP,
  };
}

/** Makes one commit: a new timeline beyond everything known, in which all nodes are awaited. */
function mark(db: Database, options: RestoreOptions, known: readonly Known[]): ClusterRow {
  const before = loadCluster(db);
  assert(before !== null, "the database was just inspected");
  const timeline = Buffer.from(options.random(16)).toString("hex");
  const at_ms = Math.max(before.at_ms, Math.floor(options.clock()));
  const { epoch, revision, next_run } = beyond(known, at_ms);
  const write = db.transaction(() => {
    // A machine that waits for approval has had no work, so nothing that it could say is awaited.
    const nodes = db
      .query<{ id: string }, []>("select id from nodes where admission <> 'joining' order by id")
      .all()
      .map((row) => row.id);
    db.query("update cluster set timeline = ?, epoch = ?, revision = ?, next_run = ?, at_ms = ?, recovering = ?").run(
      timeline,
      epoch,
      revision,
      next_run,
      at_ms,
      nodes.length === 0 ? null : JSON.stringify(nodes),
    );
    db.query("update home set host = ?").run(hostOf(options));
    const event = db.query("insert into events (id, at_ms, actor, verb, object, detail) values (?, ?, ?, ?, ?, ?)");
    event.run(
      eventId(at_ms, revision, 0),
      at_ms,
      "orch restore",
      "restore",
      "cluster",
      `from ${options.from}, whose last change was at ${new Date(before.at_ms).toISOString()}`,
    );
  });
  write.immediate();
  const after = loadCluster(db);
  assert(after !== null, "the cluster's row was just written");
  return after;
}

/**
 * Sets the present files aside and puts the staged one in place. If this is cut short, the next start reports that
 * there is no database.
 */
function exchange(dir: string, staging: string, stamp: string): string[] {
  const file = join(dir, DATABASE);
  let aside = `${file}.set-aside-${stamp}`;
  while (PARTS.some((part) => existsSync(aside + part))) aside += "x";
  const moved: string[] = [];
  for (const part of PARTS) {
    if (!existsSync(file + part)) continue;
    renameSync(file + part, aside + part);
    moved.push(aside + part);
  }
  syncDir(dir);
  renameDurably(join(staging, DATABASE), file);
  return moved;
}
