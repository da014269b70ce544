// One agent's conversation with the server, message by message; whatever nobody expected fails.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { withoutRecord } from "../../../src/core/agent/report";
import type { TaskRow } from "../../../src/core/model/rows-task";
import type { TaskReport } from "../../../src/core/model/record";
import { failedReport, reportOf } from "../../support/reports";
import { waitUntil } from "../../support/wait";
import { joinWithKey, Recorder, type Known } from "../recorder";
import { machineOf, makeStage, type Stage } from "../stage";

let stage: Stage;
let known: Known;
beforeEach(async () => {
  stage = await makeStage();
  known = await joinWithKey(stage, "n1");
});
afterEach(async () => stage.close());

const tasks = (): TaskRow[] => [...stage.api.store.state.tasks.values()];
const running = (task: TaskRow): TaskReport => reportOf(task, { state: "running", pid: 7, started_age_ms: 1 });

/** A job that the agent was told to run. */
async function assigned(agent: Recorder): Promise<TaskRow> {
  const body = { name: "once", project: null, job: { run: "true" }, wait_for_nodes: false };
  expect((await stage.call("POST", "/v1/runs", { as: "alice", body })).status).toBe(200);
  const { changes, n } = await agent.expect("changes");
  expect([n, changes.map(({ verb }) => verb)]).toEqual([1, ["assign"]]);
  return tasks()[0] as TaskRow;
}

describe("a conversation", () => {
  test("goes from challenge to welcome, and to each change and report once", async () => {
    const agent = Recorder.dial(stage, known);
    expect((await agent.live("a")).name).toBe("n1");
    await agent.pass();
    const task = await assigned(agent);
    agent.say({ type: "report", seq: 1, entries: [running(task)] });
    expect((await agent.expect("ack")).seq).toBe(1);
    expect(tasks()[0]?.observed.state).toBe("running");
    agent.beat(5);
    expect(await agent.expect("beat")).toMatchObject({ sent_ms: 5, acked_seq: 1 });
    expect([await agent.rest(), agent.closed]).toEqual([[], null]);
  });

  test("repeats an end without doing anything twice", async () => {
    const agent = Recorder.dial(stage, known);
    await agent.live("a");
    await agent.pass();
    const task = await assigned(agent);
    for (const _ of [1, 2]) agent.say({ type: "report", seq: 1, entries: [failedReport(task)] });
    for (const _ of [1, 2]) expect((await agent.expect("ack")).seq).toBe(1);
    expect(await agent.rest()).toEqual([]);
    expect(stage.api.store.history.tasks({ limit: 9 }).map(({ uid }) => uid)).toEqual([task.uid]);
  });

  test("acknowledges no report while one before it has not been taken in", async () => {
    const agent = Recorder.dial(stage, known);
    await agent.live("a");
    await agent.pass();
    const task = await assigned(agent);
    agent.say({ type: "report", seq: 2, entries: [failedReport(task)] });
    expect(await agent.rest()).toEqual([]);
    agent.beat(5);
    expect((await agent.expect("beat")).acked_seq).toBe(0);
    for (const seq of [1, 2]) agent.say({ type: "report", seq, entries: [] });
    for (const seq of [1, 2]) expect((await agent.expect("ack")).seq).toBe(seq);
  });
});

