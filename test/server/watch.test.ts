// Watching: everything in order, resumed without a gap, told to read afresh when that is not possible, bounded, cut
// with its token.

import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { createWatch } from "../../src/server/watch";
import { type WatchEvent, watchEvent } from "../../src/wire/api/watch";
import { waitUntil } from "../support/wait";
import { failedReport } from "../support/reports";
import { handAgent, heardNode } from "./hand-agent";
import { joinWithKey } from "./recorder";
import { makeStage, type Stage } from "./stage";

let stage: Stage;
beforeEach(async () => {
  stage = await makeStage();
});
afterEach(async () => stage.close());

interface Watcher {
  readonly events: WatchEvent[];
  comments: number;
  ended: boolean;
  cancel(): Promise<void>;
}

async function watch(since: number | null, as = "vera"): Promise<Watcher> {
  const answer = await stage.app.request(`http://127.0.0.1/v1/watch${since === null ? "" : `?since=${since}`}`, {
    headers: { authorization: `Bearer ${stage.tokens[as]}` },
  });
  expect(answer.headers.get("content-type")).toStartWith("text/event-stream");
  const reader = answer.body!.getReader();
  const watcher: Watcher = { events: [], comments: 0, ended: false, cancel: () => reader.cancel() };
  void (async () => {
    const decoder = new TextDecoder();
    for (;;) {
      // An answer that is cut, by its token's end or by the server's, throws here.
      const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }));
      if (done) break;
      for (const block of decoder
        .decode(value)
        .split("\n\n")
        .filter((text) => text !== "")) {
        if (block.startsWith(":")) watcher.comments++;
        else watcher.events.push(watchEvent.parse(JSON.parse(block.split("data: ")[1]!)));
      }
    }
    watcher.ended = true;
  })();
  await waitUntil("the stream to have begun", () => watcher.comments + watcher.events.length > 0);
  return watcher;
}

const addUser = (name: string) =>
  stage.call("POST", "/v1/users", { body: { name, role: "user", unix_user: null, project: null } });
const revision = (): number => stage.api.store.state.cluster.revision;
const objects = ({ events }: Watcher): string[] =>
  events.map((event) => (event.kind === "event" ? event.event.object : event.kind));

describe("a watcher", () => {
  test("sees what happens from now on", async () => {
    const watcher = await watch(null);
    await addUser("carl");
    await waitUntil("the event", () => watcher.events.length > 0);
    expect(watcher.events[0]).toMatchObject({
      kind: "event",
      revision: revision(),
      event: { verb: "user_added", object: "carl" },
    });
  });
  test("that comes back gets what it missed, once and in order", async () => {
    const from = revision();
    for (const name of ["carl", "dora", "emil"]) await addUser(name);
    const watcher = await watch(from + 1);
    await addUser("fred");
    await waitUntil("fred", () => objects(watcher).includes("fred"));
    expect(objects(watcher)).toEqual(["dora", "emil", "fred"]);
  });
  test.each([
    [0, "from before the server's start"],
    [1_000_000, "from a database that is no longer"],
  ])("with revision %i, %s, is told to read afresh", async (since) => {
    const watcher = await watch(since);
    await waitUntil("an answer", () => watcher.events.length > 0);
    expect(watcher.events).toEqual([{ kind: "resync", revision: revision() }]);
    await addUser("carl");
    await waitUntil("what comes after", () => objects(watcher).includes("carl"));
  });
  test("sees nodes, runs and tasks as the lists show them, and no environment", async () => {
    const watcher = await watch(null);
    await heardNode(stage, "box1");
    await stage.call("PUT", "/v1/apps/lab/web", {
      as: "alice",
      body: { file: "f", revision: null, text: "app: web\njobs:\n  prep: { run: 'true', env: { KEY: hidden } }\n" },
    });
    await waitUntil("a task", () => watcher.events.some((event) => event.kind === "task"));
    expect(new Set(watcher.events.map((event) => event.kind))).toEqual(new Set(["event", "node", "run", "task"]));
    expect(JSON.stringify(watcher.events)).not.toContain("hidden");
  });
  test("hears a sign of life while nothing happens", async () => {
    const watcher = await watch(null);
    const before = watcher.comments;
    stage.api.watch.tick();
    await waitUntil("a comment", () => watcher.comments > before);
  });
  test("is cut off when its token is revoked", async () => {
    const watcher = await watch(null, "alice");
    stage.api.watch.tick();
    expect(watcher.ended).toBe(false);
    await stage.call("DELETE", "/v1/tokens/0000000002");
    stage.api.watch.tick();
    await waitUntil("the end", () => watcher.ended);
    expect(stage.api.watch.watchers()).toBe(0);
  });
  test("that went away is forgotten", async () => {
    const watcher = await watch(null);
    await watcher.cancel();
    await waitUntil("nobody to watch", () => stage.api.watch.watchers() === 0);
  });
});

test("a watcher that does not read is told to read afresh, and costs no more than its queue", async () => {
  const stream = stage.api.watch.open(null, () => true);
  for (let n = 0; n < 40; n++) {
    await stage.api.store.commit("test", (draft) => {
      for (let i = 0; i < 100; i++)
        draft.event({ verb: "noise", object: `thing ${n} ${i}`, project: null, detail: "x".repeat(250) });
    });
  }
  const reader = stream.getReader();
  let bytes = 0;
  let text = "";
  await waitUntil("the order to read afresh", async () => {
    const { value } = await reader.read();
    bytes += value!.length;
    text = new TextDecoder().decode(value);
    return text.includes('"resync"');
  });
  expect(bytes).toBeLessThan(1_200_000);
  expect(text).toContain(`"revision":${revision()}`);
  await reader.cancel();
});

