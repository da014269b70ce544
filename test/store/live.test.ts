// The live maps are what a fresh load of the database gives, after any changes whatever.

import { afterAll, expect, test } from "bun:test";
import type { Change } from "../../src/core/model/rows-state";
import type { TaskRow } from "../../src/core/model/rows-task";
import type { LiveTable } from "../../src/store/live";
import { keyOf } from "../../src/store/rows";
import type { Draft } from "../../src/store/store";
import {
  buildApp,
  buildDevice,
  buildEnd,
  buildNode,
  buildRun,
  buildSlot,
  buildSpec,
  buildTask,
  buildWorkload,
  NOW_MS,
} from "../support/build";
import { buildUser } from "../support/users";
import { freshLoad, opened, removeScratch, scratch, seeded, tryOpen } from "./scratch";

afterAll(removeScratch);

/** One random row of every live table, with every field that may be null both ways. */
function randomChange(dice: () => number, draft: Draft): Change {
  const n = Math.floor(dice() * 12);
  const some = <T>(value: T): T | null => (dice() < 0.5 ? value : null);
  const run = buildRun(n + 1, "h", {
    reason: some('ünïcode \u0000 "quoted"'),
    cancel: some({ at_ms: 1, by: "bob" }),
    started_ms: some(5),
    exit_code: some(-1),
    state: dice() < 0.5 ? "running" : "waiting",
    after: dice() < 0.5 ? [] : [{ name: "prep", uid: "u", when: "ended", met: some(false) }],
  });
  const task: TaskRow = {
    ...buildTask(run, `n${n}`, {
      exclusive: dice() < 0.5,
      unix_user: some("alice"),
      stop: some({ why: "w", signal: "TERM", grace_ms: 1, at_ms: 2 }),
      written_off: some({ at_ms: 1, why: "silent" }),
    }),
  };
  const rows: Extract<Change, { table: LiveTable }>[] = [
    {
      table: "nodes",
      key: "",
      row: buildNode(`n${n}`, {
        devices: [buildDevice(`g${n}`)],
        drain: some({ since_ms: 1, deadline_ms: null, by: "bob", reason: null }),
        contact: dice() < 0.5 ? "lost" : "connected",
      }),
    },
    { table: "apps", key: "", row: buildApp(`a${n}`, { removing: dice() < 0.5, revision: draft.revision }) },
    { table: "workloads", key: "", row: buildWorkload(`a${n}`, "api", "h", { removing: dice() < 0.5 }) },
    { table: "runs", key: "", row: run },
    { table: "tasks", key: "", row: task },
    { table: "slots", key: "", row: buildSlot(task, { ends: dice() < 0.5 ? [] : [buildEnd(task)] }) },
    { table: "ports", key: "", row: { key: `n${n}/80`, until_ms: draft.now_ms, held_by: null } },
    { table: "users", key: "", row: buildUser(`u${n}`, { role: "operator" }) },
    {
      table: "tokens",
      key: "",
      row: {
        id: `t${n}`,
        user: some("alice"),
        role: "user",
        hash: "h",
        created_ms: NOW_MS,
        expires_ms: some(1),
        revoked_ms: some(2),
        joins: null,
        parent: null,
      },
    },
  ];
  const chosen = rows[Math.floor(dice() * rows.length)]!;
  const key = keyOf(chosen.table, chosen.row as object);
  return { ...chosen, key, row: dice() < 0.3 ? null : chosen.row } as Change;
}

test("after random changes the live maps equal a fresh load, and what a new start loads", async () => {
  const dir = scratch();
  let store = opened(dir);
  const dice = seeded(7);
  for (let round = 0; round < 30; round++) {
    const commits = Array.from({ length: 1 + Math.floor(dice() * 6) }, () =>
      store.commit("alice", (draft) => {
        for (let i = 0; i < 1 + dice() * 8; i++) draft.put([randomChange(dice, draft)]);
        if (dice() < 0.3) draft.takeRunNumber();
        if (dice() < 0.3) draft.putSpec(buildSpec({ env: { N: String(round) } }));
        if (dice() < 0.2) throw new Error("dropped");
      }),
    );
    await Promise.allSettled(commits);
    expect(freshLoad(dir)).toEqual(store.state as ReturnType<typeof freshLoad>);
    if (round % 10 === 9) {
      const before = { ...store.state };
      store.close();
      store = opened(dir);
      const { cluster: _before, ...rows } = before;
      const { cluster, ...after } = store.state;
      expect(after).toEqual(rows);
      const { epoch, revision } = before.cluster;
      expect(cluster).toEqual({ ...before.cluster, epoch: epoch + 1, revision: revision + 1 });
    }
  }
  expect(store.state.tasks.size + store.state.nodes.size).toBeGreaterThan(3);
  store.close();
});

test("a store in memory is as good as one on a disk", async () => {
  const result = tryOpen(":memory:");
  expect(result.ok).toBe(true);
  const store = opened(":memory:");
  await store.commit("alice", (draft) => draft.put([{ table: "nodes", key: "n1", row: buildNode("n1") }]));
  expect(store.state.nodes.get("n1")).toEqual(buildNode("n1"));
});
