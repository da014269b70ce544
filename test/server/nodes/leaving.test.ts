// Nodes that announce that they go: drained by their own word, back by coming back, gone for good when nothing is left.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { NodeRow } from "../../../src/core/model/rows-node";
import { handAgent, reconnected, type HandAgent } from "../hand-agent";
import { makeStage, type Stage } from "../stage";
import { waitUntil } from "../../support/wait";

let stage: Stage;
let agent: HandAgent;
beforeEach(async () => {
  stage = await makeStage();
  agent = await handAgent(stage, "box1");
});
afterEach(async () => stage.close());

const row = (): NodeRow | undefined => stage.api.store.state.nodes.get(agent.node_id);
const shown = async () => (await stage.call("GET", "/v1/nodes/box1", { as: "vera" })).body;
const noted = () => agent.heard.filter((message) => message.type === "noted").map(({ leaving }) => leaving);
const events = async () =>
  (
    (await stage.call("GET", "/v1/events?object=box1")).body["events"] as {
      actor: string;
      verb: string;
      detail: string;
    }[]
  )
    .map(({ actor, verb, detail }) => `${actor}: ${verb} ${detail}`.trim())
    .toReversed();

async function leave(in_ms: number | null, why = "termination notice"): Promise<void> {
  const before = noted().length;
  agent.say({ type: "leaving", leaving: { in_ms, gone: in_ms !== null, why } });
  await waitUntil("it to be noted", () => noted().length > before);
}

async function startTask(): Promise<void> {
  await stage.call("POST", "/v1/runs", {
    as: "alice",
    body: { name: "long", project: null, job: { run: "sleep 100" }, wait_for_nodes: true },
  });
  await waitUntil("the task", () => stage.api.store.state.tasks.size === 1);
}

describe("a node that leaves", () => {
  test("is drained with the time that is left, by itself, and says so", async () => {
    await leave(90_000);
    expect(await shown()).toMatchObject({
      state: "drained",
      reason: "termination notice",
      drain: { by: "box1", deadline_ms: stage.clock + 90_000, leaves: true },
    });
    expect((await events()).at(-1)).toBe("node box1: leaves termination notice, in 1m30s");
    const job = { name: "long", project: null, job: { run: "sleep 100" }, wait_for_nodes: true };
    expect((await stage.call("POST", "/v1/runs", { as: "alice", body: job })).status).toBe(200);
    await stage.planned();
    expect(stage.api.store.state.tasks.size).toBe(0);
  });
  test("says it again without it being news, and sooner with", async () => {
    await leave(90_000);
    const since = row()?.leaving?.since_ms;
    stage.clock += 5_000;
    await leave(85_200);
    expect(row()?.leaving).toEqual({
      since_ms: since ?? 0,
      deadline_ms: stage.clock + 85_000,
      gone: true,
      why: "termination notice",
    });
    await leave(10_000);
    expect(row()?.leaving?.deadline_ms).toBe(stage.clock + 10_000);
    expect((await events()).filter((line) => line.includes("leaves")).length).toBe(2);
  });
  test("stays when it takes that back, and when it comes back without it", async () => {
    await leave(90_000);
    agent.say({ type: "leaving", leaving: null });
    await waitUntil("it to stay", () => row()?.leaving === null);
    expect((await shown())["state"]).toBe("ready");
    await leave(90_000);
    agent.hangUp();
    agent = await reconnected(stage, agent, { boot_id: "boot-2" });
    expect([row()?.leaving, (await shown())["state"]]).toEqual([null, "ready"]);
    expect((await events()).at(-1)).toBe("node box1: stays");
  });
  test("goes on leaving in a new session that says so", async () => {
    await leave(90_000);
    const before = row()?.leaving;
    agent.hangUp();
    agent = await reconnected(stage, agent, {}, { in_ms: 89_500, gone: true, why: "termination notice" });
    expect(row()?.leaving).toEqual(before ?? null);
    expect(noted()).toEqual([true]);
  });
  test("stays drained after it is back where a person had drained it", async () => {
    await stage.call("POST", "/v1/nodes/box1/drain", { as: "olga", body: { deadline_ms: null, reason: "new fan" } });
    await leave(90_000);
    expect(await shown()).toMatchObject({ reason: "termination notice", drain: { leaves: true } });
    // The earlier deadline counts, whoever set it; that the node leaves is said all the same.
    const deadline_ms = stage.clock + 30_000;
    await stage.call("POST", "/v1/nodes/box1/drain", { as: "olga", body: { deadline_ms, reason: "new fan" } });
    expect(await shown()).toMatchObject({
      reason: "termination notice",
      drain: { by: "box1", leaves: true, deadline_ms },
    });
    agent.hangUp();
    agent = await reconnected(stage, agent);
    expect(await shown()).toMatchObject({ state: "drained", reason: "new fan", drain: { by: "olga", leaves: false } });
  });
  test("is wanted all the same when a person resumes it, and hears of it", async () => {
    await leave(null);
    expect((await stage.call("POST", "/v1/nodes/box1/resume", { as: "olga" })).body).toMatchObject({ state: "ready" });
    expect(noted()).toEqual([true, false]);
  });
});

describe("a farewell", () => {
  const refusal = () => agent.heard.find((message) => message.type === "refused");

  test("is taken once nothing is left there", async () => {
    await startTask();
    await leave(null);
    agent.say({ type: "farewell" });
    agent.say({ type: "leaving", leaving: { in_ms: null, gone: false, why: "again" } });
    await waitUntil("the second note", () => noted().length === 2);
    expect([row() === undefined, refusal()]).toEqual([false, undefined]);
    const task = stage.api.store.state.tasks.values().next().value!;
    await stage.call("POST", `/v1/runs/${task.run}/cancel`, { as: "alice", body: { signal: null } });
    await stage.planned();
    agent.report([
      {
        uid: task.uid,
        name: "1",
        identity: null,
        grant_until: 1,
        held: null,
        exclusive: false,
        unix_user: null,
        reported: {
          state: "stopped",
          started_age_ms: null,
          finished_age_ms: 0,
          exit_code: null,
          signal: null,
          reason: "cancelled",
          peak_memory_bytes: null,
          tail: null,
          next: null,
        },
      },
    ]);
    await waitUntil("the end to be known", () => stage.api.store.state.tasks.size === 0);
    agent.say({ type: "farewell" });
    await waitUntil("it to be forgotten", () => row() === undefined);
    expect(refusal()).toMatchObject({ code: "forgotten" });
    expect(stage.api.store.history.hasGrave(agent.node_id)).toBe(true);
  });
  test("of a node that does not leave is not taken", async () => {
    agent.say({ type: "farewell" });
    await leave(null);
    expect(row()?.name).toBe("box1");
  });
});
