// The conclusion of a batch: it sees the batch's changes, is durable with them, and fails without them.

import { afterAll, expect, test } from "bun:test";
import type { Conclusion, Draft } from "../../src/store/store";
import { HOUSE_LIMITS } from "../../src/core/limits";
import { buildApp } from "../support/build";
import { opened, port, removeScratch } from "./scratch";

afterAll(removeScratch);

const ALICE = "alice";

/** Opens a store that concludes with this, and notes how each conclusion ended and at which revision. */
function concluding(transact: Conclusion["transact"]) {
  const store = opened(":memory:");
  const ends: string[] = [];
  const ended = Promise.withResolvers<void>();
  const note = (what: string): void => {
    ends.push(`${what} ${store.state.cluster.revision}`);
    ended.resolve();
  };
  store.concludeWith({
    actor: "plan",
    transact,
    done: () => note("done"),
    failed: (error) => note(String(error).slice(0, 30)),
  });
  return { store, ends, ended: ended.promise };
}

const follow =
  (key: string, after: string) =>
  (draft: Draft): void => {
    if (draft.state.ports.has(after) && !draft.state.ports.has(key)) draft.put([port(key)]);
  };

test("a change and its conclusion are one commit, which the change's answer waits for", async () => {
  const { store, ends } = concluding(follow("b", "a"));
  const { revision } = await store.commit(ALICE, (draft) => draft.put([port("a")]));
  expect([revision, store.state.cluster.revision, [...store.state.ports.keys()]]).toEqual([2, 2, ["a", "b"]]);
  expect(ends).toEqual(["done 2"]);
  store.close();
});

test("a batch that changes nothing is not concluded, unless that is asked for", async () => {
  const { store, ends, ended } = concluding((draft) => draft.put([port("c")]));
  await store.commit(ALICE, () => undefined);
  expect(ends).toEqual([]);
  store.conclude();
  await ended;
  expect([ends, [...store.state.ports.keys()]]).toEqual([["done 2"], ["c"]]);
  store.close();
});

test("a conclusion that throws leaves its batch as it was without it", async () => {
  const { store, ends } = concluding((draft) => {
    draft.put([port("b")]);
    throw new Error("a bug of the plan");
  });
  await store.commit(ALICE, (draft) => draft.put([port("a")]));
  expect([[...store.state.ports.keys()], ends]).toEqual([["a"], ["Error: a bug of the plan 2"]]);
  store.close();
});

test("a conclusion whose row the database refuses fails alone", async () => {
  const bad = port("b");
  const { store, ends, ended } = concluding((draft) =>
    draft.put([{ ...bad, row: { ...bad.row!, until_ms: "soon" as unknown as number } } as typeof bad]),
  );
  const made = await Promise.all(["a", "c"].map((key) => store.commit(ALICE, (draft) => draft.put([port(key)]))));
  expect([made.length, [...store.state.ports.keys()]]).toEqual([2, ["a", "c"]]);
  await ended;
  expect(ends).toEqual([expect.stringContaining("StorageError")]);
  store.close();
});

test("a store that is closed fails a conclusion that is asked for", async () => {
  const { store, ends, ended } = concluding(() => undefined);
  store.conclude();
  store.close();
  await ended;
  expect(ends).toEqual([expect.stringContaining("StorageError")]);
});

test("a conclusion for which a batch has no room comes with the next one", async () => {
  const large = (name: string) => (draft: Draft) =>
    draft.put([
      {
        table: "apps",
        key: name,
        row: { ...buildApp(name), uid: name, text: "x".repeat(HOUSE_LIMITS.commit_bytes * 0.6) },
      },
    ]);
  const { store, ends, ended } = concluding((draft) => (draft.state.apps.has("b") ? undefined : large("b")(draft)));
  await store.commit(ALICE, large("a"));
  expect([[...store.state.apps.keys()], ends]).toEqual([["a"], []]);
  await ended;
  expect([[...store.state.apps.keys()], ends]).toEqual([["a", "b"], ["done 3"]]);
  store.close();
});
