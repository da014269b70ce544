// One effect a key: in one batch, in a later one, after a restart.

import { afterAll, expect, test } from "bun:test";
import { IdempotencyError } from "../../src/store/errors";
import type { Idempotency } from "../../src/store/store";
import { DAY_MS } from "../../src/core/units";
import { clock, opened, rejection, removeScratch, scratch } from "./scratch";

afterAll(removeScratch);

const key = (name: string, request_hash = "r"): Idempotency => ({ principal: "alice", key: name, request_hash });
const KEEP = {
  ended_age_ms: DAY_MS,
  ended_tasks: 10,
  ended_runs: 10,
  events_age_ms: DAY_MS,
  events: 10,
  node_tests: 50,
  versions: 50,
};

test("the same key in one batch takes one run number and gives one answer", async () => {
  const store = opened(":memory:");
  const take = () => store.commit("alice", (draft) => ({ run: draft.takeRunNumber() }), key("k"));
  const [first, second] = await Promise.all([take(), take()]);
  const third = await take();
  expect(first).toEqual({ value: { run: 1 }, revision: 2, replayed: false });
  expect([second, third]).toEqual(Array(2).fill({ value: { run: 1 }, revision: 2, replayed: true }));
  expect(store.state.cluster).toMatchObject({ next_run: 2, revision: 2 });
});

test("the answer outlives the server, and another request under the key is refused", async () => {
  const dir = scratch();
  const store = opened(dir);
  await store.commit("alice", (draft) => [draft.takeRunNumber(), "text"], key("k"));
  await store.commit("alice", () => undefined, key("nothing"));
  store.close();
  const next = opened(dir);
  const never = (): never => {
    throw new Error("it ran again");
  };
  expect(await next.commit("alice", never, key("k"))).toMatchObject({ value: [1, "text"], replayed: true });
  expect(await next.commit("alice", never, key("nothing"))).toMatchObject({ value: undefined, replayed: true });
  expect(await rejection(next.commit("alice", never, key("k", "other")))).toBeInstanceOf(IdempotencyError);
  const bob = await next.commit("bob", (draft) => draft.takeRunNumber(), { ...key("k"), principal: "bob" });
  expect(bob).toMatchObject({ value: 2, replayed: false });
  next.close();
});

test("a key whose transaction failed is free again, and one that changed nothing is kept", async () => {
  const store = opened(":memory:");
  const failing = store.commit(
    "alice",
    () => {
      throw new Error("not now");
    },
    key("k"),
  );
  expect(String(await rejection(failing))).toContain("not now");
  expect(await store.commit("alice", () => "done", key("k"))).toMatchObject({ value: "done", replayed: false });
  expect(await store.commit("alice", () => "again", key("k"))).toMatchObject({ value: "done", replayed: true });
});

test("answers are forgotten after a day", async () => {
  const store = opened(":memory:");
  await store.commit("alice", () => 1, key("old"));
  clock.at_ms += DAY_MS / 2;
  await store.commit("alice", () => 1, key("young"));
  clock.at_ms += DAY_MS / 2 + 1;
  expect(store.prune(store.now(), KEEP).removed).toBe(1);
  expect(await store.commit("alice", () => 2, key("young"))).toMatchObject({ value: 1, replayed: true });
  expect(await store.commit("alice", () => 2, key("old"))).toMatchObject({ value: 2, replayed: false });
});
