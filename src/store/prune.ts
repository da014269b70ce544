// Keeps history within its bounds, a small piece at a time, so that no request waits long for it. What a piece looks
// at is found by an index, so that its cost does not grow with the history.

import type { Database } from "bun:sqlite";
import type { Ms } from "../core/units";
import { eventIdFrom } from "./draft";
import { failureOf, StorageError } from "./errors";
import { ANSWER_KEPT_MS } from "./idempotency";
import type { LiveState } from "./live";
import type { Specs } from "./specs";
import type { Retention, Store } from "./store";

/** The most rows that one piece removes, beside the specs that they named. */
const PIECE = 500;

/** The most owners of rows, such as workloads of versions, that one piece looks at. */
const OWNERS = 100;

/** The most specs of before the start that one piece looks at. */
const LEFT_SPECS = 200;

/** The most live rows that one piece looks through for the specs that they name, before it looks at those. */
const LIVE_ROWS = 5_000;

/** A removed row, with the spec that it named. */
interface Removed {
  readonly spec_hash: string | null;
}

/** Removes what `keep` does not cover. This is not a commit: live state, revision and watchers do not change. */
export function prunerOf(db: Database, live: LiveState, specs: Specs): Store["prune"] {
  const tasks = rowsOf(db, "ended_tasks", "archived_ms", "spec_hash");
  const runs = rowsOf(db, "ended_runs", "archived_ms", "spec_hash");
  const elements = rowsOf(db, "ended_elements", "archived_ms", "null");
  const events = rowsOf(db, "events", "id", "null");
  const answers = rowsOf(db, "idempotency", "at_ms", "null");
  const versions = walkOf(db, "versions", "workload_uid", "version desc, revision desc", "spec_hash");
  const tests = walkOf(db, "node_tests", "node_id", "at_ms desc, id desc", "null");
  const left = leftSpecsOf(db, live);
  const dropSpecs = specDropper(db, live, specs);
  const walks = [versions, tests];

  const piece = (now_ms: Ms, keep: Retention): { removed: number; more: boolean } => {
    const aged_ms = now_ms - keep.ended_age_ms;
    const removed: Removed[] = [];
    const remove = (some: (room: number) => readonly Removed[]): unknown =>
      removed.push(...some(PIECE - removed.length));
    remove((room) => tasks.aged.all(aged_ms, room));
    remove((room) => tasks.surplus.all(keep.ended_tasks, room));
    remove((room) => runs.aged.all(aged_ms, room));
    remove((room) => runs.surplus.all(keep.ended_runs, room));
    remove((room) => elements.aged.all(aged_ms, room));
    remove((room) => elements.surplus.all(keep.ended_runs, room));
    remove((room) => versions.step({ live: live.workloads, keep: keep.versions, aged_ms, room }));
    remove((room) => events.aged.all(eventIdFrom(now_ms - keep.events_age_ms), room));
    remove((room) => events.surplus.all(keep.events, room));
    remove((room) => tests.step({ live: live.nodes, keep: keep.node_tests, aged_ms, room }));
    remove((room) => answers.aged.all(now_ms - ANSWER_KEPT_MS, room));
    const dropped = dropSpecs([...removed.flatMap(({ spec_hash }) => spec_hash ?? []), ...left.step()]);
    const more = removed.length >= PIECE || walks.some((walk) => !walk.done()) || !left.done();
    if (!more) for (const walk of walks) walk.restart();
    return { removed: removed.length + dropped, more };
  };
  const whole = db.transaction(piece);
  return (now_ms, keep) => {
    try {
      return whole.immediate(now_ms, keep);
    } catch (error) {
      for (const walk of [...walks, left]) walk.restart();
      const failure = failureOf(error);
      // Nothing is removed on a full disk or while another program holds the file. A later call tries again.
      if (failure.is === "full" || failure.is === "refused") return { removed: 0, more: false };
      throw new StorageError("storage_failed", `history could not be pruned (${failure.message})`);
    }
  };
}

type Table = "ended_tasks" | "ended_runs" | "ended_elements" | "events" | "idempotency";

/** Removes rows of a table, the oldest first: those of before a time, and those beyond a number of rows. */
function rowsOf(db: Database, table: Table, time: string, spec_hash: string) {
  const remove = (where: string, order: string) =>
    db.query<Removed, [at: string | number, room: number]>(`delete from ${table} where rowid in
      (select rowid from ${table} where ${where} order by ${order} limit ?) returning ${spec_hash} as spec_hash`);
  return {
    aged: remove(`${time} < ?`, time),
    // Rows come and go in the order of their rowid, so the surplus is found without counting or reading what stays.
    surplus: remove(`rowid <= (select max(rowid) from ${table}) - ?`, "rowid"),
  };
}

