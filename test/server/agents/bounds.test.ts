// What is beyond the bounds in an agent's messages costs that text or that entry: the session stays, the task comes to
// its end, and both ends are told. What has no end is refused.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { HOUSE_LIMITS } from "../../../src/core/limits";
import type { TaskRow } from "../../../src/core/model/rows-task";
import type { TaskReport } from "../../../src/core/model/record";
import { encodeFrame } from "../../../src/wire/tunnel";
import { createStreams, STREAM_CREDIT_BYTES, StreamError } from "../../../src/server/agents/streams";
import { failedReport, reportOf } from "../../support/reports";
import { joinWithKey, Recorder, type Known } from "../recorder";
import { makeStage, type Stage } from "../stage";

let stage: Stage;
let known: Known;
beforeEach(async () => {
  stage = await makeStage();
  known = await joinWithKey(stage, "n1");
});
afterEach(async () => stage.close());

const tasks = (): TaskRow[] => [...stage.api.store.state.tasks.values()];
const node_id = (): string => known.credential.node_id;
const running = (task: TaskRow): TaskReport => reportOf(task, { state: "running", pid: 7, started_age_ms: 1 });
const doubts = (): string[] =>
  stage.api.store.history
    .events({ limit: 50 })
    .filter(({ verb }) => verb === "doubted")
    .map(({ detail }) => detail);

async function assigned(agent: Recorder): Promise<TaskRow> {
  const body = { name: "once", project: null, job: { run: "true" }, wait_for_nodes: false };
  expect((await stage.call("POST", "/v1/runs", { as: "alice", body })).status).toBe(200);
  await agent.expect("changes");
  return tasks()[0] as TaskRow;
}

async function busy(): Promise<{ agent: Recorder; task: TaskRow }> {
  const agent = Recorder.dial(stage, known);
  await agent.live("a");
  await agent.pass();
  return { agent, task: await assigned(agent) };
}

/** An entry as a broken agent sends it: the JSON of a whole one, with other values in it. */
const broken = (entry: TaskReport, part: object): TaskReport =>
  ({ ...entry, reported: { ...entry.reported, ...part } }) as unknown as TaskReport;

test("a reason of 6,000 characters is cut, and the task has its end", async () => {
  const { agent, task } = await busy();
  agent.say({ type: "report", seq: 1, entries: [broken(failedReport(task), { reason: "x".repeat(6_000) })] });
  expect((await agent.expect("ack")).seq).toBe(1);
  expect(agent.closed).toBeNull();
  const [ended] = stage.api.store.history.tasks({ limit: 1 });
  const reason = ended !== undefined && "reason" in ended.observed ? ended.observed.reason : null;
  expect(reason).toHaveLength(HOUSE_LIMITS.text_chars);
  expect(reason?.endsWith("…")).toBe(true);
});

test("the inventory of a whole node survives one such reason", async () => {
  const { task } = await busy();
  const agent = Recorder.dial(stage, known);
  await agent.live("a", [broken(failedReport(task), { reason: "x".repeat(6_000) })]);
  expect(stage.api.store.history.tasks({ limit: 9 }).map(({ uid }) => uid)).toEqual([task.uid]);
});

test.each<[string, object]>([
  ["of other types", { exit_code: "many", peak_memory_bytes: -1, tail: 7, next: [] }],
  ["beyond what a number holds", { peak_memory_bytes: 1e300, finished_age_ms: -0.5 }],
  ["with half a character", { reason: "\ud800", tail: { stdout: "\udfff", stderr: "y".repeat(70_000) } }],
  ["with no time", { finished_age_ms: null }],
  ["of how nobody knows it ended", { state: "unknown", finished_age_ms: null }],
])("an end with values %s is an end", async (_what, part) => {
  const { agent, task } = await busy();
  agent.say({ type: "report", seq: 1, entries: [broken(failedReport(task), part)] });
  await stage.planned();
  expect(agent.closed).toBeNull();
  expect(stage.api.store.history.tasks({ limit: 9 }).map(({ uid }) => uid)).toEqual([task.uid]);
});

