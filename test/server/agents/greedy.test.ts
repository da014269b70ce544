// A node that reports without end, of tasks that it has made up, takes a bounded part of the server: what is beyond its
// budget waits unread, and nothing of what it makes up stays.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { HOUSE_LIMITS } from "../../../src/core/limits";
import type { TaskReport } from "../../../src/core/model/record";
import { failedReport, reportOf } from "../../support/reports";
import { waitUntil } from "../../support/wait";
import { type HandAgent, handAgent } from "../hand-agent";
import { makeStage, type Stage } from "../stage";

let stage: Stage;
let agent: HandAgent;
beforeEach(async () => {
  stage = await makeStage();
  agent = await handAgent(stage, "box1");
});
afterEach(async () => stage.close());

const count = (type: string): number => agent.heard.filter((one) => one.type === type).length;
const tasks = () => [...stage.api.store.state.tasks.values()];

let made = 0;
const uid = (): string => (made++).toString(16).padStart(32, "e");

async function run(): Promise<void> {
  const body = { job: { run: "true" }, name: null, project: null, wait_for_nodes: true };
  expect((await stage.call("POST", "/v1/runs", { as: "alice", body })).status).toBe(200);
  await stage.planned();
}

/** Tasks that live, as a node says, of a run that is over. */
async function underGrave(): Promise<() => TaskReport> {
  await run();
  const [task] = tasks();
  if (task === undefined) throw new Error("nothing was placed");
  agent.report([failedReport(task)]);
  await waitUntil("the end of the run", () => stage.api.store.state.runs.size === 0);
  return () => ({ ...reportOf(task, { state: "starting" }), uid: uid() });
}

test("stops of made-up tasks are sent as far as they are applied, and what waits is bounded", async () => {
  const one = await underGrave();
  const before = count("changes");
  const REPORTS = 8;
  for (let n = 0; n < REPORTS; n++) agent.report(Array.from({ length: 1_000 }, one));
  await waitUntil("the answers", () => count("ack") === REPORTS + 1);
  const size = (from: number): number =>
    agent.heard
      .filter(({ type }) => type === "changes")
      .slice(from)
      .reduce((sum, message) => sum + JSON.stringify(message).length, 0);
  expect(size(before)).toBeLessThan(2 * HOUSE_LIMITS.orders_bytes);
  const messages = count("changes");
  stage.clock += 6_000;
  agent.heartbeat();
  await waitUntil("the repetition", () => count("changes") > messages);
  expect(size(messages)).toBeLessThan(2 * HOUSE_LIMITS.orders_bytes);
});

test("a node that has more tasks to stop than any node has is refused", async () => {
  const one = await underGrave();
  for (let n = 0; n * 1_000 <= HOUSE_LIMITS.inventory_entries + 10_000; n++) {
    agent.report(Array.from({ length: 1_000 }, one));
    stage.clock += 1_000;
    await waitUntil("the answer", () => count("ack") === n + 2 || count("refused") > 0);
    if (count("refused") > 0) break;
  }
  expect(agent.heard.find(({ type }) => type === "refused")).toMatchObject({ code: "too_much" });
}, 60_000);

test("what is beyond a node's budget waits for its heartbeats, in its order, and all of it is taken", async () => {
  await run();
  const [task] = tasks();
  if (task === undefined) throw new Error("nothing was placed");
  const padded = (): TaskReport[] =>
    Array.from({ length: 1_000 }, () => ({ ...failedReport(task), uid: uid(), name: "n".repeat(500) }));
  const REPORTS = 14;
  for (let n = 0; n < REPORTS; n++) agent.report(padded());
  agent.report([failedReport(task)]);
  await stage.planned();
  const taken = count("ack");
  expect(taken).toBeGreaterThan(0);
  expect(taken).toBeLessThan(REPORTS);
  expect(tasks()).toHaveLength(1);
  const beats = count("beat");
  agent.heartbeat();
  await waitUntil("a heartbeat beside what waits", () => count("beat") > beats);
  stage.clock += 5_000;
  agent.heartbeat();
  await waitUntil("the rest", () => count("ack") === REPORTS + 1);
  expect(tasks()).toEqual([]);
  expect(agent.heard.flatMap((one) => (one.type === "ack" ? [one.seq] : []))).toEqual(
    Array.from({ length: REPORTS + 1 }, (_, n) => n + 1),
  );
});
