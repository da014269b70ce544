// History: what has left the live state is found by its names and numbers, newest first, and bounded.

import { Database } from "bun:sqlite";
import { afterAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Change } from "../../src/core/model/rows-state";
import type { RunRow } from "../../src/core/model/rows-work";
import type { TaskRow } from "../../src/core/model/rows-task";
import type { NodeTests } from "../../src/core/model/node-tests";
import { DAY_MS } from "../../src/core/units";
import type { Store } from "../../src/store/store";
import { buildNode, buildRun, buildSpec, buildTask, buildWorkload } from "../support/build";
import { clock, opened, removeScratch, scratch } from "./scratch";

afterAll(removeScratch);

function ended(n: number, spec_hash = "h", project = "lab"): { run: RunRow; task: TaskRow; changes: Change[] } {
  const user = n % 2 === 0 ? "bob" : "alice";
  const run = buildRun(n, spec_hash, { state: "succeeded", finished_ms: 1, project, user });
  const task = buildTask(run, "n1", {
    app_uid: n % 3 === 0 ? "app" : null,
    observed: {
      state: "succeeded",
      started_ms: 1,
      finished_ms: 2,
      exit_code: 0,
      signal: null,
      reason: null,
      peak_memory_bytes: null,
      tail: { stdout: "x", stderr: "" },
    },
  });
  return {
    run,
    task,
    changes: [
      { table: "ended_runs", key: run.uid, row: run },
      { table: "ended_tasks", key: task.uid, row: task },
    ],
  };
}

/** Runs 1 to `count`, each ended in its own batch a second after the other. */
async function filled(store: Store, count: number): Promise<void> {
  for (let n = 1; n <= count; n++) {
    clock.at_ms += 1_000;
    await store.commit("plan", (draft) => {
      draft.put(ended(n, draft.putSpec(buildSpec({ env: { N: String(n) } }))).changes);
      draft.event({ verb: "ended", object: `job-${n % 2}`, project: null, detail: String(n) });
    });
  }
}

const runs = (rows: readonly RunRow[]): number[] => rows.map(({ run }) => run);

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
    expect(plan("select * from ended_runs where user = 'x' and run < 5 order by run desc limit 9")).toContain(
      "ended_runs_user",
    );
    expect(plan("select * from events where object = 'x' and id < 'y' order by id desc limit 9")).toContain(
      "events_object (",
    );
    const either = "object = 'x' or (object >= 'x.' and object < 'x/') or node_id = 'x'";
    expect(plan(`select * from events where ${either} order by id desc limit 9`)).toContain("events_node (");
    expect(plan("select * from events where id >= 'y' order by id desc limit 9")).toMatch(/^SEARCH events USING INDEX/);
    db.close();
  });
});

