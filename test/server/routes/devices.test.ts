// Cards as the API shows them: promises and foreign use from the books, readings from the sessions of the agents.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { PLAIN_DEVICE, type Device, type Reading } from "../../../src/core/model/device";
import { GIB } from "../../../src/core/units";
import { type GpuView, gpuView } from "../../../src/wire/api/devices";
import { handAgent, reconnected, type HandAgent } from "../hand-agent";
import { makeStage, type Stage } from "../stage";
import { waitUntil } from "../../support/wait";

let stage: Stage;
let agent: HandAgent;

const card = (n: number, part: Partial<Device> = {}): Device => ({
  ...PLAIN_DEVICE,
  id: `GPU-${n}a2b3c4d-0000-0000-0000-00000000000${n}`,
  vendor: "nvidia",
  model: "NVIDIA A100-SXM4-80GB",
  memory_bytes: 80 * GIB,
  index: n,
  ...part,
});
const CARDS = [card(0), card(1, { foreign_bytes: 12 * GIB, foreign: "bob: python (pid 77)" })];

const reading = (id: string, part: Partial<Reading> = {}): Reading => ({
  id,
  age_ms: 100,
  stale: false,
  memory_used_bytes: 0,
  utilization_percent: 0,
  temperature_celsius: 30,
  power_watts: 60,
  clock_mhz: 210,
  throttled: null,
  ecc_errors: 0,
  processes: [],
  ...part,
});

const devices = async (): Promise<GpuView[]> => {
  const { status, body } = await stage.call("GET", "/v1/devices", { as: "vera" });
  expect(status).toBe(200);
  return (body["devices"] as unknown[]).map((one) => gpuView.parse(one));
};
const shown = async (n: number): Promise<GpuView> => {
  const found = (await devices()).find(({ index }) => index === n);
  if (found === undefined) throw new Error(`no card ${n}`);
  return found;
};
const read = async (readings: readonly Reading[]): Promise<void> => {
  agent.say({ type: "readings", readings: [...readings] });
  await waitUntil("the readings", () => stage.api.readings.of(agent.node_id).size === readings.length);
};

beforeEach(async () => {
  stage = await makeStage();
  agent = await handAgent(stage, "box1", { devices: CARDS });
});
afterEach(async () => stage.close());

