// A node with much work is told of it in parts: each message is small, the next comes when the agent has applied what
// was sent, and the node counts as told up to a revision only with the last part.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { HOUSE_LIMITS } from "../../../src/core/limits";
import { GIB } from "../../../src/core/units";
import type { ToAgent } from "../../../src/wire/agent";
import { waitUntil } from "../../support/wait";
import { type HandAgent, handAgent, reconnected } from "../hand-agent";
import { makeStage, type Stage } from "../stage";

let stage: Stage;
beforeEach(async () => {
  stage = await makeStage();
});
afterEach(async () => stage.close());

type Changes = Extract<ToAgent, { type: "changes" }>;

const REPLICAS = 60;
const EACH = 120 * 1024;
/** A part may be full, and then one order more is on its way at most. */
const UNDER_WAY = 2 * HOUSE_LIMITS.orders_bytes;

const parts = ({ heard }: HandAgent): Changes[] => heard.filter((one) => one.type === "changes");
const sizeOf = (messages: readonly Changes[]): number =>
  messages.reduce((sum, message) => sum + JSON.stringify(message).length, 0);
const assigned = (messages: readonly Changes[]): string[] =>
  messages.flatMap(({ changes }) => changes.map((verb) => (verb.verb === "assign" ? verb.task.uid : "")));

function apply(agent: HandAgent, applied_n: number): void {
  agent.say({ type: "heartbeat", sent_ms: 1, applied_n, applied_revision: 0, reported_seq: 0, skew_ms: null });
}

/** A node with tasks of 120 KiB each, of which it was told the first part. */
async function loaded(replicas = REPLICAS): Promise<HandAgent> {
  const capacity = { cpu_milli: 8_000, memory_bytes: 32 * GIB, disk_bytes: 100 * GIB, countables: {} };
  const agent = await handAgent(stage, "box1", { capacity });
  const text =
    `app: big\nservices:\n  w:\n    run: "true"\n    user: alice\n    resources: {cpu: 1m, memory: 1MiB}\n` +
    `    replicas: ${replicas}\n    env:\n      X: "${"x".repeat(EACH)}"\n`;
  const answer = await stage.call("PUT", "/v1/apps/lab/big", {
    as: "alice",
    body: { text, file: "f", revision: null },
  });
  expect(answer.status).toBe(200);
  await stage.planned();
  expect(stage.api.store.state.tasks.size).toBe(replicas);
  return agent;
}

/** Applies what has come until nothing more comes, and checks what is under way each time. */
async function applyAll(agent: HandAgent): Promise<void> {
  for (let n = 0; n < parts(agent).length;) {
    expect(sizeOf(parts(agent).slice(n))).toBeLessThan(UNDER_WAY);
    n = parts(agent).length;
    const beats = agent.heard.filter(({ type }) => type === "beat").length;
    apply(agent, n);
    await waitUntil("the answer", () => agent.heard.filter(({ type }) => type === "beat").length > beats);
  }
}

test("much work is told in parts, each when the one before is applied", async () => {
  const agent = await loaded();
  expect(sizeOf(parts(agent))).toBeLessThan(UNDER_WAY);
  await applyAll(agent);
  const told = parts(agent);
  expect(new Set(assigned(told)).size).toBe(REPLICAS);
  expect(assigned(told)).toHaveLength(REPLICAS);
  expect(told.map(({ n }) => n)).toEqual(told.map((_, n) => n + 1));
  expect(Math.max(...told.map((message) => sizeOf([message])))).toBeLessThan(HOUSE_LIMITS.orders_bytes + 10 * 1024);
});

test("only the last part counts as told up to the revision of the tasks", async () => {
  const agent = await loaded();
  await applyAll(agent);
  const told = parts(agent).filter((message) => assigned([message]).length > 0);
  const first = Math.min(...[...stage.api.store.state.tasks.values()].map((task) => task.assigned_revision));
  for (const { stamp, more } of told.slice(0, -1)) expect([stamp.revision < first, more]).toEqual([true, true]);
  expect(told.at(-1)?.stamp.revision).toBeGreaterThanOrEqual(first);
});

test("a stop that comes when there is room for nothing more is not kept waiting for a heartbeat", async () => {
  // As many as fill what may be under way, so that nothing is left to be told.
  const agent = await loaded(9);
  const told = parts(agent);
  expect(assigned(told)).toHaveLength(9);
  expect(sizeOf(told)).toBeGreaterThan(HOUSE_LIMITS.orders_bytes);
  const last = told.at(-1);
  expect(last?.more).toBe(true);
  const revisions = [...stage.api.store.state.tasks.values()].map((task) => task.assigned_revision);
  expect(last?.stamp.revision).toBeGreaterThanOrEqual(Math.max(...revisions));
  await stage.call("DELETE", "/v1/apps/lab/big", { as: "alice" });
  await stage.planned();
  const stops = () => parts(agent).flatMap(({ changes }) => changes.filter(({ verb }) => verb === "stop"));
  expect(stops()).toEqual([]);
  // An agent answers so as soon as it has applied a message with `more`.
  apply(agent, last?.n ?? 0);
  await waitUntil("the stops", () => stops().length === 9);
});

test("a greeting tells in parts too, and what is given up while it waits is not told", async () => {
  const before = await loaded();
  before.hangUp();
  const agent = await reconnected(stage, before);
  expect(sizeOf(parts(agent))).toBeLessThan(UNDER_WAY);
  const first = new Set(assigned(parts(agent)));
  const answer = await stage.call("DELETE", "/v1/apps/lab/big", { as: "alice" });
  expect(answer.status).toBe(200);
  await stage.planned();
  await applyAll(agent);
  const later = assigned(parts(agent)).filter((uid) => uid !== "" && !first.has(uid));
  expect(later).toEqual([]);
});

test("an agent that applies nothing gets the same part again, and one that is busy does not", async () => {
  const agent = await loaded();
  const count = parts(agent).length;
  stage.clock += 6_000;
  apply(agent, 0);
  await waitUntil("the same part again", () => parts(agent).length === 2 * count);
  expect(assigned(parts(agent).slice(count))).toEqual(assigned(parts(agent).slice(0, count)));
  stage.clock += 6_000;
  apply(agent, 1);
  await waitUntil("the next part", () => parts(agent).length > 2 * count);
  expect(
    new Set(
      parts(agent)
        .slice(2 * count)
        .map(({ n }) => n > 1),
    ),
  ).toEqual(new Set([true]));
});
