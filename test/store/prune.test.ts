// Pruning: history is kept within its bounds, in small pieces, and whatever is removed is found by an index.

import { Database } from "bun:sqlite";
import { afterAll, describe, expect, spyOn, test } from "bun:test";
import { join } from "node:path";
import type { NodeTests } from "../../src/core/model/node-tests";
import { DAY_MS } from "../../src/core/units";
import { loadCluster, loadState } from "../../src/store/load";
import { prunerOf } from "../../src/store/prune";
import { specsOf } from "../../src/store/specs";
import type { Retention, Store } from "../../src/store/store";
import { buildNode, buildRun, buildSpec, buildWorkload } from "../support/build";
import { ended, filled, runs } from "./ended";
import { clock, opened, removeScratch, scratch } from "./scratch";

afterAll(removeScratch);

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

  /** Prunes until nothing more is to be removed. Returns what each piece has removed. */
  function pieces(store: Store, kept: Retention): number[] {
    const removed: number[] = [];
    for (let more = true; more;) {
      const done = store.prune(clock.at_ms, kept);
      removed.push(done.removed);
      ({ more } = done);
    }
    return removed;
  }

  test("looks at some workloads at a time, and at all of them again in the next round", async () => {
    const store = opened(":memory:");
    const put = async (version: number): Promise<void> => {
      await store.commit("test", (draft) => {
        const spec_hash = draft.putSpec(buildSpec({ env: { V: String(version) } }));
        for (let n = 0; n < 250; n++) {
          const { uid, settings } = buildWorkload("web", `w${n}`, spec_hash);
          const key = `${uid}/${version}`;
          const row = { key, workload_uid: uid, version, revision: version, spec_hash, settings, by: "x", at_ms: 1 };
          draft.put([{ table: "versions", key, row }]);
        }
      });
    };
    for (const version of [1, 2, 3]) await put(version);
    const kept = { ...keep, versions: 2, ended_age_ms: clock.at_ms };
    // The spec goes with the last row that names it.
    expect(pieces(store, kept)).toEqual([100, 100, 51]);
    await put(4);
    expect(pieces(store, kept)).toEqual([100, 100, 51]);
    expect(pieces(store, { ...kept, ended_age_ms: 0 })).toEqual([200, 200, 102]);
  });

  test("keeps a spec while anything names it, and finds those that an earlier server has left", async () => {
    const dir = scratch();
    const store = opened(dir);
    const [shared, open] = await store
      .commit("plan", (draft) => {
        const [a, b] = [draft.putSpec(buildSpec()), draft.putSpec(buildSpec({ env: { A: "open" } }))];
        draft.put([...ended(1, a).changes, ...ended(2, b).changes]);
        const run = buildRun(3, b);
        draft.put([{ table: "runs", key: run.uid, row: run }]);
        return [a, b] as const;
      })
      .then(({ value }) => value);
    clock.at_ms += DAY_MS;
    await store.commit("plan", (draft) => draft.put(ended(4, shared).changes));
    expect(pieces(store, { ...keep, ended_age_ms: 1_000 })).toEqual([4]);
    expect([shared, open].map(store.hasSpec)).toEqual([true, true]);
    clock.at_ms += DAY_MS;
    expect(pieces(store, { ...keep, ended_age_ms: 1_000 })).toEqual([3]);
    expect([shared, open].map(store.hasSpec)).toEqual([false, true]);
    store.close();
    const db = new Database(join(dir, "orch.db"));
    const left = db.query("insert into specs (hash, spec) values (?, '{}')");
    for (let n = 0; n < 450; n++) left.run(`left-${n}`);
    db.close();
    const again = opened(dir);
    expect(pieces(again, keep)).toEqual([199, 200, 51]);
    expect([again.hasSpec("left-7"), again.hasSpec(open)]).toEqual([false, true]);
    again.close();
  });

  test("looks through live rows once after the start, and then only for specs that no history names", async () => {
    const dir = scratch();
    const store = opened(dir);
    await store.commit("test", (draft) => {
      for (let n = 1; n <= 450; n++) {
        const run = buildRun(n, draft.putSpec(buildSpec({ env: { N: String(n) } })));
        draft.put([{ table: "runs", key: run.uid, row: run }]);
      }
    });
    store.close();
    const again = opened(dir);
    const looks = spyOn(again.state.runs, "values");
    expect(pieces(again, keep)).toEqual([0, 0, 0]);
    expect(looks.mock.calls.length).toBe(1);
    const shared = again.state.runs.values().next().value!.spec_hash;
    await again.commit("test", (draft) => draft.put([...ended(501, shared).changes, ...ended(502, shared).changes]));
    looks.mockClear();
    expect(pieces(again, { ...keep, ended_runs: 1, ended_tasks: 1 })).toEqual([2]);
    expect(looks.mock.calls.length).toBe(0);
    again.close();
  });

  test("keeps a spec that was left and is named again while the walk after the start is under way", async () => {
    const dir = scratch();
    const spec = buildSpec({ env: { A: "again" } });
    const store = opened(dir);
    const hash = await store.commit("test", (draft) => draft.putSpec(spec)).then(({ value }) => value);
    store.close();
    const db = new Database(join(dir, "orch.db"));
    const left = db.query("insert into specs (hash, spec) values (?, '{}')");
    // They come before every hash.
    for (let n = 0; n < 250; n++) left.run(`-${n}`);
    db.close();
    const again = opened(dir);
    expect(again.prune(clock.at_ms, keep)).toEqual({ removed: 200, more: true });
    await again.commit("test", (draft) => {
      const run = buildRun(1, draft.putSpec(spec));
      draft.put([{ table: "runs", key: run.uid, row: run }]);
    });
    expect(pieces(again, keep)).toEqual([50]);
    expect(again.hasSpec(hash)).toBe(true);
    again.close();
  });

  test("finds what to remove by an index, never by reading a whole table", () => {
    const dir = scratch();
    opened(dir).close();
    const db = new Database(join(dir, "orch.db"));
    const live = loadState(db, loadCluster(db)!);
    const asked = spyOn(db, "query");
    prunerOf(db, live, specsOf(db));
    const queries = asked.mock.calls.map(([query]) => query);
    asked.mockRestore();
    expect(queries.length).toBeGreaterThan(10);
    const plans = queries.map((query) => db.query<{ detail: string }, []>(`explain query plan ${query}`).all());
    expect(plans.flatMap((plan) => plan.map(({ detail }) => detail)).filter((line) => line.startsWith("SCAN"))).toEqual(
      [],
    );
    db.close();
  });

  test("takes a long history in small pieces", async () => {
    const store = opened(":memory:");
    await store.commit("plan", (draft) => {
      for (let n = 0; n < 1_200; n++) draft.event({ verb: "v", object: "o", project: null, detail: String(n) });
    });
    expect(pieces(store, { ...keep, events: 100 })).toEqual([500, 500, 100]);
    expect(store.history.events({ limit: 1_000 })).toHaveLength(100);
  });
});
