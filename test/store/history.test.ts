// History: what has left the live state is found by its names and numbers, newest first, and bounded.

import { Database } from "bun:sqlite";
import { afterAll, describe, expect, spyOn, test } from "bun:test";
import { join } from "node:path";
import type { Change } from "../../src/core/model/rows-state";
import { eventId, eventIdFrom } from "../../src/store/draft";
import { historyOf } from "../../src/store/history";
import type { History } from "../../src/store/store";
import { ended, filled, runs } from "./ended";
import { clock, opened, removeScratch, scratch } from "./scratch";

afterAll(removeScratch);

/** Events 1 to `count`: an even number is of a part of `a`, each of another part. */
function manyEvents(db: Database, count: number): void {
  const insert = db.query(`insert into events (id, at_ms, actor, verb, object, project, node_id, detail)
    values (?1, ?2, 'plan', 'placed', ?3, 'lab', 'n' || (?2 % 10), '')`);
  db.transaction(() => {
    for (let n = 1; n <= count; n++) insert.run(eventId(n, 1, 1), n, n % 2 === 0 ? `a.${n}` : `b.${n}`);
  })();
}

describe("history", () => {
  test("gives tasks and runs back as they were, by uid, by the beginning of a uid and by number", async () => {
    const store = opened(":memory:");
    await filled(store, 3);
    const { run, task } = ended(2, store.history.run(2)?.spec_hash);
    expect(store.history.run(2)).toEqual(run);
    expect(store.history.run(run.uid)).toEqual(run);
    expect(store.history.task(task.uid)).toEqual(task);
    expect(store.history.task(task.uid.slice(0, 10))).toEqual(task);
    expect([store.history.task(""), store.history.task("zz"), store.history.run(9)]).toEqual([null, null, null]);
    expect([store.history.hasEnded(task.uid), store.history.hasEnded("x"), store.history.hasGrave("x")]).toEqual([
      true,
      false,
      false,
    ]);
    await store.commit("plan", (draft) => draft.put([{ table: "graves", key: "x", row: { uid: "x", at_ms: 1 } }]));
    expect(store.history.hasGrave("x")).toBe(true);
  });

  test("says nothing when the beginning of a uid fits two tasks, unless one is that uid", async () => {
    const store = opened(":memory:");
    const { task } = ended(1);
    const rows = ["aa11", "aa22", "aa"].map((uid): Change => ({
      table: "ended_tasks",
      key: uid,
      row: { ...task, uid },
    }));
    await store.commit("plan", (draft) => draft.put(rows));
    expect(["a", "aa1", "aa"].map((text) => store.history.task(text)?.uid ?? null)).toEqual([null, "aa11", "aa"]);
  });

  test("lists newest first, within every filter", async () => {
    const store = opened(":memory:");
    const before_ms = clock.at_ms;
    await filled(store, 6);
    const { history } = store;
    expect(runs(history.runs({ limit: 10 }))).toEqual([6, 5, 4, 3, 2, 1]);
    expect(runs(history.runs({ user: "bob", limit: 2 }))).toEqual([6, 4]);
    expect(runs(history.runs({ before_run: 4, limit: 2 }))).toEqual([3, 2]);
    expect(runs(history.runs({ since_ms: before_ms + 5_000, limit: 10 }))).toEqual([6, 5]);
    expect(runs(history.runs({ project: "other", limit: 10 }))).toEqual([]);
    const tasks = (filter: object): (number | null)[] => history.tasks({ ...filter, limit: 10 }).map(({ run }) => run);
    expect(tasks({})).toEqual([6, 5, 4, 3, 2, 1]);
    expect(tasks({ app_uid: "app" })).toEqual([6, 3]);
    expect(tasks({ run: 5 })).toEqual([5]);
    expect(tasks({ owner_uid: ended(2).run.uid })).toEqual([2]);
    expect(tasks({ app_uid: "app", since_ms: before_ms + 6_000 })).toEqual([6]);
    const events = history.events({ object: "job-1", limit: 10 });
    expect(events.map(({ detail }) => detail)).toEqual(["5", "3", "1"]);
    expect(history.events({ before_id: events[1]!.id, limit: 1 }).map(({ detail }) => detail)).toEqual(["2"]);
    expect(history.events({ since_ms: before_ms + 6_000, limit: 10 }).map(({ detail }) => detail)).toEqual(["6"]);
  });

  test("is asked by an index, never by reading a whole table", async () => {
    const dir = scratch();
    opened(dir).close();
    const db = new Database(join(dir, "orch.db"), { readonly: true });
    const plan = (query: string): string =>
      db
        .query<{ detail: string }, []>(`explain query plan ${query}`)
        .all()
        .map(({ detail }) => detail)
        .join("; ");
    const order = "order by archived_ms desc, uid desc limit 9";
    const filters = [
      "owner_uid = 'x'",
      "app_uid = 'x'",
      "run = 1",
      "archived_ms >= 5",
      "app_uid = 'x' and archived_ms >= 5",
    ];
    for (const where of filters) {
      const found = plan(`select * from ended_tasks where ${where} ${order}`);
      expect(found).toMatch(/^SEARCH ended_tasks USING INDEX \w+ \([^;]*\)$/);
    }
    expect(plan(`select * from ended_tasks ${order}`)).toBe("SCAN ended_tasks USING INDEX ended_tasks_time");
    db.close();
  });

  test.each([
    ["runs of a project", (history: History) => history.runs({ project: "a", limit: 9 })],
    ["runs of a user", (history: History) => history.runs({ user: "a", before_run: 5, limit: 9 })],
    ["runs of a user in a project", (history: History) => history.runs({ user: "a", project: "b", limit: 9 })],
    ["runs since", (history: History) => history.runs({ since_ms: 1, limit: 9 })],
    ["runs of both since", (history: History) => history.runs({ user: "a", project: "b", since_ms: 1, limit: 9 })],
    ["events of an object", (history: History) => history.events({ object: "a", limit: 9 })],
    ["events of an object in a project", (history: History) => history.events({ object: "a", project: "b", limit: 9 })],
    [
      "events of a node since",
      (history: History) => history.events({ object: "a", node_id: "b", since_ms: 1, limit: 9 }),
    ],
    [
      "a next page of events of an object since",
      (history: History) => history.events({ object: "a", since_ms: 1, before_id: "z", limit: 9 }),
    ],
  ])("finds %s in an index, and reads only the rows of the answer", (_what, ask) => {
    const dir = scratch();
    opened(dir).close();
    const db = new Database(join(dir, "orch.db"));
    manyEvents(db, 3_000);
    const asked = spyOn(db, "prepare");
    ask(historyOf(db));
    const queries = asked.mock.calls.map(([query]) => query);
    asked.mockRestore();
    const lines = queries.flatMap((query) =>
      db
        .query<{ detail: string }, []>(`explain query plan ${query}`)
        .all()
        .map(({ detail }) => detail),
    );
    const reads = lines.filter((line) => /^(SCAN|SEARCH) (events|ended_runs)/.test(line));
    const byKey = /USING INDEX (sqlite_autoindex_events_1 \(id=\?\)|ended_runs_run \(run=\?\))$/;
    expect(reads.length).toBeGreaterThan(1);
    expect(reads.filter((line) => !/^SEARCH \w+ USING COVERING INDEX/.test(line) && !byKey.test(line))).toEqual([]);
    db.close();
  });

  test("of a time with few events looks at those alone, however many names the parts of an object have", () => {
    const dir = scratch();
    opened(dir).close();
    const db = new Database(join(dir, "orch.db"));
    manyEvents(db, 3_000);
    const { events } = historyOf(db);
    const asked = spyOn(db, "prepare");
    const found = events({ object: "a", since_ms: 2_990, before_id: eventIdFrom(2_997), limit: 9 });
    const queries = asked.mock.calls.map(([query]) => query);
    asked.mockRestore();
    expect(found.map(({ at_ms }) => at_ms)).toEqual([2_996, 2_994, 2_992, 2_990]);
    expect(queries).toHaveLength(2);
    for (const query of queries) {
      const lines = db.query<{ detail: string }, []>(`explain query plan ${query}`).all();
      expect(lines.map(({ detail }) => detail)).toEqual([
        expect.stringMatching(/^SEARCH events USING (COVERING )?INDEX sqlite_autoindex_events_1 \(id>\? AND id<\?\)$/),
      ]);
    }
    db.close();
  });

  test("of events of an object within bounds is the same by either index", () => {
    const dir = scratch();
    opened(dir).close();
    const db = new Database(join(dir, "orch.db"));
    manyEvents(db, 3_000);
    const { events } = historyOf(db);
    const ids = (since_ms: number): number[] =>
      events({ object: "a", node_id: "n7", since_ms, before_id: eventIdFrom(2_900), limit: 9 }).map((row) => row.at_ms);
    expect(ids(2_000)).toEqual([2_898, 2_897, 2_896, 2_894, 2_892, 2_890, 2_888, 2_887, 2_886]);
    expect(ids(1)).toEqual(ids(2_000));
    db.close();
  });

  test("of a run asks the database with a statement that is made once", () => {
    const dir = scratch();
    opened(dir).close();
    const db = new Database(join(dir, "orch.db"));
    const { run } = historyOf(db);
    const asked = spyOn(db, "prepare");
    expect([1, 2, 1].map((number) => run(number))).toEqual([null, null, null]);
    const queries = asked.mock.calls.length;
    asked.mockRestore();
    expect(queries).toBe(1);
    db.close();
  });
});
