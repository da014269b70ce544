// What never began: each command says so and why at once, and promises nothing that it has not.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { reportOf } from "../../support/reports";
import { waitUntil } from "../../support/wait";
import { handAgent, heardNode } from "../../server/hand-agent";
import { served, type Served } from "../served";

let at: Served;
beforeEach(async () => {
  at = await served();
});
afterEach(async () => at.close());

const run = async (as: string, ...argv: string[]): Promise<void> => {
  expect(await at.ran(as, "run", "-d", ...argv)).toMatchObject([0, expect.stringMatching(/^\d+\n/)]);
  await at.stage.planned();
};
const apply = (text: string): Promise<unknown> =>
  at.stage.call("PUT", "/v1/apps/lab/lab", { as: "alice", body: { text, file: "a.yaml", revision: null } });

describe("a run that can never start", () => {
  beforeEach(async () => {
    await heardNode(at.stage, "box1");
    await run("alice", "--wait-for-nodes", "--gpu", "1", "--", "true");
    await run("alice", "--after", "1", "--", "true");
    expect((await at.ran("alice", "cancel", "1"))[0]).toBe(0);
    await waitUntil("the run to be over", async () => {
      await at.stage.planned();
      return (await at.ran("alice", "runs", "--state", "failed", "-q"))[1] === "2\n";
    });
  });

  test("is told in the same words by logs, explain and cancel, with no word of output", async () => {
    const over = "true (run 2) is over: failed: can never start: 1 was cancelled";
    expect(await at.ran("alice", "logs", "2")).toEqual([
      1,
      `orch: nothing of run 2 has run: ${over}. See: orch show 2\n`,
    ]);
    expect(await at.ran("alice", "explain", "2")).toEqual([1, `orch: ${over} (orch show 2 says more)\n`]);
    expect(await at.ran("alice", "cancel", "2")).toEqual([1, `orch: ${over} (orch show 2 says more)\n`]);
    expect((await at.ran("alice", "show", "2"))[1]).not.toContain("logs");
  });
});

test("what no node took is no output, of a run and of an attempt", async () => {
  const agent = await handAgent(at.stage, "box1");
  await run("alice", "--", "true");
  const task = await waitUntil("the task", () => at.stage.api.store.state.tasks.values().next().value ?? null);
  const none = { started_age_ms: null, exit_code: null, signal: null, peak_memory_bytes: null, tail: null, next: null };
  agent.report([reportOf(task, { state: "rejected", reason: "its disk is full", finished_age_ms: 1, ...none })]);
  await waitUntil("its end", () => !at.stage.api.store.state.tasks.has(task.uid));
  await at.stage.planned();
  expect((await at.ran("alice", "show", "1"))[1]).not.toContain("logs");
  const [code, text] = await at.ran("alice", "logs", "1");
  expect([code, text]).toEqual([
    1,
    expect.stringMatching(/^orch: nothing of run 1 has run yet: it waits: 0 of 1 node/),
  ]);
  expect(await at.ran("alice", "logs", "1", "--attempt", "1")).toEqual([
    1,
    "orch: true (run 1) never began, so it has no output: its disk is full (orch show 1 says more)\n",
  ]);
});

describe("what waits", () => {
  test("says why to whoever follows its output, in the words of all other commands", async () => {
    await heardNode(at.stage, "box1");
    await apply("app: lab\njobs: { train: { run: x, resources: { cpu: 64 } } }");
    await at.stage.planned();
    const { err } = at.orch("alice", "logs", "-f", "lab.train");
    await waitUntil("a word", () => err() !== "");
    expect(err()).toStartWith("orch: nothing of lab.train has run yet: it cannot run on any node: 0 of 1 node fits: ");
    const attached = at.orch("alice", "run", "--wait-for-nodes", "--gpu", "1", "--", "true");
    await waitUntil("a word", () => attached.err() !== "");
    expect(attached.err()).toStartWith("orch: run 2 cannot run on any node: 0 of 1 node fits: ");
  });

  test("and is another's promises no output, and its refusal names what was typed", async () => {
    const agent = await handAgent(at.stage, "box1");
    await run("alice", "--", "true");
    const task = await waitUntil("the task", () => at.stage.api.store.state.tasks.values().next().value ?? null);
    agent.report([reportOf(task, { state: "running", pid: 7, started_age_ms: 5 })]);
    await waitUntil("it to run", async () => (await at.ran("alice", "show", "1"))[1].includes("logs: "));
    expect((await at.ran("bob", "show", "1"))[1]).not.toContain("logs");
    expect(await at.ran("bob", "logs", "1")).toEqual([
      4,
      expect.stringContaining("orch: the output of true (run 1) belongs to project lab, and bob is not of it"),
    ]);
  });
});

describe("a refusal", () => {
  test("for a card that no node has does not say to ask for less, and explain says what would help", async () => {
    await heardNode(at.stage, "box1");
    const help = "run it without a card, or have a node with such a card join (orch token new --role agent prints how)";
    const [, text] = await at.ran("alice", "run", "--gpu", "1", "--", "true");
    expect(text).toContain(`What would help: ${help}, or wait for such a node with --wait-for-nodes`);
    await run("alice", "--wait-for-nodes", "--gpu", "1", "--", "true");
    expect((await at.ran("alice", "explain", "1"))[1]).toContain(`\n  what would help: ${help}\n`);
  });

  test("for an account that no node has says whom to ask", async () => {
    const { facts } = (await import("../../server/stage")).machineOf("box1");
    await heardNode(at.stage, "box1", { facts: { ...facts, unix_user: "lab" } });
    const [, text] = await at.ran("alice", "run", "--", "true");
    expect(text).toContain("takes no tasks of account alice");
    expect(text).toContain(
      "What would help: ask an operator for the account on a node, or for an agent that makes them",
    );
  });
});
