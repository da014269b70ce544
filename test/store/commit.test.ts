// Group commit: one batch in flight, nothing shown before it is durable, a transaction that fails leaves nothing.

import { afterAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Change } from "../../src/core/model/rows-state";
import { StorageError } from "../../src/store/errors";
import { HOUSE_LIMITS } from "../../src/core/limits";
import type { TaskSpec } from "../../src/core/model/workload";
import { MIB } from "../../src/core/units";
import type { Draft, Store } from "../../src/store/store";
import { ALL_LAWS } from "../../src/store/open";
import { buildApp, buildFinal, buildRun, buildSpec, buildTask, NOW_MS } from "../support/build";
import { clock, opened, port, rejection, removeScratch, scratch } from "./scratch";

afterAll(removeScratch);

const memory = () => opened(":memory:");
const put =
  (...keys: string[]) =>
  (draft: Draft): void =>
    draft.put(keys.map((key) => port(key)));

describe("a commit", () => {
  test("is not seen before it is durable, and then by live maps, listeners and answer in this order", async () => {
    const store = memory();
    const seen: string[] = [];
    store.onCommit((revision, changes) => {
      seen.push(`listener ${revision} ${changes.map((change) => change.key).join(" ")} ${store.state.ports.has("a")}`);
    });
    const committed = store.commit("alice", put("a")).then(({ revision }) => seen.push(`answer ${revision}`));
    expect(store.state.ports.has("a")).toBe(false);
    await committed;
    expect(seen).toEqual(["listener 2 a cluster true", "answer 2"]);
  });

  test("shares its batch with all that wait at the same time, each seeing the ones before it", async () => {
    const store = memory();
    const sizes = await Promise.all(
      ["a", "b", "c"].map((key) =>
        store.commit("alice", (draft) => {
          draft.put([port(key)]);
          return draft.state.ports.size;
        }),
      ),
    );
    expect(sizes.map(({ value, revision }) => [value, revision])).toEqual([
      [1, 2],
      [2, 2],
      [3, 2],
    ]);
  });

  test("that throws leaves nothing of itself, and the others of its batch stand", async () => {
    const store = memory();
    const outcomes = await Promise.allSettled([
      store.commit("alice", put("a")),
      store.commit("alice", (draft) => {
        draft.put([port("b"), { table: "ports", key: "a", row: null }]);
        draft.takeRunNumber();
        draft.event({ verb: "apply", object: "x", project: null, detail: "" });
        throw new Error("changed meanwhile");
      }),
      store.commit("alice", (draft) => [draft.state.ports.size, draft.takeRunNumber()]),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect((outcomes[2] as PromiseFulfilledResult<{ value: unknown }>).value.value).toEqual([1, 1]);
    expect([...store.state.ports.keys()]).toEqual(["a"]);
    expect(store.history.events({ limit: 10 })).toEqual([]);
  });

  test("that changes nothing is not written and has the revision that it read", async () => {
    const store = memory();
    let heard = 0;
    store.onCommit(() => heard++);
    const { revision, value } = await store.commit("alice", (draft) => draft.state.cluster.revision);
    expect([revision, value, heard, store.state.cluster.revision]).toEqual([1, 1, 0, 1]);
  });

  test("gives the untouched map itself where a table has no changes", async () => {
    const store = memory();
    await store.commit("alice", (draft) => {
      expect(draft.state.tasks).toBe(store.state.tasks);
      draft.put([port("a")]);
      expect(draft.state.ports).not.toBe(store.state.ports);
      expect(draft.state.tasks).toBe(store.state.tasks);
    });
  });

  test("knows of ends that an earlier one of its batch has written", async () => {
    const store = opened(":memory:");
    const task = buildTask(buildRun(1, "s"), "n1", { observed: buildFinal() });
    const [, known] = await Promise.all([
      store.commit("node n1", (draft) => draft.put([{ table: "ended_tasks", key: task.uid, row: task }])),
      store.commit("node n1", (draft) => draft.hasEnded(task.uid)),
    ]);
    expect([known.revision, known.value]).toEqual([store.state.cluster.revision, true]);
    store.close();
  });
  test("that breaks a law is dropped whole, and who made it is told which, by which rows", async () => {
    const store = opened(":memory:", { laws: ALL_LAWS });
    const task = buildTask(buildRun(1, "s"), "n1", { observed: { state: "assigned" } });
    const [refused, kept] = await Promise.all([
      rejection(store.commit("plan", (draft) => draft.put([{ table: "tasks", key: task.uid, row: task }]))),
      store.commit("alice", put("a")),
    ]);
    expect(String(refused)).toContain("AssertionError: law task-has-owner-and-node is broken by plan");
    expect(String(refused)).toContain("1 ae7497ff5c on n1: there is no such node");
    expect([store.state.tasks.size, store.state.ports.size, kept.replayed]).toEqual([0, 1, false]);
    store.close();
  });
  test("whose row breaks a rule of its table is refused alone", async () => {
    const store = memory();
    const bad = { ...buildRun(1, "x"), state: "sleeping" } as never;
    const outcomes = await Promise.allSettled([
      store.commit("alice", put("a")),
      store.commit("alice", (draft) => draft.put([{ table: "runs", key: buildRun(1, "x").uid, row: bad }])),
      store.commit("alice", put("b")),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(String((outcomes[1] as PromiseRejectedResult).reason)).toContain("runs_state");
    expect([...store.state.ports.keys()]).toEqual(["a", "b"]);
    expect(store.state.runs.size).toBe(0);
    expect(store.health()).toEqual({ is: "ok" });
  });

  test("may free a name and give it away in one batch", async () => {
    const store = memory();
    const old = buildApp("web"),
      next = { ...buildApp("web"), uid: "f".repeat(32) };
    await store.commit("alice", (draft) => draft.put([{ table: "apps", key: old.uid, row: old }]));
    await store.commit("alice", (draft) =>
      draft.put([
        { table: "apps", key: next.uid, row: next },
        { table: "apps", key: old.uid, row: null },
      ]),
    );
    expect([...store.state.apps.keys()]).toEqual([next.uid]);
  });

  test("must be synchronous, and its draft is of no use afterwards", async () => {
    const store = memory();
    expect(String(await rejection(store.commit("alice", () => Promise.resolve(1))))).toContain("synchronous");
    let kept: Draft | null = null;
    await store.commit("alice", (draft) => {
      kept = draft;
    });
    expect(() => kept?.put([port("a")])).toThrow("after its transaction");
  });

  test("may not change who the cluster is or take numbers back", async () => {
    const store = memory();
    const change = (part: object) =>
      store.commit("plan", (draft) => {
        const row = { ...draft.state.cluster, ...part };
        draft.put([{ table: "cluster", key: "cluster", row } satisfies Change]);
      });
    expect(String(await rejection(change({ timeline: "b" })))).toContain("identity");
    expect(String(await rejection(change({ next_run: 0 })))).toContain("numbers");
    await change({ recovering: ["n1"], next_ordinal: 7 });
    expect(store.state.cluster).toMatchObject({ recovering: ["n1"], next_ordinal: 7, revision: 2 });
  });

  test("that is refused by a closed store says so", async () => {
    const store = memory();
    const waiting = store.commit("alice", put("a"));
    store.close();
    expect(String(await rejection(waiting))).toContain("stopping");
    expect(String(await rejection(store.commit("alice", put("b"))))).toContain("stopping");
  });
});

describe("a batch", () => {
  const text =
    (bytes: number) =>
    (name: string) =>
    (draft: Draft): number => {
      draft.put([{ table: "apps", key: name, row: { ...buildApp(name), uid: name, text: "x".repeat(bytes) } }]);
      return draft.revision;
    };

  test("is split where it would grow over its size, and a transaction that runs again keeps one effect", async () => {
    const store = memory();
    const big = text(HOUSE_LIMITS.commit_bytes * 0.4);
    const done = await Promise.all(["a", "b", "c", "d", "e"].map((name) => store.commit("alice", big(name))));
    expect(done.map(({ revision }) => revision)).toEqual([2, 2, 3, 3, 4]);
    expect(done.every(({ value, revision }) => value === revision)).toBe(true);
    expect(store.state.apps.size).toBe(5);
  });

  test("takes one transaction that is larger than a batch, and refuses one that is larger than any", async () => {
    const store = memory();
    await store.commit("alice", text(2 * HOUSE_LIMITS.commit_bytes)("a"));
    const refusal = store.commit("alice", text(17 * 1024 * 1024)("b"));
    expect(await rejection(refusal)).toBeInstanceOf(StorageError);
    expect(await rejection(refusal)).toMatchObject({ code: "too_large" });
    expect([...store.state.apps.keys()]).toEqual(["a"]);
  });

  test("has a time that never goes back, and goes on from there after the clock was set back", async () => {
    const dir = scratch();
    clock.at_ms = NOW_MS;
    const first = opened(dir);
    await first.commit("alice", put("a"));
    clock.at_ms = NOW_MS - 3_600_000;
    await first.commit("alice", put("b"));
    expect(first.state.cluster.at_ms).toBe(NOW_MS);
    first.close();
    const second = opened(dir);
    clock.at_ms += 500;
    const { value } = await second.commit("alice", (draft) => draft.now_ms);
    expect([value, second.now()]).toEqual([NOW_MS + 500, NOW_MS + 500]);
    second.close();
    clock.at_ms = NOW_MS;
  });
});

const large = (n: number): string => String(n).padEnd(MIB, "x");

/** Stores specs that are larger together than what is kept of specs in memory. Returns their hashes. */
async function storedSpecs(store: Store, part: (n: number) => Partial<TaskSpec>): Promise<string[]> {
  const numbers = Array.from({ length: 140 }, (_, n) => n);
  const put = (n: number) => store.commit("alice", (draft) => draft.putSpec(buildSpec(part(n))));
  return (await Promise.all(numbers.map(put))).map(({ value }) => value);
}

describe("specs, events and numbers", () => {
  test("a spec is stored once by its content, whatever the order of its keys", async () => {
    const store = memory();
    const spec = buildSpec({ env: { A: "1", B: "2" } });
    const turned = { ...spec, env: { B: "2", A: "1" } };
    let written = 0;
    store.onCommit((_, changes) => {
      written += changes.filter(({ table }) => table === "specs").length;
    });
    const hashes: string[] = [];
    for (const one of [spec, turned, spec]) {
      hashes.push((await store.commit("alice", (draft) => draft.putSpec(one))).value);
    }
    expect(new Set(hashes).size).toBe(1);
    expect(written).toBe(1);
    expect(store.spec(hashes[0]!)).toEqual(spec);
    expect(() => store.spec("0".repeat(64))).toThrow("no spec");
  });

  test("a spec is known in the batch that stores it, whatever else is read before it is written", async () => {
    const store = memory();
    const many = await storedSpecs(store, (n) => ({ workdir: large(n) }));
    const spec = buildSpec({ env: { N: "new" } });
    let added = "";
    const [, planned] = await Promise.all([
      store.commit("alice", (draft) => {
        added = draft.putSpec(spec);
      }),
      store.commit("plan", () => {
        for (const hash of many) store.spec(hash);
        return store.spec(added);
      }),
    ]);
    expect(planned.value).toEqual(spec);
    expect(store.spec(added)).toEqual(spec);
  });

  test("a spec whose transaction failed is unknown afterwards", async () => {
    const store = memory();
    const hashes: string[] = [];
    const failed = store.commit("alice", (draft) => {
      hashes.push(draft.putSpec(buildSpec({ env: { N: "never" } })));
      throw new Error("changed meanwhile");
    });
    expect(String(await rejection(failed))).toContain("changed meanwhile");
    expect(hashes.map(store.hasSpec)).toEqual([false]);
  });

  test("specs in memory are bounded by their size, without what only a start needs", async () => {
    const store = memory();
    const [light] = await storedSpecs(store, (n) => ({ env: { N: large(n) } }));
    const first = store.spec(light!);
    const heavy = await storedSpecs(store, (n) => ({ workdir: large(n) }));
    for (const hash of await storedSpecs(store, (n) => ({ env: { N: large(n) } }))) store.spec(hash);
    expect(store.spec(light!)).toBe(first);
    expect({ ...first }).toEqual(buildSpec({ env: { N: large(0) } }));
    const dropped = store.spec(heavy[0]!);
    for (const hash of heavy) store.spec(hash);
    expect(store.spec(heavy[0]!)).not.toBe(dropped);
    expect(store.spec(heavy[0]!)).toEqual(dropped);
  });

  test("run numbers rise and are never given twice", async () => {
    const store = memory();
    const take = () => store.commit("alice", (draft) => draft.takeRunNumber());
    const taken = await Promise.all(Array.from({ length: 20 }, take));
    expect(taken.map(({ value }) => value)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  });

  test("events carry who and when, and their ids are in their order", async () => {
    const store = memory();
    for (const object of ["x", "y"]) {
      await store.commit("alice", (draft) => {
        for (const verb of ["one", "two"]) draft.event({ verb, object, project: "lab", detail: "d" });
      });
    }
    const events = store.history.events({ limit: 10 });
    expect(events.map(({ verb, object }) => `${object} ${verb}`)).toEqual(["y two", "y one", "x two", "x one"]);
    expect(events.map(({ id }) => id)).toEqual(
      events
        .map(({ id }) => id)
        .toSorted()
        .toReversed(),
    );
    expect(events[0]).toMatchObject({ actor: "alice", at_ms: store.state.cluster.at_ms, project: "lab" });
  });
});

test("a listener's bug ends the process, but not before what is durable was answered", async () => {
  const script = `
    const { openStore } = await import(${JSON.stringify(join(import.meta.dir, "../../src/store/open.ts"))});
    const { store } = openStore({ dir: ":memory:", clock: () => 1, random: (bytes) => new Uint8Array(bytes) });
    store.onCommit(() => { throw new Error("a bug"); });
    store.commit("alice", (draft) => draft.takeRunNumber()).then(({ value }) => console.log("answered", value));`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "pipe" });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  expect(out).toBe("answered 1\n");
  expect(err).toContain("a bug");
  expect(code).not.toBe(0);
});
