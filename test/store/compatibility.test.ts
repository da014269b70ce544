// The database of every release so far loads: it is migrated to today's tables and every row of it is understood.

import { Database } from "bun:sqlite";
import { afterAll, expect, test } from "bun:test";
import { chmodSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { LIVE_TABLES } from "../../src/store/live";
import { dumpOf, fillEveryTable, FROZEN } from "./frozen";
import { opened, removeScratch, scratch } from "./scratch";

afterAll(removeScratch);

/** Every table and its columns, however they came to be. */
function shapeOf(dir: string): Record<string, unknown> {
  const db = new Database(join(dir, "orch.db"), { readonly: true });
  const tables = "select name from sqlite_schema where type = 'table' order by name";
  const names = db.query<{ name: string }, []>(tables).all();
  const shape = Object.fromEntries(
    names.map(({ name }) => [
      name,
      db
        .query(`pragma table_xinfo("${name}")`)
        .all()
        .map((column) => JSON.stringify({ ...(column as object), cid: null }))
        .toSorted(),
    ]),
  );
  db.close();
  return shape;
}

const today = scratch();
opened(today).close();
const frozen = readdirSync(FROZEN)
  .filter((name) => name.endsWith(".sql"))
  .toSorted();

test.each(frozen)("the database of release %s is migrated and loads", async (name) => {
  const dir = scratch();
  const db = new Database(join(dir, "orch.db"));
  db.run(readFileSync(join(FROZEN, name), "utf8"));
  const { epoch } = db.query<{ epoch: number }, []>("select epoch from cluster").get()!;
  db.close();
  chmodSync(join(dir, "orch.db"), 0o600);

  const store = opened(dir);
  expect(shapeOf(dir)).toEqual(shapeOf(today));
  expect(LIVE_TABLES.filter((table) => store.state[table].size === 0)).toEqual([]);
  expect(store.state.cluster.epoch).toBe(epoch + 1);
  const [task] = store.state.tasks.values();
  expect(store.spec(task!.spec_hash).env).toEqual({ A: "ünïcode 'quoted'" });
  const { history } = store;
  expect([history.tasks({ limit: 9 }), history.runs({ limit: 9 })].map((rows) => rows.length)).toEqual([1, 1]);
  expect(history.events({ limit: 9 })).toHaveLength(1);
  const again = await store.commit("alice", () => "new", { principal: "alice", key: "key-1", request_hash: "hash" });
  expect(again.replayed).toBe(true);
  store.close();
});

test("there is one of today's, and a dump of today's database builds it again", async () => {
  expect(frozen.length).toBeGreaterThan(0);
  const dir = scratch();
  const store = opened(dir);
  await fillEveryTable(store);
  store.close();
  const db = new Database(join(dir, "orch.db"), { readonly: true });
  const text = dumpOf(db);
  db.close();
  const copy = new Database(":memory:");
  copy.run(text);
  expect(dumpOf(copy)).toBe(text);
  copy.close();
});
