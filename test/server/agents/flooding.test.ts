// A node that says the same over and over, and a copy of a node that comes again and again, fill neither the history
// nor the disk: their events have a budget, and that it was used up is said once.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { PLAIN_DEVICE, type Device } from "../../../src/core/model/device";
import { waitUntil } from "../../support/wait";
import { handAgent } from "../hand-agent";
import { joinWithKey, Recorder } from "../recorder";
import { machineOf, makeStage, type Stage } from "../stage";

let stage: Stage;
beforeEach(async () => {
  stage = await makeStage();
});
afterEach(async () => stage.close());

const events = (verb: RegExp) =>
  stage.api.store.history.events({ limit: 10_000 }).filter((event) => verb.test(event.verb));

const cards = (state: Device["state"]): Device[] =>
  Array.from({ length: 100 }, (_, n) => ({
    ...PLAIN_DEVICE,
    id: `GPU-${n}`,
    vendor: "nvidia",
    model: "M".repeat(4_000),
    memory_bytes: 1,
    state,
    reason: "r".repeat(3_000),
  }));

test("100 cards that flip 20 times are a bounded number of short events, and the newest facts count", async () => {
  const agent = await handAgent(stage, "box1", { devices: cards("ok") });
  const facts = (state: Device["state"]): void =>
    agent.say({ type: "facts", machine: machineOf("box1", { devices: cards(state) }) });
  for (let n = 0; n < 20; n++) facts(n % 2 === 0 ? "quarantined" : "dirty");
  facts("ok");
  await stage.planned();
  const told = events(/^card /);
  expect(told.length).toBeLessThanOrEqual(200);
  expect(Math.max(...told.map(({ detail }) => detail.length))).toBeLessThanOrEqual(1_000);
  expect(events(/^events_dropped$/)).toHaveLength(1);
  const states = () => new Set(stage.api.store.state.nodes.get(agent.node_id)?.devices.map((device) => device.state));
  expect([...states()]).not.toEqual(["ok"]);
  stage.clock += 61_000;
  agent.heartbeat();
  await waitUntil("the newest facts", () => states().has("ok"));
});

test("a copy that connects 60 times from one address is a bounded number of refusals in the history", async () => {
  const known = await joinWithKey(stage, "box1");
  const agent = Recorder.dial(stage, known);
  await agent.live("a");
  for (let n = 0; n < 60; n++) {
    const copy = Recorder.dial(stage, known);
    await copy.hello(`copy ${n}`);
    await copy.expect("refused");
  }
  expect(events(/^refused$/).length).toBeLessThanOrEqual(20);
  expect(events(/^events_dropped$/)).toHaveLength(1);
});
