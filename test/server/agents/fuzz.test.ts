// Whatever an agent can be brought to say, the server takes: the messages of the real schema, made worse at random, go
// through the agent's own encoding into the real handlers, with the real database behind them. `bun run fuzz` is the
// long form: ORCH_FUZZ is the number of rounds.

import { expect, test } from "bun:test";
import { parseApp } from "../../../src/spec/parse";
import { startFailed } from "../../../src/agent/tasks/taskdir";
import type { TaskRow } from "../../../src/core/model/rows-task";
import { messageText } from "../../../src/wire/fit";
import { toServer, type ToServer } from "../../../src/wire/agent";
import { diceOf, type Dice } from "../../support/random";
import { failedReport, reportOf } from "../../support/reports";
import { worst } from "../../support/worst";
import { joinWithKey, Recorder } from "../recorder";
import { machineOf, makeStage, type Stage } from "../stage";

const ROUNDS = Number(process.env["ORCH_FUZZ"] ?? "12");
const MESSAGES = 40;

/** What names a task or a message is not made worse: another task's name is another matter. */
const isKept = (path: string): boolean => /^\.type$|\.uid$|\.identity|\.state$|\.seq$|^\.id$|\.held$/.test(path);

function messagesOf(task: TaskRow, machine: ReturnType<typeof machineOf>): readonly ToServer[] {
  const { reason } = startFailed("y".repeat(6_000), "no_account");
  const running = reportOf(task, { state: "running", pid: 7, started_age_ms: 1 });
  const waiting = reportOf(task, { state: "preparing", prepared: false, reason: "waits" });
  const failed = failedReport(task);
  const ended = {
    ...failed,
    reported: { ...failed.reported, reason, tail: { stdout: "a", stderr: "b" } },
  } as typeof failed;
  const reading = {
    id: "GPU-0",
    age_ms: 1,
    stale: false,
    memory_used_bytes: 1,
    utilization_percent: 1,
    temperature_celsius: 1,
    power_watts: 1,
    clock_mhz: 1,
    throttled: "hot",
    ecc_errors: 0,
    processes: [{ pid: 1, user: "root", command: "python", memory_bytes: 1, task_uid: null }],
  };
  return [
    { type: "report", seq: 1, entries: [running, waiting, running] },
    { type: "report", seq: 1, entries: [ended] },
    { type: "heartbeat", sent_ms: 1, applied_n: 0, applied_revision: 0, reported_seq: 0, skew_ms: 0 },
    { type: "facts", machine },
    { type: "readings", readings: [reading, reading] },
    { type: "findings", findings: [{ n: 1, object: "card", key: "xid-79", class: "watch", text: "fell off" }] },
    { type: "leaving", leaving: { in_ms: 1, gone: false, why: "spot" } },
    { type: "tested", id: "t", results: [] },
    { type: "testing", id: "t", name: "cpu", n: 1, of: 2 },
    { type: "echo", n: 1, data: "x" },
    { type: "opened", stream: 1, offset: 1 },
    { type: "end", stream: 1, error: "gone" },
  ];
}

async function round(stage: Stage, dice: Dice, n: number): Promise<number> {
  const known = await joinWithKey(stage, `n${n}`);
  const agent = Recorder.dial(stage, known);
  await agent.live("a");
  await agent.pass();
  const body = { name: "once", project: null, job: { run: "true" }, wait_for_nodes: false };
  expect((await stage.call("POST", "/v1/runs", { as: "alice", body })).status).toBe(200);
  await stage.planned();
  const task = stage.api.store.state.tasks.values().toArray().at(-1) as TaskRow;
  const whole = messagesOf(task, machineOf(`n${n}`));
  for (let count = 0; count < MESSAGES; count++) {
    const wild = dice.chance(0.3);
    const message = worst(dice, dice.pick(whole), isKept, wild);
    // A whole agent's words go through its own encoding; a broken agent's do not.
    agent.say(wild ? JSON.stringify(message) : messageText(toServer, message as ToServer));
    if (dice.chance(0.1)) await stage.planned();
    if (agent.closed !== null) throw new Error(`closed for ${JSON.stringify(message).slice(0, 2_000)}`);
  }
  agent.say({ type: "report", seq: 1, entries: [failedReport(task)] });
  await stage.planned();
  expect(stage.api.store.state.tasks.has(task.uid)).toBe(false);
  agent.say({ type: "heartbeat", sent_ms: 5, applied_n: 0, applied_revision: 0, reported_seq: 0, skew_ms: 0 });
  expect((await agent.rest()).some(({ type }) => type === "beat")).toBe(true);
  for (const path of ["/v1/nodes", "/v1/tasks", "/v1/events", "/v1/devices", `/v1/nodes/n${n}`]) {
    expect((await stage.call("GET", path, { as: "alice" })).status).toBe(200);
  }
  return MESSAGES;
}

test("the server takes whatever an agent can be brought to say", async () => {
  let sent = 0;
  for (let n = 0; n < ROUNDS; n++) {
    const stage = await makeStage();
    try {
      sent += await round(stage, diceOf(1_000 + n), n);
      expect(stage.said.filter((line) => /^bug|agent session/.test(line))).toEqual([]);
    } finally {
      await stage.close();
    }
  }
  expect(sent).toBe(ROUNDS * MESSAGES);
  if (process.env["ORCH_FUZZ"] !== undefined) console.log(`${sent} messages: every session stayed`);
}, 3_600_000);

test("the parser takes whatever a file holds", () => {
  const spec =
    "app: a\njobs:\n  x: { run: a, env: { A: b }, resources: { gpu: 1, memory: 1GiB }, after: y }\n  y: { run: b }\n";
  const parts = [
    ..."{}[]:,-&*!|>'\"#%@`\n\t ",
    "<<",
    "null",
    "1e400",
    "\u0000",
    "\ud800",
    "__proto__",
    "jobs:",
    "- ",
    "x".repeat(5_000),
  ];
  const dice = diceOf(3);
  const rounds = ROUNDS * 40;
  for (let n = 0; n < rounds; n++) {
    let text = spec;
    for (let change = 0; change <= dice.below(4); change++) {
      const at = dice.below(text.length);
      text = text.slice(0, at) + dice.pick(parts) + text.slice(at + dice.below(6));
    }
    expect(["parsed", "invalid"]).toContain(parseApp(text, "a.yaml").is);
  }
  if (process.env["ORCH_FUZZ"] !== undefined) console.log(`${rounds} specs: each was read or refused in words`);
}, 3_600_000);