test("an entry that cannot be read is answered by its name, and the others of its report count", async () => {
  const { agent, task } = await busy();
  const stranger = { ...running(task), uid: "no uid" };
  agent.say({ type: "report", seq: 1, entries: [stranger, running(task)] });
  expect((await agent.expect("unread")).entries).toMatchObject([{ name: expect.stringContaining("entries.0") }]);
  expect((await agent.expect("ack")).seq).toBe(1);
  expect(tasks()[0]?.observed.state).toBe("running");
  expect(doubts()).toMatchObject([expect.stringContaining("entries.0")]);
});

test("a task that cannot be read in an inventory is there: nothing is concluded from its absence", async () => {
  const { agent: before, task } = await busy();
  before.say({ type: "report", seq: 1, entries: [running(task)] });
  await before.expect("ack");
  const { timeline, revision } = stage.api.store.state.cluster;
  const agent = Recorder.dial(stage, known);
  await agent.hello("a", { applied: { timeline, revision, since: 0 } });
  agent.say({ type: "inventory", entries: [broken(running(task), { state: "dreaming" })], unreadable: [], last: true });
  await agent.expect("unread");
  await agent.expect("welcome");
  expect(tasks().map(({ uid, observed }) => [uid, observed.state])).toEqual([[task.uid, "running"]]);
  expect(stage.api.store.state.nodes.get(node_id())?.orphans).toMatchObject([{ uid: task.uid }]);
});

test("a message that cannot be read at all costs the message while the node is connected", async () => {
  const { agent } = await busy();
  agent.say('{"type":"heartbeat"}');
  expect((await agent.expect("unread")).entries).toHaveLength(1);
  agent.beat(5);
  await agent.expect("beat");
  expect(agent.closed).toBeNull();
});

test("an inventory without end is refused by its size, and nothing waits for it", async () => {
  await busy();
  const agent = Recorder.dial(stage, known);
  await agent.hello("a");
  await stage.planned();
  const unreadable = Array.from({ length: HOUSE_LIMITS.message_entries }, (_, n) => ({
    uid: n.toString(16).padStart(32, "0"),
    name: "",
    pid: null,
    held: null,
  }));
  for (let page = 0; page < 60 && agent.closed === null; page++) {
    agent.say({ type: "inventory", entries: [], unreadable, last: false });
    if (page % 10 === 9) await stage.planned();
  }
  expect(await agent.expect("refused")).toMatchObject({ code: "inventory_too_large" });
  expect(agent.closed).not.toBeNull();
  expect(doubts().join("\n")).toContain("an inventory of 51000 tasks");
});

test("before its proof a connection may send a hello, and no more than that at once", async () => {
  const agent = Recorder.dial(stage, known);
  await agent.expect("challenge");
  agent.say(JSON.stringify({ type: "hello", padding: "x".repeat(2 * 1024 * 1024) }));
  expect(await agent.expect("refused")).toMatchObject({ code: "too_much" });
});

test("a node that sends more than its credit loses that stream, and the bytes are not kept", async () => {
  const sent: string[] = [];
  const streams = createStreams({
    remote: "",
    close: () => undefined,
    patience: () => undefined,
    waiting: () => 0,
    send: (data) => sent.push(String(data)),
  });
  const log = streams.openLog({ uid: "", name: "stdout", offset: 0, follow: true, since_age_ms: null });
  const bytes = log[Symbol.asyncIterator]();
  streams.bytes(encodeFrame(1, new Uint8Array(STREAM_CREDIT_BYTES)));
  streams.bytes(encodeFrame(1, new Uint8Array(1)));
  expect(sent.map((text) => (JSON.parse(text) as { type: string }).type)).toEqual(["open", "close"]);
  const ended = bytes.next().then(
    () => null,
    (error: unknown) => error,
  );
  expect(await ended).toBeInstanceOf(StreamError);
});

test("credit comes back as the reader reads", async () => {
  const streams = createStreams({
    remote: "",
    close: () => undefined,
    patience: () => undefined,
    waiting: () => 0,
    send: () => 1,
  });
  const log = streams.openLog({ uid: "", name: "stdout", offset: 0, follow: true, since_age_ms: null });
  const bytes = log[Symbol.asyncIterator]();
  for (let n = 0; n < 8; n++) {
    const next = bytes.next();
    streams.bytes(encodeFrame(1, new Uint8Array(STREAM_CREDIT_BYTES / 2)));
    expect((await next).value).toHaveLength(STREAM_CREDIT_BYTES / 2);
  }
});
