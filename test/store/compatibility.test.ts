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
  // Arrays came later.
  expect(LIVE_TABLES.filter((table) => store.state[table].size === 0)).toEqual(["elements"]);
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

test("events of before that named a node by its id in their actor have it in a field", () => {
  const dir = scratch();
  const db = new Database(join(dir, "orch.db"));
  db.run(readFileSync(join(FROZEN, "0.1.sql"), "utf8"));
  const node = { id: "fedcba9876543210".repeat(2), name: "n1" };
  db.query("update nodes set id = ? where name = ?").run(node.id, node.name);
  const forgotten = "0123456789abcdef".repeat(2);
  const event = db.query("insert into events (id, at_ms, actor, verb, object, detail) values (?, 1, ?, 'x', 'y', '')");
  event.run("1", `node ${node.id}`);
  event.run("2", `node ${forgotten}`);
  event.run("3", "node box");
  db.close();
  chmodSync(join(dir, "orch.db"), 0o600);
  const store = opened(dir);
  const events = store.history.events({ object: "y", limit: 9 }).map(({ id, actor, node_id }) => [id, actor, node_id]);
  expect(events).toEqual([
    ["3", "node box", null],
    ["2", "node 0123456789", forgotten],
    ["1", `node ${node.name}`, node.id],
  ]);
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