interface Step {
  /** The owners that are still there. */
  readonly live: ReadonlyMap<string, unknown>;
  /** How many rows each owner keeps. An owner that is gone keeps none once the newest of them has aged. */
  readonly keep: number;
  readonly aged_ms: Ms;
  readonly room: number;
}

interface Walk {
  /** Looks at the next owners, and returns the rows that were removed of them. */
  step(step: Step): readonly Removed[];
  /** Returns whether every owner has been looked at since the walk began. */
  done(): boolean;
  restart(): void;
}

/** Walks through the owners of a table's rows. `newest` orders the rows of an owner. */
function walkOf(
  db: Database,
  table: "versions" | "node_tests",
  owner: string,
  newest: string,
  spec_hash: string,
): Walk {
  const next = db.query<{ owner: string }, [string]>(
    `select ${owner} as owner from ${table} where ${owner} > ? order by ${owner} limit 1`,
  );
  const last = db.query<{ at_ms: Ms }, [string]>(
    `select at_ms from ${table} where ${owner} = ? order by ${newest} limit 1`,
  );
  const surplus = db.query<Removed, [string, number, number]>(`delete from ${table} where rowid in
    (select rowid from ${table} where ${owner} = ? order by ${newest} limit ? offset ?)
    returning ${spec_hash} as spec_hash`);
  /** The owner that was looked at last. Null: there are no further ones. */
  let at: string | null = "";
  return {
    step({ live, keep, aged_ms, room }) {
      const removed: Removed[] = [];
      for (let count = 0; count < OWNERS && at !== null && removed.length < room; count++) {
        const found: string | null = next.get(at)?.owner ?? null;
        if (found !== null) {
          const kept = live.has(found) || (last.get(found)?.at_ms ?? 0) >= aged_ms ? keep : 0;
          removed.push(...surplus.all(found, room - removed.length, kept));
        }
        // An owner that may have further surplus is looked at again by the next piece.
        if (removed.length < room) at = found;
      }
      return removed;
    },
    done: () => at === null,
    restart() {
      at = "";
    },
  };
}

/**
 * Gives every stored spec once after the start, some at a time, without those that live rows named when it began. So a
 * spec is found that an earlier server has left and nothing names.
 */
function leftSpecsOf(
  db: Database,
  live: LiveState,
): Pick<Walk, "done" | "restart"> & { readonly step: () => readonly string[] } {
  const next = db.query<{ hash: string }, [string]>(
    `select hash from specs where hash > ? order by hash limit ${LEFT_SPECS}`,
  );
  let at: string | null = "";
  /** A spec that has left the live rows since the walk began is given by what was removed of history. */
  const lives = new Set<string>();
  let unread: Iterator<string, void> | null = null;
  const begin = (from: string | null): void => {
    at = from;
    unread = null;
    lives.clear();
  };
  return {
    step() {
      if (at === null) return [];
      unread ??= liveHashes(live);
      for (let count = 0; count < LIVE_ROWS; count++) {
        const one = unread.next();
        if (one.done === true) break;
        lives.add(one.value);
        if (count === LIVE_ROWS - 1) return [];
      }
      const hashes = next.all(at).map(({ hash }) => hash);
      const found = hashes.filter((hash) => !lives.has(hash));
      if (hashes.length < LEFT_SPECS) begin(null);
      else at = hashes.at(-1) ?? null;
      return found;
    },
    done: () => at === null,
    restart: () => begin(""),
  };
}

function* liveHashes({ workloads, runs, tasks }: LiveState): Generator<string, void> {
  for (const rows of [workloads, runs, tasks]) for (const { spec_hash } of rows.values()) yield spec_hash;
}

/** Removes those of some specs that nothing names any more. Returns how many. */
function specDropper(db: Database, live: LiveState, specs: Specs): (hashes: readonly string[]) => number {
  const kept = ["ended_tasks", "ended_runs", "versions"].map((table) => `select 1 from ${table} where spec_hash = ?1`);
  const named = db.query<unknown, [string]>(`${kept.join(" union all ")} limit 1`);
  const drop = db.query<unknown, [string]>("delete from specs where hash = ?");
  return (hashes) => {
    const unnamed = new Set(new Set(hashes).values().filter((hash) => named.get(hash) === null));
    // The live rows are many: they are looked through only for what no history names.
    if (unnamed.size > 0) for (const hash of liveHashes(live)) unnamed.delete(hash);
    let count = 0;
    for (const hash of unnamed) {
      count += drop.run(hash).changes;
      specs.drop(hash);
    }
    return count;
  };
}