describe("pruning", () => {
  const keep = {
    ended_age_ms: DAY_MS,
    ended_tasks: 1_000,
    ended_runs: 1_000,
    events_age_ms: DAY_MS,
    events: 1_000,
    node_tests: 50,
    versions: 50,
  };
  const all = (store: Store): number[][] => [
    runs(store.history.runs({ limit: 100 })),
    store.history.tasks({ limit: 100 }).map(({ run }) => run ?? 0),
    store.history.events({ limit: 100 }).map(({ detail }) => Number(detail)),
  ];

  test("removes what is too old, and specs that nothing names any more", async () => {
    const store = opened(":memory:");
    await filled(store, 4);
    const [old, young] = [store.history.run(1)!.spec_hash, store.history.run(4)!.spec_hash];
    const revision = store.state.cluster.revision;
    const now_ms = clock.at_ms + DAY_MS - 1_000;
    expect(store.prune(now_ms, keep)).toEqual({ removed: 3 * 2 + 2, more: false });
    expect(all(store)).toEqual([
      [4, 3],
      [4, 3],
      [4, 3],
    ]);
    expect(() => store.spec(old)).toThrow("no spec");
    expect(store.spec(young).env).toEqual({ N: "4" });
    expect(store.prune(now_ms, keep)).toEqual({ removed: 0, more: false });
    expect(store.state.cluster.revision).toBe(revision);
  });

  test("removes what is too many, the oldest first", async () => {
    const store = opened(":memory:");
    await filled(store, 5);
    store.prune(clock.at_ms, { ...keep, ended_tasks: 3, ended_runs: 2, events: 1 });
    expect(all(store)).toEqual([[5, 4], [5, 4, 3], [5]]);
  });

  test("keeps the newest tests of each node, and none for long of one that is gone", async () => {
    const store = opened(":memory:");
    const put = (node_id: string, n: number): Promise<unknown> =>
      store.commit("test", (draft) => {
        const row: NodeTests = {
          id: `${node_id}-${n}`,
          node_id,
          fingerprint: "f",
          at_ms: draft.now_ms,
          why: "it joined",
          verdict: "passed",
          reason: null,
          results: [],
        };
        draft.put([{ table: "node_tests", key: row.id, row }]);
      });
    await store.commit("test", (draft) => {
      for (const node of [buildNode("a"), buildNode("b")]) draft.put([{ table: "nodes", key: node.id, row: node }]);
    });
    for (let n = 1; n <= 4; n++)
      for (const node of ["a", "b", "gone"]) {
        clock.at_ms += 1;
        await put(node, n);
      }
    const ids = (node: string): string[] => store.history.nodeTests(node, 9).map(({ id }) => id);
    expect(ids("a")).toEqual(["a-4", "a-3", "a-2", "a-1"]);
    expect(store.prune(clock.at_ms, { ...keep, node_tests: 3 })).toEqual({ removed: 3, more: false });
    expect([ids("a"), ids("b"), ids("gone").length]).toEqual([["a-4", "a-3", "a-2"], ["b-4", "b-3", "b-2"], 3]);
    expect(store.prune(clock.at_ms + 2 * DAY_MS, keep)).toEqual({ removed: 3, more: false });
    expect([ids("gone"), ids("a").length]).toEqual([[], 3]);
  });

  test("keeps the newest entries of each workload's history", async () => {
    const dir = scratch();
    const store = opened(dir);
    const spec_hash = await store.commit("test", (draft) => draft.putSpec(buildSpec())).then(({ value }) => value);
    for (const [version, revision] of [
      [1, 0],
      [1, 12],
      [1, 13],
      [2, 14],
    ] as const)
      await store.commit("test", (draft) => {
        for (const name of ["api", "other"]) {
          const workload = buildWorkload("web", name, spec_hash);
          const { uid, settings } = workload;
          const key = `${uid}/${version}/${revision}`;
          const row = { key, workload_uid: uid, version, revision, spec_hash, settings, by: name, at_ms: 1 };
          draft.put([
            { table: "workloads", key: uid, row: workload },
            { table: "versions", key, row },
          ]);
        }
      });
    expect(store.prune(clock.at_ms, { ...keep, versions: 2 })).toMatchObject({ removed: 4, more: false });
    const db = new Database(join(dir, "orch.db"), { readonly: true });
    const rows = db.query("select by, version, revision from versions order by by, revision").values();
    db.close();
    store.close();
    expect(rows).toEqual([
      ["api", 1, 13],
      ["api", 2, 14],
      ["other", 1, 13],
      ["other", 2, 14],
    ]);
  });

  test("takes a long history in small pieces", async () => {
    const store = opened(":memory:");
    await store.commit("plan", (draft) => {
      for (let n = 0; n < 1_200; n++) draft.event({ verb: "v", object: "o", project: null, detail: String(n) });
    });
    const pieces: number[] = [];
    for (let more = true; more;) {
      const done = store.prune(clock.at_ms, { ...keep, events: 100 });
      pieces.push(done.removed);
      ({ more } = done);
    }
    expect(pieces).toEqual([500, 500, 100]);
    expect(store.history.events({ limit: 1_000 })).toHaveLength(100);
  });
});