describe("an agent on a new disk", () => {
  /** What its job was before, and the connection after the next one, on the same new disk. */
  async function returned(): Promise<{ task: TaskRow; agent: Recorder }> {
    const before = Recorder.dial(stage, known);
    await before.live("a");
    await before.pass();
    const task = await assigned(before);
    before.say({ type: "report", seq: 1, entries: [running(task)] });
    await before.expect("ack");
    await Recorder.dial(stage, known).live("a");
    const { timeline, revision } = stage.api.store.state.cluster;
    const agent = Recorder.dial(stage, known);
    await agent.hello("a", { applied: { timeline, revision, since: revision } });
    agent.say({ type: "inventory", entries: [], unreadable: [], last: true });
    await agent.expect("welcome");
    return { task, agent };
  }
  const why = (): string | null | undefined => stage.api.store.state.nodes.get(known.credential.node_id)?.reason;

  test("does not make a job done again whose records were on the old one, and says what people can do", async () => {
    const { task, agent } = await returned();
    expect(await agent.rest()).toEqual([]);
    expect(tasks().map(({ uid, observed }) => [uid, observed.state])).toEqual([[task.uid, "running"]]);
    expect(why()).toContain("its records of 1 are gone, so nobody knows how that ended: orch cancel ends a run");
  });

  test("ends it when somebody cancels the run", async () => {
    const { task, agent } = await returned();
    expect((await stage.call("POST", "/v1/runs/1/cancel", { as: "alice", body: { signal: null } })).status).toBe(200);
    const { changes } = await agent.expect("changes");
    expect(changes).toMatchObject([{ verb: "stop", uid: task.uid }]);
    agent.say({ type: "report", seq: 1, entries: [withoutRecord(task.uid, "cancelled", "no")] });
    await agent.expect("ack");
    await stage.planned();
    expect((await stage.call("GET", "/v1/runs/1")).body["state"]).toBe("cancelled");
  });
});

describe("a connection", () => {
  test.each([
    ["that says something else", (agent: Recorder) => agent.say('{"type":"dance"}'), "malformed"],
    ["that is not JSON", (agent: Recorder) => agent.say("{"), "malformed"],
  ])("%s is refused and closed", async (_what, speak, code) => {
    const agent = Recorder.dial(stage, known);
    await agent.expect("challenge");
    speak(agent);
    expect((await agent.expect("refused")).code).toBe(code);
    expect(agent.closed?.code).toBe(4_000);
  });

  test("without the node's key is refused, and nothing that it says is taken in", async () => {
    const agent = Recorder.dial(stage, known);
    await agent.hello("a", { signature: Buffer.from("x".repeat(64)).toString("base64") });
    agent.say({ type: "inventory", entries: [], unreadable: [], last: true });
    expect((await agent.expect("refused")).code).toBe("signature");
    expect(await agent.rest()).toEqual([]);
    expect(stage.api.sessions.isOpen(known.credential.node_id)).toBe(false);
  });

  test("of the same agent replaces the one before, which is not heard any more", async () => {
    const { node_id } = known.credential;
    const first = Recorder.dial(stage, known);
    await first.live("a");
    const second = Recorder.dial(stage, known);
    await second.hello("a");
    await waitUntil("the first to be closed", () => first.closed !== null);
    const seen = stage.api.loop.lastSeen(node_id);
    stage.clock += 1_000;
    first.beat(5);
    first.say({ type: "report", seq: 1, entries: [] });
    await stage.planned();
    expect(stage.api.loop.lastSeen(node_id)).toBe(seen);
    expect(stage.api.loop.snapshot(stage.api.store.state, stage.clock).contacts.get(node_id)?.connected).toBe(false);
    second.say({ type: "inventory", entries: [], unreadable: [], last: true });
    await second.expect("welcome");
    expect(stage.api.sessions.isOpen(node_id)).toBe(true);
  });

  test("that was replaced changes nothing any more of what its agent has said since", async () => {
    const first = Recorder.dial(stage, known);
    await first.live("a");
    const second = Recorder.dial(stage, known);
    first.say({ type: "findings", findings: [] });
    first.say({ type: "facts", machine: machineOf("n1", { agent_version: "stale" }) });
    first.say({ type: "leaving", leaving: { in_ms: null, gone: false, why: "stale" } });
    await second.hello("a", { machine: { agent_version: "fresh" } });
    second.say({ type: "inventory", entries: [], unreadable: [], last: true });
    await second.expect("welcome");
    await stage.planned();
    expect(stage.api.store.state.nodes.get(known.credential.node_id)).toMatchObject({
      agent_version: "fresh",
      leaving: null,
    });
  });

  test("of another agent with the same identity is refused, and both are shown", async () => {
    const first = Recorder.dial(stage, known);
    await first.live("a");
    const second = Recorder.dial(stage, known);
    await second.hello("b");
    expect((await second.expect("refused")).code).toBe("identity_in_use");
    expect(first.closed).toBeNull();
    const { events } = (await stage.call("GET", "/v1/events")).body as { events: { verb: string; detail: string }[] };
    expect(events.find(({ verb }) => verb === "refused")?.detail).toContain("a second agent with its identity");
  });
});
