// The same store with SQLite under it, for a share of the seeds. Every start loads what was committed, which must equal
// the live maps. It has a directory of its own, which is removed with the world.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { canonicalJson } from "../../src/core/canonical";
import { LAWS } from "../../src/core/laws/laws";
import { LIVE_TABLES } from "../../src/store/live";
import { openStore } from "../../src/store/open";
import { applyChanges, tellBug, type Database, type SimStore, type StoreWorld } from "./database";
import { demand } from "./violation";

export interface SqliteHome {
  readonly dir: string;
  remove(): void;
}

export function makeSqliteHome(): SqliteHome {
  const dir = mkdtempSync(join(tmpdir(), "orch-sim-"));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

/** Opens the store in `home`. `database` holds the truth about its content and is updated with every commit. */
export function openSqliteStore(world: StoreWorld, home: SqliteHome, database: Database): SimStore {
  const opened = openStore({
    dir: join(home.dir, "server"),
    host: "box",
    laws: { list: LAWS, thorough: true },
    clock: () => 1_000_000 + world.schedule.now_ms,
    random: (bytes) =>
      bytes > 64 ? new Uint8Array(bytes) : Uint8Array.from(Buffer.from(world.random.hex(bytes * 2), "hex")),
  });
  demand(opened.ok, "the store opens", () => (opened.ok ? "" : opened.message));
  if (!opened.ok) throw new Error("unreachable");
  const { store } = opened;
  const { cluster } = database.state;
  if (cluster.epoch > 0) {
    demand(
      store.state.cluster.epoch === cluster.epoch + 1,
      "1: the epoch rises by one",
      () => `${store.state.cluster.epoch}`,
    );
    for (const table of LIVE_TABLES) {
      demand(
        contentOf(store.state[table]) === contentOf(database.state[table]),
        "I1: what is loaded is what was live",
        () => `${table}: ${differenceOf(store.state[table], database.state[table])}`,
      );
    }
  }
  database.state.cluster = store.state.cluster;
  store.onCommit((_revision, changes) => {
    applyChanges(database, changes);
    for (const change of changes) if (change.table === "specs") database.specs.set(change.key, change.row.spec);
    world.committed(changes);
  });
  let dead = false;
  const commit: SimStore["commit"] = (actor, transact, idempotency) =>
    new Promise((resolve, reject) => {
      store.commit(actor, transact, idempotency).then(
        (committed) => (dead ? undefined : resolve(committed)),
        (error: unknown) => {
          tellBug(world, error);
          if (!dead) reject(error instanceof Error ? error : new Error(String(error)));
        },
      );
    });
  // The people that a world begins with are in its files too.
  if (cluster.epoch === 0) {
    const people = [...database.state.users.values()];
    void commit("server", (draft) => draft.put(people.map((row) => ({ table: "users", key: row.name, row }))));
  }
  return {
    ...store,
    commit,
    crash() {
      // A dead process hears of nothing any more, also not that its store is closed.
      dead = true;
      store.concludeWith(null);
      store.close();
    },
  };
}

const contentOf = (rows: ReadonlyMap<string, unknown>): string =>
  [...rows]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, row]) => `${key} ${canonicalJson(row)}`)
    .join("\n");

function differenceOf(loaded: ReadonlyMap<string, unknown>, live: ReadonlyMap<string, unknown>): string {
  for (const key of new Set([...loaded.keys(), ...live.keys()])) {
    const a = loaded.get(key),
      b = live.get(key);
    if (canonicalJson(a ?? null) !== canonicalJson(b ?? null))
      return `${canonicalJson(a ?? null)} was ${canonicalJson(b ?? null)}`;
  }
  return "nothing";
}
