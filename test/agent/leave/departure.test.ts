// When an agent that is about to go may end: what it tells the server, whom it waits for, and who may take it back.

import { afterEach, expect, test } from "bun:test";
import { Departure, type Progress } from "../../../src/agent/leave/departure";
import type { Left } from "../../../src/agent/loop";
import { waitUntil } from "../../support/wait";

const made: Departure[] = [];
afterEach(() => made.splice(0).forEach((departure) => departure.close()));

function start() {
  const world = { now_ms: 1_000, left: [] as Left[], changed: 0, farewells: 0, said: [] as string[] };
  const departure = new Departure({
    clock: () => world.now_ms,
    say: (line) => void world.said.push(line),
    left: () => world.left,
    changed: () => void world.changed++,
    farewell: () => void world.farewells++,
  });
  made.push(departure);
  let over = false;
  void departure.over.then(() => (over = true));
  const seen: Progress[] = [];
  departure.watch((progress) => void seen.push(progress));
  /** Waits until it has looked again, so that what it saw counts. */
  const looked = async (): Promise<void> => {
    const before = seen.length;
    await waitUntil("another look", () => seen.length > before + 1);
  };
  return { world, departure, seen, looked, isOver: () => over };
}

test("it tells the first of the times and all of the reasons, and each change once", () => {
  const { world, departure } = start();
  departure.begin("notice", { until_ms: 90_000, gone: true, why: "termination notice" });
  departure.begin("notice", { until_ms: 90_000, gone: true, why: "termination notice" });
  expect([world.changed, departure.now()]).toEqual([1, { until_ms: 90_000, gone: true, why: "termination notice" }]);
  departure.begin("leave", { until_ms: null, gone: false, why: "taken out" });
  expect(departure.now()).toEqual({ until_ms: 90_000, gone: true, why: "termination notice; taken out" });
  departure.withdraw("notice");
  expect([world.changed, departure.now()]).toEqual([3, { until_ms: null, gone: false, why: "taken out" }]);
  departure.withdraw("leave");
  expect([departure.now(), world.said.at(-1)]).toEqual([null, "this node stays"]);
});

test("an agent that was told to end waits until the server knows and nothing is left", async () => {
  const { world, departure, looked, isOver } = start();
  departure.begin("term", { until_ms: 60_000, gone: true, why: "told to end" });
  await looked();
  expect(isOver()).toBe(false);
  world.left = [{ name: "recs.api.0", state: "running" }];
  departure.noted(true);
  await looked();
  expect(isOver()).toBe(false);
  world.left = [];
  await waitUntil("it to be over", isOver);
  expect(world.farewells).toBe(0);
});

test("an agent that was told to end waits no longer than its time", async () => {
  const { world, departure, looked, isOver } = start();
  world.left = [{ name: "12", state: "running" }];
  departure.begin("term", { until_ms: 60_000, gone: true, why: "told to end" });
  departure.noted(true);
  await looked();
  expect(isOver()).toBe(false);
  world.now_ms = 60_000;
  await waitUntil("it to be over", isOver);
});

test("a node that is taken out says farewell once nothing is left, and again until it is heard", async () => {
  const { world, departure, looked } = start();
  world.left = [{ name: "12", state: "running" }];
  departure.begin("leave", { until_ms: null, gone: false, why: "taken out" });
  departure.noted(true);
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
  const { departure, seen } = start();
  departure.begin("leave", { until_ms: null, gone: false, why: "taken out" });
  departure.begin("notice", { until_ms: 90_000, gone: true, why: "termination notice" });
  departure.noted(false);
  expect([departure.wants("leave"), departure.now()?.why]).toEqual([false, "termination notice"]);
  departure.withdraw("notice");
  expect(seen.at(-1)).toEqual({ noted: false, left: [] });
});
