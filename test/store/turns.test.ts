// Turns of the event loop: a batch that takes long lets others come between its pieces, and is one batch all the same.

import { afterAll, expect, test } from "bun:test";
import { buildSpec, NOW_MS } from "../support/build";
import { opened, port, rejection, removeScratch } from "./scratch";

afterAll(removeScratch);

const KEEP = {
  ended_age_ms: 1,
  ended_tasks: 1,
  ended_runs: 1,
  events_age_ms: 1,
  events: 1,
  node_tests: 1,
  versions: 1,
};

const turn = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A store whose clock its transactions move: each takes three milliseconds. */
function slow() {
  const time = { at_ms: NOW_MS };
  const store = opened(":memory:", { clock: () => time.at_ms });
  const ran: string[] = [];
  const put = async (key: string) =>
    store.commit("alice", (draft) => {
      time.at_ms += 3;
      ran.push(key);
      draft.put([port(key)]);
    });
  return { store, ran, put, time };
}

/** Waits until the batch of three transactions is being made: one of them has run. */
async function begun() {
  const made = slow();
  const answers = ["a", "b", "c"].map(made.put);
  while (made.ran.length === 0) await turn();
  return { ...made, answers };
}

test("a long batch runs a transaction a turn, shows nothing before its end, and answers as one", async () => {
  const { store, ran, answers } = await begun();
  const seen: [number, number][] = [];
  while (store.state.ports.size === 0) {
    seen.push([ran.length, store.state.cluster.revision]);
    await turn();
  }
  expect(seen).toEqual([
    [1, 1],
    [2, 1],
    [3, 1],
  ]);
  expect((await Promise.all(answers)).map(({ revision }) => revision)).toEqual([2, 2, 2]);
  store.close();
});

test("the conclusion of a long batch has a turn of its own, and becomes durable with the batch", async () => {
  const { store, put, time, ran } = slow();
  const ends: number[] = [];
  store.concludeWith({
    actor: "plan",
    transact(draft) {
      time.at_ms += 3;
      ran.push("plan");
      draft.put([port("planned")]);
    },
    done: () => ends.push(store.state.cluster.revision),
    failed: (error) => {
      throw error;
    },
  });
  const answer = put("a");
  while (ran.length === 0) await turn();
  expect(ran).toEqual(["a"]);
  await turn();
  expect([ran, store.state.ports.size]).toEqual([["a", "plan"], 0]);
  expect([(await answer).revision, [...store.state.ports.keys()], ends]).toEqual([2, ["a", "planned"], [2]]);
  store.close();
});

test("a conclusion that is asked for while a batch is being made comes after it, and is not lost", async () => {
  const { store, put, time, ran } = slow();
  const seen: number[] = [];
  const twice = Promise.withResolvers<void>();
  store.concludeWith({
    actor: "plan",
    transact(draft) {
      time.at_ms += 3;
      ran.push("plan");
      seen.push(draft.state.ports.size);
    },
    done: () => (seen.length === 2 ? twice.resolve() : undefined),
    failed: (error) => twice.reject(error),
  });
  await put("before");
  ran.length = 0;
  seen.length = 0;
  const answer = put("a");
  while (!ran.includes("plan")) await turn();
  store.conclude();
  await answer;
  await twice.promise;
  expect(seen).toEqual([2, 2]);
  store.close();
});

test("what comes while a batch is being made is in the next one", async () => {
  const { store, put, answers } = await begun();
  const later = put("d");
  expect((await Promise.all([...answers, later])).map(({ revision }) => revision)).toEqual([2, 2, 2, 3]);
  store.close();
});

test("a batch that is being made ends before its store is closed, and what waits behind it is refused", async () => {
  const { store, put, answers } = await begun();
  const later = rejection(put("d"));
  store.close();
  expect((await Promise.all(answers)).map(({ revision }) => revision)).toEqual([2, 2, 2]);
  expect(String(await later)).toContain("stopping");
});

test("pruning does not take a spec that a batch in the making names", async () => {
  const { store, time } = slow();
  const spec = buildSpec();
  const hash = await store.commit("alice", (draft) => draft.putSpec(spec));
  const ran: string[] = [];
  const name = async (key: string) =>
    store.commit("alice", (draft) => {
      time.at_ms += 3;
      ran.push(draft.putSpec(spec));
      draft.put([port(key)]);
    });
  const answers = [name("a"), name("b")];
  while (ran.length === 0) await turn();
  store.prune(time.at_ms, KEEP);
  // The batch was ended first.
  expect([store.state.ports.size, ran]).toEqual([2, [hash.value, hash.value]]);
  await Promise.all(answers);
  store.close();
});

test("many who would change something come in a few a turn, in their order, and share one batch", async () => {
  const store = opened(":memory:");
  const came: number[] = [];
  const made = Array.from({ length: 20 }, async (_, n) => {
    await store.turn();
    came.push(n);
    return store.commit("alice", (draft) => draft.put([port(`p${n}`)]));
  });
  await Promise.resolve();
  expect(came).toEqual([0, 1, 2, 3]);
  while (came.length < 20) {
    const before = came.length;
    await turn();
    expect(came.length - before).toBeLessThanOrEqual(4);
  }
  expect(came).toEqual(Array.from({ length: 20 }, (_, n) => n));
  expect(new Set((await Promise.all(made)).map(({ revision }) => revision))).toEqual(new Set([2]));
  store.close();
});

test("those who come and change nothing do not keep a batch waiting for ever", async () => {
  const store = opened(":memory:");
  let over = false;
  const idle = Array.from({ length: 8 }, async () => {
    while (!over) await store.turn();
  });
  await store.commit("alice", (draft) => draft.put([port("a")]));
  over = true;
  await Promise.all(idle);
  expect([...store.state.ports.keys()]).toEqual(["a"]);
  store.close();
});
