// Keeps history within its bounds, a small piece at a time, so that no request waits long for it.

import type { Database } from "bun:sqlite";
import type { Ms } from "../core/units";
import { eventIdFrom } from "./draft";
import { failureOf, StorageError } from "./errors";
import { ANSWER_KEPT_MS } from "./idempotency";
import type { Specs } from "./specs";
import type { Retention, Store } from "./store";

/** The most rows of a table that one piece removes. */
const PIECE = 500;

/** The tables whose rows name specs. */
const NAMES_SPECS = ["workloads", "runs", "tasks", "versions", "ended_runs", "ended_tasks"] as const;

/**
 * Which tests of nodes are removed: of each node the oldest beyond the limit, and the aged tests of forgotten nodes.
 */
const testsOf = (db: Database) => ({
  surplus: db.query(`delete from node_tests where id in (select id from
    (select id, row_number() over (partition by node_id order by at_ms desc, id desc) as place from node_tests)
    where place > ? limit ${PIECE})`),
  forgotten: db.query(`delete from node_tests where id in (select id from node_tests
    where at_ms < ? and node_id not in (select id from nodes) limit ${PIECE})`),
});

/**
 * Which history of workloads is removed: the aged entries of workloads that are gone, and of each workload the oldest
 * entries beyond the limit.
 */
const versionsOf = (db: Database) => ({
  gone: db.query(`delete from versions where key in (select key from versions
    where at_ms < ? and workload_uid not in (select uid from workloads) limit ${PIECE})`),
  surplus: db.query(`delete from versions where key in (select key from
    (select key, row_number() over (partition by workload_uid order by version desc, revision desc) as place
    from versions) where place > ? limit ${PIECE})`),
});

/** Removes what `keep` does not cover. This is not a commit: live state, revision and watchers do not change. */
export function prunerOf(db: Database, specs: Specs): Store["prune"] {
  // Rows come and go in the order of their rowid, so the surplus is found without counting or reading what stays.
  const surplusOf = (table: "ended_tasks" | "ended_runs" | "events") =>
    db.query(`delete from ${table} where rowid in
    (select rowid from ${table} where rowid <= (select max(rowid) from ${table}) - ? order by rowid limit ${PIECE})`);
  const agedOf = (table: "ended_tasks" | "ended_runs") =>
    db.query(`delete from ${table} where rowid in
    (select rowid from ${table} where archived_ms < ? order by archived_ms limit ${PIECE})`);
  const ended = {
    tasks: { aged: agedOf("ended_tasks"), surplus: surplusOf("ended_tasks") },
    runs: { aged: agedOf("ended_runs"), surplus: surplusOf("ended_runs") },
  };
  const versions = versionsOf(db);
  const events = {
    surplus: surplusOf("events"),
    aged: db.query(`delete from events where rowid in
    (select rowid from events where id < ? order by id limit ${PIECE})`),
  };
  const tests = testsOf(db);
  const answers = db.query(`delete from idempotency where rowid in
    (select rowid from idempotency where at_ms < ? order by at_ms limit ${PIECE})`);
  const unused = db.query(`delete from specs where hash in (select hash from specs where hash not in
    (${NAMES_SPECS.map((table) => `select spec_hash from ${table}`).join(" union ")}) limit ${PIECE})`);
  /** Whether rows that named specs were removed since the specs were last examined. */
  let specsDue = true;

  const piece = (now_ms: Ms, keep: Retention): { removed: number; more: boolean } => {
    const ended_ms = now_ms - keep.ended_age_ms;
    const named = [
      ended.tasks.aged.run(ended_ms),
      ended.tasks.surplus.run(keep.ended_tasks),
      ended.runs.aged.run(ended_ms),
      ended.runs.surplus.run(keep.ended_runs),
      versions.gone.run(ended_ms),
      versions.surplus.run(keep.versions),
    ].map(({ changes }) => changes);
    const gone = [
      ...named,
      ...[
        events.aged.run(eventIdFrom(now_ms - keep.events_age_ms)),
        events.surplus.run(keep.events),
        tests.surplus.run(keep.node_tests),
        tests.forgotten.run(ended_ms),
        answers.run(now_ms - ANSWER_KEPT_MS),
      ].map(({ changes }) => changes),
    ];
    if (named.some((count) => count > 0)) specsDue = true;
    let more = gone.some((count) => count >= PIECE);
    if (!more && specsDue) {
      const count = unused.run().changes;
      gone.push(count);
      more = specsDue = count >= PIECE;
      if (count > 0) specs.clear();
    }
    return { removed: gone.reduce((sum, count) => sum + count, 0), more };
  };
  const whole = db.transaction(piece);
  return (now_ms, keep) => {
    try {
      return whole.immediate(now_ms, keep);
    } catch (error) {
      const failure = failureOf(error);
      // Nothing is removed on a full disk or while another program holds the file. A later call tries again.
      if (failure.is === "full" || failure.is === "refused") return { removed: 0, more: false };
      throw new StorageError("storage_failed", `history could not be pruned (${failure.message})`);
    }
  };
}
