// What an agent is asked of directories over its connection: before a run is taken, and never if it does not look.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Presence } from "../../../src/core/pass/presence";
import { waitUntil } from "../../support/wait";
import { handAgent, type HandAgent } from "../hand-agent";
import { makeStage, type Stage } from "../stage";

let stage: Stage;
beforeEach(async () => {
  stage = await makeStage();
});
afterEach(async () => stage.close());

const WORKDIR = "/data/x";
const run = (part: Record<string, unknown> = {}, wait_for_nodes = false) =>
  stage.call("POST", "/v1/runs", {
    as: "alice",
    body: { name: "once", project: null, job: { run: "true", workdir: WORKDIR, ...part }, wait_for_nodes },
  });
const placed = (): number => stage.api.store.state.tasks.size;

/** Answers the n-th question: an account is there, a directory as it is said. */
async function answer(agent: HandAgent, state: Presence, n = 1): Promise<(string | null)[]> {
  const { needs } = await agent.told("look", n);
  const answers = needs.map((need) => ({ ...need, state: need.path === null ? ("there" as const) : state }));
  agent.say({ type: "presence", answers });
  return needs.map(({ path }) => path);
}

describe("an agent that looks", () => {
  test("is asked before a run is taken, and the run is placed at once", async () => {
    const agent = await handAgent(stage, "n1", {}, { looks: true });
    const asked = run();
    expect(await answer(agent, "there")).toEqual([null, WORKDIR]);
    expect((await asked).status).toBe(200);
    await waitUntil("the run to be placed", () => placed() === 1);
    expect(agent.heard.filter(({ type }) => type === "look")).toHaveLength(1);
  });

  test("has a run refused that nobody could start, unless it waits for nodes or for other runs", async () => {
    const agent = await handAgent(stage, "n1", {}, { looks: true });
    const asked = run();
    await answer(agent, "missing");
    expect(await asked).toMatchObject({
      status: 422,
      body: { error: { code: "unsatisfiable", message: "cannot run on any node: 0 of 1 node fits: 1 has no /data/x" } },
    });
    expect((await run({}, true)).status).toBe(200);
    expect((await run({ after: ["1"] })).status).toBe(200);
    await stage.planned();
    expect(placed()).toBe(0);
  });

  test("is asked again with its heartbeats, and what has come is used", async () => {
    const agent = await handAgent(stage, "n1", {}, { looks: true });
    const asked = run({}, true);
    await answer(agent, "missing");
    await asked;
    await stage.planned();
    stage.clock += 5_000;
    agent.heartbeat();
    expect(await answer(agent, "there", 2)).toEqual([WORKDIR]);
    await waitUntil("the run to be placed", () => placed() === 1);
  });

  test("that does not answer is waited for, and then gets the work", async () => {
    const agent = await handAgent(stage, "n1", {}, { looks: true });
    expect((await run()).status).toBe(200);
    await stage.planned();
    expect(stage.api.loop.blocked()[0]?.summary).toContain("has not said yet whether there is");
    stage.clock += 10_000;
    agent.heartbeat();
    stage.api.loop.wake();
    await waitUntil("the run to be placed", () => placed() === 1);
  });

  test("says nothing once it is gone", async () => {
    const agent = await handAgent(stage, "n1", {}, { looks: true });
    const asked = run({}, true);
    await answer(agent, "missing");
    await asked;
    expect(stage.api.presences.facts().size).toBe(1);
    agent.hangUp();
    expect(stage.api.presences.facts().size).toBe(0);
  });
});

test("an agent of an earlier release is not asked, and gets the work", async () => {
  const agent = await handAgent(stage, "n1");
  expect((await run()).status).toBe(200);
  await waitUntil("the run to be placed", () => placed() === 1);
  expect(agent.heard.filter(({ type }) => type === "look")).toEqual([]);
});

test("people who are added, or are granted accounts, are told which nodes have them", async () => {
  const [agent] = [await handAgent(stage, "n1", {}, { looks: true }), await handAgent(stage, "n2")];
  const added = stage.call("POST", "/v1/users", { body: { name: "carl", accounts: ["ml-svc"] } });
  const { needs } = await agent.told("look");
  expect(needs).toEqual(["carl", "ml-svc"].map((account) => ({ account, path: null })));
  const [carl, service] = needs;
  agent.say({
    type: "presence",
    answers: [
      { ...carl!, state: "there" },
      { ...service!, state: "missing" },
    ],
  });
  const on = (account: string, node: string, state: string) => ({ account, node, state });
  expect(await added).toMatchObject({
    status: 200,
    body: {
      on_nodes: [
        on("carl", "n1", "there"),
        on("carl", "n2", "unknown"),
        on("ml-svc", "n1", "missing"),
        on("ml-svc", "n2", "unknown"),
      ],
    },
  });
  const granted = await stage.call("POST", "/v1/users/carl/accounts", { body: { grant: ["ml-svc"] } });
  expect(granted.body["on_nodes"]).toEqual([on("ml-svc", "n1", "missing"), on("ml-svc", "n2", "unknown")]);
});
