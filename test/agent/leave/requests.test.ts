// When an agent that is about to go may end: what it tells the server, whom it waits for, and who may take it back.

import { afterEach, expect, test } from "bun:test";
import { LeaveRequests, type RequestProgress } from "../../../src/agent/leave/requests";
import type { UnfinishedTask } from "../../../src/agent/loop/loop";
import { waitUntil } from "../../support/wait";

const made: LeaveRequests[] = [];
afterEach(() => made.splice(0).forEach((requests) => requests.close()));

function start() {
  const world = { now_ms: 1_000, left: [] as UnfinishedTask[], changed: 0, farewells: 0, said: [] as string[] };
  const requests = new LeaveRequests({
    clock: () => world.now_ms,
    say: (line) => void world.said.push(line),
    left: () => world.left,
    changed: () => void world.changed++,
    farewell: () => void world.farewells++,
  });
  made.push(requests);
  const seen: RequestProgress[] = [];
  requests.watch((progress) => void seen.push(progress));
  /** Waits until it has looked again, so that what it saw counts. */
  const looked = async (): Promise<void> => {
    const before = seen.length;
    await waitUntil("another look", () => seen.length > before + 1);
  };
  return { world, requests, seen, looked, isOver: () => requests.over.aborted };
}

test("it tells the first of the times and all of the reasons, and each change once", () => {
  const { world, requests } = start();
  requests.begin("notice", { until_ms: 90_000, gone: true, why: "termination notice" });
  requests.begin("notice", { until_ms: 90_000, gone: true, why: "termination notice" });
  expect([world.changed, requests.now()]).toEqual([1, { until_ms: 90_000, gone: true, why: "termination notice" }]);
  requests.begin("leave", { until_ms: null, gone: false, why: "taken out" });
  expect(requests.now()).toEqual({ until_ms: 90_000, gone: true, why: "termination notice; taken out" });
  requests.withdraw("notice");
  expect([world.changed, requests.now()]).toEqual([3, { until_ms: null, gone: false, why: "taken out" }]);
  requests.withdraw("leave");
  expect([requests.now(), world.said.at(-1)]).toEqual([null, "this node stays"]);
});

test("an agent that was told to end waits until the server knows and nothing is left", async () => {
  const { world, requests, looked, isOver } = start();
  requests.begin("term", { until_ms: 60_000, gone: true, why: "told to end" });
  await looked();
  expect(isOver()).toBe(false);
  world.left = [{ name: "recs.api.0", state: "running" }];
  requests.noted(true);
  await looked();
  expect(isOver()).toBe(false);
  world.left = [];
  await waitUntil("it to be over", isOver);
  expect(world.farewells).toBe(0);
});

test("an agent that was told to end waits no longer than its time", async () => {
  const { world, requests, looked, isOver } = start();
  world.left = [{ name: "12", state: "running" }];
  requests.begin("term", { until_ms: 60_000, gone: true, why: "told to end" });
  requests.noted(true);
  await looked();
  expect(isOver()).toBe(false);
  world.now_ms = 60_000;
  await waitUntil("it to be over", isOver);
});

test("a node that is taken out says farewell once nothing is left, and again until it is heard", async () => {
  const { world, requests, looked } = start();
  world.left = [{ name: "12", state: "running" }];
  requests.begin("leave", { until_ms: null, gone: false, why: "taken out" });
  requests.noted(true);
  await looked();
  expect(world.farewells).toBe(0);
  world.left = [];
  await waitUntil("a farewell", () => world.farewells === 1);
  await looked();
  expect(world.farewells).toBe(1);
  world.now_ms += 1_000;
  await waitUntil("another one", () => world.farewells === 2);
});

test("a person who resumes the node takes back what a person said, and nothing else", async () => {
  const { requests, seen } = start();
  requests.begin("leave", { until_ms: null, gone: false, why: "taken out" });
  requests.begin("notice", { until_ms: 90_000, gone: true, why: "termination notice" });
  requests.noted(false);
  expect([requests.wants("leave"), requests.now()?.why]).toEqual([false, "termination notice"]);
  requests.withdraw("notice");
  expect(seen.at(-1)).toEqual({ noted: false, left: [] });
});