describe("with more than may wait for a watcher", () => {
  const LONG = "x".repeat(1_000);
  const noise = (events: number) =>
    stage.api.store.commit("test", (draft) => {
      for (let n = 0; n < events; n++) draft.event({ verb: "noise", object: "thing", project: null, detail: LONG });
    });

  test("since its revision, one is told to read afresh, and a later one gets what it missed", async () => {
    const from = revision();
    for (let n = 0; n < 12; n++) await noise(100);
    const late = await watch(from);
    await waitUntil("an answer", () => late.events.length > 0);
    expect(late.events).toEqual([{ kind: "resync", revision: revision() }]);
    const later = await watch(revision() - 2);
    await waitUntil("what it missed", () => later.events.length >= 200);
    expect(new Set(later.events.map(({ revision: at }) => at))).toEqual(new Set([revision() - 1, revision()]));
  });
  test("in one commit, all are told to read afresh, and see what comes after", async () => {
    const from = revision();
    const watcher = await watch(null);
    await noise(1_200);
    await waitUntil("the order to read afresh", () => watcher.events.length > 0);
    await addUser("carl");
    await waitUntil("what comes after", () => objects(watcher).includes("carl"));
    expect(watcher.events[0]).toEqual({ kind: "resync", revision: revision() - 1 });
    expect(objects(await watch(from))).toEqual(["resync"]);
    const later = await watch(revision() - 1);
    await waitUntil("what it missed", () => objects(later).includes("carl"));
  });
});

test("a run between two attempts is told as the lists show it", async () => {
  const agent = await handAgent(stage, "box1");
  const body = { name: "sweep", project: null, job: { run: "x", retries: 2 }, wait_for_nodes: true };
  expect((await stage.call("POST", "/v1/runs", { as: "alice", body })).status).toBe(200);
  await waitUntil("its node to take it", async () => {
    await stage.planned();
    return stage.api.store.state.tasks.size > 0;
  });
  const watcher = await watch(null);
  const told = (): string[] => watcher.events.flatMap((event) => (event.kind === "run" ? [event.run.state] : []));
  const listed = async (): Promise<string> => ((await stage.call("GET", "/v1/runs/1")).body["state"] as string) ?? "";
  const fail = async (): Promise<void> => {
    const [task] = stage.api.store.state.tasks.values();
    agent.report([failedReport(task!)]);
    await waitUntil(
      "the end",
      () => stage.api.store.state.tasks.size === 0 || !stage.api.store.state.tasks.has(task!.uid),
    );
  };
  await fail();
  // The first crash is followed by an attempt in the same commit, the second one by a pause.
  await stage.planned();
  await waitUntil("the second attempt", () => told().at(-1) === "running");
  expect(told()).toEqual(["running"]);
  await fail();
  await stage.planned();
  await waitUntil("the pause", () => told().at(-1) === "queued");
  expect(await listed()).toBe("queued");
  await watcher.cancel();
});

describe("while nobody watches", () => {
  test("nothing is rendered, and no task looked at, until somebody comes who has missed it", async () => {
    const { store } = stage.api;
    for (const name of ["n1", "n2", "n3"]) await joinWithKey(stage, name);
    const asked: string[] = [];
    const heardOf = (id: string) => {
      asked.push(id);
      return { last_seen_ms: null, clock_skew_ms: null };
    };
    const own = createWatch({ store, heardOf, limits: stage.api.limits });
    const scans = spyOn(store.state.tasks, "values");
    const from = revision();
    const nodes = store.state.nodes.values().toArray();
    for (const row of nodes)
      await store.commit("test", (draft) =>
        draft.put([{ table: "nodes", key: row.id, row: { ...row, contact_ms: draft.now_ms } }]),
      );
    const before = scans.mock.calls.length;
    expect(asked).toEqual([]);
    const reader = own.open(from + 1, () => true).getReader();
    expect([asked, scans.mock.calls.length - before]).toEqual([nodes.map(({ id }) => id), 1]);
    scans.mockRestore();
    const seen: string[] = [];
    for (let chunk = 0; chunk < 3; chunk++) seen.push(new TextDecoder().decode((await reader.read()).value));
    expect(seen.map((text) => text.match(/"name":"(\w+)"/)?.[1] ?? null)).toEqual([null, "n2", "n3"]);
    await reader.cancel();
    own.stop();
  });
  test("no more than the newest 1,000 changes are kept", async () => {
    const from = revision();
    for (let n = 0; n < 12; n++)
      await stage.api.store.commit("test", (draft) => {
        for (let i = 0; i < 100; i++) draft.event({ verb: "noise", object: `${n}`, project: null, detail: "" });
      });
    const late = await watch(from + 2);
    await waitUntil("all that is kept", () => late.events.length >= 1_000);
    expect(objects(late)).toEqual(Array.from({ length: 1_000 }, (_, i) => String(2 + Math.floor(i / 100))));
    expect(objects(await watch(from + 1))).toEqual(["resync"]);
  });
});