describe("a card", () => {
  test("of which nothing was read has what the books say", async () => {
    const [first, second] = await devices();
    expect(first).toMatchObject({ node: "box1", node_state: "ready", state: "ok", promised: [], reading: null });
    expect(second).toMatchObject({ foreign_bytes: 12 * GIB, foreign: "bob: python (pid 77)", promised_bytes: 0 });
  });
  test("shows what was read of it, and how old that is", async () => {
    await read([reading(CARDS[0]!.id, { memory_used_bytes: 3 * GIB, utilization_percent: 97.5 })]);
    stage.clock += 4_000;
    expect((await shown(0)).reading).toMatchObject({
      age_ms: 4_100,
      stale: false,
      memory_used_bytes: 3 * GIB,
      utilization_percent: 97.5,
      temperature_celsius: 30,
    });
    expect((await shown(1)).reading).toBeNull();
  });
  test("is stale when its agent says so, and when its node is silent", async () => {
    await read([reading(CARDS[0]!.id, { stale: true, age_ms: 90_000 }), reading(CARDS[1]!.id)]);
    expect((await devices()).map((gpu) => gpu.reading?.stale)).toEqual([true, false]);
    agent.hangUp();
    stage.clock += 20_000;
    await stage.api.store.commit("plan", (draft) => {
      const node = draft.state.nodes.get(agent.node_id)!;
      draft.put([{ table: "nodes", key: node.id, row: { ...node, contact: "unreachable" } }]);
    });
    expect((await shown(1)).node_state).toBe("unreachable");
    expect((await shown(1)).reading).toMatchObject({ stale: true, age_ms: 20_100 });
  });
  test("names who holds it: the task that it is promised to, and processes of orch and of others", async () => {
    await stage.call("POST", "/v1/runs", {
      as: "alice",
      body: { name: "train", project: null, job: { run: "sleep 9", resources: { gpu: 1 } }, wait_for_nodes: false },
    });
    await waitUntil("the task", () => stage.api.store.state.tasks.size === 1);
    const [task] = stage.api.store.state.tasks.values().toArray();
    const held = task?.promised.devices[0]?.id ?? "";
    const process = { user: "alice", command: "python train.py", memory_bytes: GIB };
    await read([
      reading(held, {
        processes: [
          { pid: 10, ...process, task_uid: task?.uid ?? null },
          { pid: 11, user: "bob", command: "jupyter", memory_bytes: null, task_uid: null },
          { pid: 12, ...process, task_uid: "ab".repeat(16) },
        ],
      }),
    ]);
    const gpu = (await devices()).find(({ id }) => id === held);
    const short = task?.uid.slice(0, 10) ?? "";
    expect(gpu?.promised).toEqual([
      { task_id: short, task: "1", title: "train (run 1)", user: "alice", memory_bytes: null },
    ]);
    expect([gpu?.promised_bytes, gpu?.task_ids]).toEqual([80 * GIB, [short]]);
    expect(
      gpu?.reading?.processes.map(({ pid, foreign, task: name, task_id }) => [pid, foreign, name, task_id]),
    ).toEqual([
      [10, false, "1", short],
      [11, true, null, null],
      [12, false, null, "ababababab"],
    ]);
  });
  test("leaves no reading behind when its node is forgotten", async () => {
    await read([reading(CARDS[0]!.id)]);
    agent.hangUp();
    await stage.call("POST", "/v1/nodes/box1/forget", { as: "olga", body: { fenced: true } });
    expect(stage.api.readings.of(agent.node_id).size).toBe(0);
    expect(await devices()).toEqual([]);
  });
  test("that is in trouble says since when", async () => {
    stage.clock += 5_000;
    const dirty = card(0, { state: "dirty", reason: "pid 4711 still holds memory" });
    agent.hangUp();
    agent = await reconnected(stage, agent, { devices: [dirty, CARDS[1]!] });
    expect(await shown(0)).toMatchObject({ state: "dirty", reason: dirty.reason, state_ms: stage.clock });
    stage.clock += 60_000;
    expect((await shown(0)).state_ms).toBe(stage.clock - 60_000);
  });
});

describe("one card", () => {
  const get = async (ref: string): Promise<[number, unknown]> => {
    const { status, body } = await stage.call("GET", `/v1/devices/${ref}`);
    return [status, status === 200 ? body["id"] : body.error?.code];
  };
  test.each([CARDS[0]!.id, "GPU-0a2b", "0a2b3c4d", "gpu-0A2B"])("is found as %s", async (ref) => {
    expect(await get(ref)).toEqual([200, CARDS[0]!.id]);
  });
  test("is not guessed", async () => {
    expect(await get("0a2")).toEqual([404, "not_found"]);
    expect(await get("ffff")).toEqual([404, "not_found"]);
    agent.say({ type: "facts", machine: { ...machineWith([...CARDS, { ...card(0), id: "GPU-0a2b9999" }]) } });
    await waitUntil("three cards", async () => (await devices()).length === 3);
    expect(await get("0a2b")).toEqual([409, "conflict"]);
  });
});

const machineWith = (cards: readonly Device[]) => {
  const node = stage.api.store.state.nodes.get(agent.node_id)!;
  const { fingerprint, boot_id, agent_version, facts, capacity, pool, labels, taints } = node;
  return {
    fingerprint,
    boot_id,
    agent_version,
    facts,
    pool,
    labels,
    taints: [...taints],
    devices: [...cards],
    capacity: { ...capacity, countables: {} },
  };
};
