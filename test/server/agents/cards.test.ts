// What a server makes of what an agent says of its cards: events; and the operators' table of findings for the agent.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { PLAIN_DEVICE, type Device } from "../../../src/core/model/device";
import type { Notice } from "../../../src/core/model/findings";
import { joinWithKey, Recorder, type Known } from "../recorder";
import { machineOf, makeStage, type Stage } from "../stage";

const CHANGED = { "xid 63": "quarantine" } as const;

let stage: Stage;
let known: Known;
let agent: Recorder;
beforeEach(async () => {
  stage = await makeStage({ findings: CHANGED });
  known = await joinWithKey(stage, "n1");
  agent = Recorder.dial(stage, known);
  await agent.live("a");
  await agent.pass();
});
afterEach(async () => stage.close());

const device = (over: Partial<Device> = {}): Device => ({
  ...PLAIN_DEVICE,
  id: "GPU-1",
  vendor: "nvidia",
  model: "A100",
  memory_bytes: 2 ** 36,
  ...over,
});

async function events(): Promise<string[]> {
  await agent.rest();
  const all = stage.api.store.history.events({ limit: 50 });
  return all
    .filter(({ object }) => object.startsWith("n1 "))
    .map(({ verb, object, detail }) => `${verb} ${object}: ${detail}`)
    .toReversed();
}

const notice = (n: number): Notice => ({
  n,
  object: "GPU-1",
  key: "xid 63",
  class: "watch",
  text: `GPU-1: XID 63, number ${n}`,
});

test("findings are events, and the agent hears that they are", async () => {
  agent.say({ type: "findings", findings: [notice(1), notice(2)] });
  expect((await agent.expect("heard")).n).toBe(2);
  expect(await events()).toEqual([
    "finding n1 GPU-1: GPU-1: XID 63, number 1",
    "finding n1 GPU-1: GPU-1: XID 63, number 2",
  ]);
});

test("an agent is welcomed with what operators have changed in the table of findings", async () => {
  const again = Recorder.dial(stage, known);
  expect((await again.live("a")).findings).toEqual(CHANGED);
  agent = again;
});

test("a card that is not what it was is an event, and one that is new and well is none", async () => {
  const tell = (...devices: readonly Device[]): void =>
    agent.say({ type: "facts", machine: { ...machineOf("n1"), devices } });
  tell(device(), device({ id: "GPU-2" }));
  tell(device({ state: "dirty", reason: "after 12: python is still on it" }), device({ id: "GPU-2" }));
  tell(device({ foreign_bytes: 2 ** 30, foreign: "bob: python (pid 1)" }), device({ id: "GPU-2" }));
  tell(device({ state: "quarantined", reason: "XID 79, fallen off the bus" }));
  expect(await events()).toEqual([
    "card dirty n1 GPU-1: A100: after 12: python is still on it",
    "card ok n1 GPU-1: A100 can be used again",
    "card quarantined n1 GPU-1: A100: XID 79, fallen off the bus",
    "card forgotten n1 GPU-2: A100",
  ]);
  const [node] = [...stage.api.store.state.nodes.values()];
  expect(node?.devices).toMatchObject([{ id: "GPU-1", state: "quarantined" }]);
});

test("what a card became while the agent was away is told when it is back", async () => {
  agent.say({ type: "facts", machine: { ...machineOf("n1"), devices: [device()] } });
  expect(await events()).toEqual([]);
  const again = Recorder.dial(stage, known);
  await again.live("a");
  agent = again;
  expect(await events()).toEqual(["card forgotten n1 GPU-1: A100"]);
});
