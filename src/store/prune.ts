// Keeps history within its bounds, a small piece at a time, so that no request waits long behind it.

import type { Database } from "bun:sqlite";
import type { Ms } from "../core/units";
import { eventIdFrom } from "./draft";
import { failureOf, StorageError } from "./errors";
import { ANSWER_KEPT_MS } from "./idempotency";
import type { Specs } from "./specs";
import type { Retention, Store } from "./store";

/** At most so many rows of a table go at once. */
const PIECE = 500;

/** Tables whose rows name specs. */
const NAMES_SPECS = ["workloads", "runs", "tasks", "versions", "ended_runs", "ended_tasks"] as const;

/** Removes what `keep` does not cover. It is not a commit: live state, revision and watchers do not change by it. */
export function prunerOf(db: Database, specs: Specs): Store["prune"] {
  const byTime = (table: "ended_tasks" | "ended_runs") => ({
    surplus: db.query<{ archived_ms: number; uid: string }, [number]>(
      `select archived_ms, uid from ${table} order by archived_ms desc, uid desc limit 1 offset ?`),
    remove: db.query(`delete from ${table} where uid in (select uid from ${table}
      where archived_ms < ?1 or (archived_ms, uid) <= (?2, ?3) order by archived_ms, uid limit ${PIECE})`),
  });
  const tasks = byTime("ended_tasks");
  const runs = byTime("ended_runs");
  const events = {
    surplus: db.query<{ id: string }, [number]>("select id from events order by id desc limit 1 offset ?"),
    remove: db.query(`delete from events where id in
      (select id from events where id < ?1 or id <= ?2 order by id limit ${PIECE})`),
  };
  const answers = db.query(`delete from idempotency where rowid in
    (select rowid from idempotency where at_ms < ? order by at_ms limit ${PIECE})`);
  const versions = db.query(`delete from versions where key in (select key from versions
    where at_ms < ? and workload_uid not in (select uid from workloads) limit ${PIECE})`);
  const unused = db.query(`delete from specs where hash in (select hash from specs where hash not in
    (${NAMES_SPECS.map((table) => `select spec_hash from ${table}`).join(" union ")}) limit ${PIECE})`);
  /** Whether rows that named specs have gone since the specs were last looked through. */
  let specsDue = true;

  const removeEnded = ({ surplus, remove }: ReturnType<typeof byTime>, before_ms: Ms, count: number): number => {
    const cut = surplus.get(count);
    return remove.run(before_ms, cut?.archived_ms ?? -1, cut?.uid ?? "").changes;
  };
  const piece = (now_ms: Ms, keep: Retention): { removed: number; more: boolean } => {
    const ended_ms = now_ms - keep.ended_age_ms;
    const named = [removeEnded(tasks, ended_ms, keep.ended_tasks), removeEnded(runs, ended_ms, keep.ended_runs),
      versions.run(ended_ms).changes];
    const surplus = events.surplus.get(keep.events)?.id ?? "";
    const gone = [...named, events.remove.run(eventIdFrom(now_ms - keep.events_age_ms), surplus).changes,
      answers.run(now_ms - ANSWER_KEPT_MS).changes];
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
      // Without room or while somebody reads, nothing goes: the next call tries again.
      if (failure.is === "full" || failure.is === "refused") return { removed: 0, more: true };
      throw new StorageError("storage_failed", `history could not be pruned (${failure.message})`);
    }
  };
}
