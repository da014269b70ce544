// One agent's conversation with the server, message by message; whatever nobody expected fails.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { TaskRow } from "../../../src/core/model/rows-task";
import type { TaskReport } from "../../../src/core/model/record";
import type { SlotRow } from "../../../src/core/model/rows-work";
import { slotKey } from "../../../src/core/model/task";
import type { RunView } from "../../../src/wire/api/runs";
import type { TaskView } from "../../../src/wire/api/tasks";
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
async function assigned(agent: Recorder, more: Readonly<Record<string, unknown>> = {}): Promise<TaskRow> {
  const body = { name: "once", project: null, job: { run: "true", ...more }, wait_for_nodes: false };
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

test("an agent that comes back hears of what was given up before it has a lease", async () => {
  const before = Recorder.dial(stage, known);
  await before.live("a");
  await before.pass();
  const task = await assigned(before, { exclusive: true });
  const { store, loop } = stage.api;
  const second = await joinWithKey(stage, "n2");
  const other = Recorder.dial(stage, second);
  await other.live("b");
  await other.pass();
  loop.gone(known.credential.node_id);
  await store.commit("plan", (draft) => {
    const { node_id } = second.credential;
    const { boot_id = "" } = draft.state.nodes.get(node_id) ?? {};
    const uid = "b".repeat(32);
    const assigned_revision = draft.state.cluster.revision + 1;
    const next = { ...task, uid, node_id, boot_id, attempt: 2, grant_until: 2, assigned_revision };
    const key = slotKey(task.owner_uid, 0);
    const written_off = { at_ms: stage.clock, why: "its node was silent" };
    draft.put([
      { table: "tasks", key: task.uid, row: { ...task, written_off } },
      { table: "tasks", key: uid, row: next },
      { table: "slots", key, row: { ...(draft.state.slots.get(key) as SlotRow), attempts: 2 } },
    ]);
  });
  await stage.planned();
  const seen: unknown[] = [];
  store.onCommit((_, changes) => {
    for (const { table, key, row } of changes)
      if (table === "tasks" && key === task.uid) seen.push([row?.observed.state, row?.desired]);
  });
  const agent = Recorder.dial(stage, known);
  await agent.live("a", [reportOf(task, { state: "preparing", prepared: false, reason: "waits for a valid lease" })]);
  agent.beat(5);
  expect((await agent.expect("changes")).changes).toMatchObject([{ verb: "stop", uid: task.uid }]);
  await agent.expect("beat");
  expect(seen).toEqual([["preparing", "stop"]]);
});

describe("an agent on a new disk", () => {
  /** A job that runs there, whose records are lost with the disk. */
  async function returned(on_unknown_end = "ask"): Promise<{ task: TaskRow; agent: Recorder }> {
    const before = Recorder.dial(stage, known);
    await before.live("a");
    await before.pass();
    const task = await assigned(before, { on_unknown_end });
    before.say({ type: "report", seq: 1, entries: [running(task)] });
    await before.expect("ack");
    const agent = Recorder.dial(stage, known);
    await agent.live("a");
    await stage.planned();
    return { task, agent };
  }
  const view = async (): Promise<RunView> => (await stage.call("GET", "/v1/runs/1")).body as unknown as RunView;
  const says = async (what: string, body?: unknown): Promise<number> =>
    (await stage.call("POST", `/v1/runs/1/${what}`, { as: "alice", ...(body === undefined ? {} : { body }) })).status;

  test("does not make a job done again whose records were on the old one: it asks a person, once", async () => {
    const { task, agent } = await returned();
    expect(await agent.rest()).toEqual([]);
    expect(tasks()).toEqual([]);
    const [ended] = stage.api.store.history.tasks({ limit: 9 });
    expect(ended).toMatchObject({ uid: task.uid, observed: { state: "unknown", exit_code: null, cause: "no_record" } });
    const { state, unknown, exit_code, reason } = await view();
    expect([state, unknown, exit_code]).toEqual(["running", 1, null]);
    expect(reason).toBe(
      "waits for a person: nobody knows how it ended on n1: its node's agent has a new data directory, without the " +
        "records of before; orch retry 1 runs it again; orch settle 1 --as succeeded (or failed) takes it as over",
    );
    const { body } = await stage.call("GET", "/v1/explain/1");
    expect(body).toMatchObject({ kind: "queued", summary: expect.stringContaining("on n1, began ") as string });
    const pending = (await stage.call("GET", "/v1/tasks")).body as unknown as { tasks: TaskView[] };
    expect(pending.tasks).toMatchObject([
      { state: "pending", reason: expect.stringContaining("nobody knows") as string },
    ]);
  });

  test("makes it done again when a person says so, and as often as a person says so", async () => {
    const { agent } = await returned();
    expect(await says("retry")).toBe(200);
    const { changes } = await agent.expect("changes");
    expect(changes).toMatchObject([{ verb: "assign", task: { identity: { attempt: 2 } } }]);
    expect((await view()).unknown).toBe(0);
    expect(await says("retry")).toBe(409);
  });

  test("is told what was said before by the second one who says it", async () => {
    await returned();
    const [first, second] = await Promise.all(
      ["retry", "retry"].map(async (what) => stage.call("POST", `/v1/runs/1/${what}`, { as: "alice" })),
    );
    expect([first?.status, second?.status]).toEqual([200, 409]);
    expect(JSON.stringify(second?.body)).toContain("alice has said to run it again already");
  });

  test.each([
    ["succeeded", null],
    ["failed", null],
  ])("has it %s when a person says so", async (as, exit_code) => {
    await returned();
    expect(await says("settle", { as: "perhaps" })).toBe(400);
    expect(await says("settle", { as })).toBe(200);
    await stage.planned();
    const run = await view();
    expect(run).toMatchObject({
      state: as,
      exit_code,
      cause: "result_unknown",
      reason: `alice has said that it ${as}`,
    });
    expect(run.unknown).toBe(0);
    expect(await says("settle", { as })).toBe(409);
  });

  test("has it cancelled when a person cancels the run", async () => {
    await returned();
    expect(await says("cancel", { signal: null })).toBe(200);
    await stage.planned();
    expect((await view()).state).toBe("cancelled");
  });

  test("makes it done again by itself, or fail, if the job says so", async () => {
    const { agent } = await returned("retry");
    stage.clock += 5_000;
    await stage.planned();
    expect((await agent.expect("changes")).changes).toMatchObject([{ verb: "assign" }]);
  });

  test("makes a run fail whose job says so", async () => {
    await returned("fail");
    expect(await view()).toMatchObject({
      state: "failed",
      exit_code: null,
      cause: "result_unknown",
      reason: expect.stringContaining("nobody knows how it ended: ") as string,
    });
  });

  test("keeps what comes after the job waiting, and says for whom", async () => {
    await returned();
    const body = { name: "next", project: null, job: { run: "true", after: ["1"] }, wait_for_nodes: false };
    expect((await stage.call("POST", "/v1/runs", { as: "alice", body })).status).toBe(200);
    await stage.planned();
    const waits = async (): Promise<string> => {
      const answer = await stage.call("GET", "/v1/explain/2");
      return String(answer.body["summary"]);
    };
    expect(await waits()).toBe("waits for 1 to succeed (nobody knows how once (run 1) ended: orch explain 1)");
    await says("settle", { as: "succeeded" });
    await stage.planned();
    expect((await stage.call("GET", "/v1/runs/2")).body["state"]).toBe("running");
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

  test("that a later one overtook while both were greeted has its inventory dropped", async () => {
    const first = Recorder.dial(stage, known);
    await first.hello("a");
    const second = Recorder.dial(stage, known);
    await second.live("a");
    await second.pass();
    const task = await assigned(second);
    first.say({ type: "inventory", entries: [failedReport(task)], unreadable: [], last: true });
    await waitUntil("the first to be closed", () => first.closed !== null);
    await stage.planned();
    expect(tasks().map(({ uid }) => uid)).toEqual([task.uid]);
    expect(first.closed?.code).toBe(4_001);
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
