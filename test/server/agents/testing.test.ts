// Orders to test a node and their answers, message by message: who is asked when, what counts, and what is said.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { PLAIN_DEVICE, type Device } from "../../../src/core/model/device";
import type { NodeRow } from "../../../src/core/model/rows-node";
import { GIB } from "../../../src/core/units";
import type { Machine } from "../../../src/wire/agent";
import { reportOf } from "../../support/reports";
import { waitUntil } from "../../support/wait";
import { resultOf } from "../hand-agent";
import { joinWithKey, Recorder, type Known } from "../recorder";
import { machineOf, makeStage, type Stage, type StageOptions } from "../stage";

let stage: Stage;
let known: Known;

async function setUp(options: StageOptions = {}): Promise<void> {
  stage = await makeStage(options);
  known = await joinWithKey(stage, "n1");
}
beforeEach(async () => setUp());
afterEach(async () => stage.close());

const node = (): NodeRow => stage.api.store.state.nodes.get(known.credential.node_id)!;
const facts = (part: Partial<Machine["facts"]>): Partial<Machine> => ({ facts: { ...machineOf("n1").facts, ...part } });
const dial = async (instance = "a", machine: Partial<Machine> = {}): Promise<Recorder> => {
  const agent = Recorder.dial(stage, known);
  await agent.live(instance, [], machine);
  return agent;
};
const admitted = (admission: NodeRow["admission"]): Promise<unknown> =>
  waitUntil(`n1 to be ${admission}`, () => node().admission === admission);
const run = async (): Promise<void> => {
  const body = { name: "once", project: null, job: { run: "true" }, wait_for_nodes: true };
  expect((await stage.call("POST", "/v1/runs", { as: "alice", body })).status).toBe(200);
};
const whyWaiting = async (): Promise<string> => {
  const { body } = await stage.call("GET", "/v1/explain/1", { as: "alice" });
  return (body as unknown as { nodes: { checks: { detail: string }[] }[] }).nodes[0]?.checks[0]?.detail ?? "";
};
const card = (id: string, driver: string | null = "550.54"): Device => ({
  ...PLAIN_DEVICE,
  id,
  vendor: "nvidia",
  model: "A100",
  memory_bytes: 80 * GIB,
  driver,
});

describe("a node that joins", () => {
  test("is tested before it gets work, and says so to whoever waits", async () => {
    await run();
    const agent = await dial();
    const order = await agent.expect("test");
    expect(node()).toMatchObject({ admission: "testing", testing: { id: order.id, why: "it joined", by: "server" } });
    await stage.planned();
    stage.clock += 3_000;
    await stage.planned();
    expect(await whyWaiting()).toBe("is being tested since 3s");
    agent.tested(order, resultOf("disk_write", { value: 90, unit: "MB/s" }));
    await agent.expect("changes");
    expect(node()).toMatchObject({
      admission: "ready",
      testing: null,
      tests: { id: order.id, verdict: "passed", reason: null, results: [{ name: "disk_write", value: 90 }] },
    });
    expect(stage.api.store.history.nodeTests(node().id, 9)).toEqual([node().tests!]);
  });

  test("and fails is quarantined with the reason, and gets none", async () => {
    await run();
    const agent = await dial();
    const failed = resultOf("disk_write", { verdict: "failed", detail: "disk writes fail" });
    agent.tested(await agent.expect("test"), failed, resultOf("cpu"));
    await admitted("quarantined");
    expect(await whyWaiting()).toBe("is quarantined: disk writes fail");
    const { body } = await stage.call("GET", "/v1/nodes/n1");
    expect(body).toMatchObject({ state: "quarantined", reason: "disk writes fail", testing: null });
    expect(await agent.rest()).toEqual([]);
  });

  test("is not failed by what is only advisory", async () => {
    const agent = await dial();
    const bad = resultOf("gpu GPU-1", { required: false, verdict: "failed", detail: "A100 is missing" });
    agent.tested(await agent.expect("test"), resultOf("cpu"), bad);
    await admitted("ready");
    expect(node().tests?.reason).toBe("GPU-1: A100 is missing");
  });

  test("gets the commands of its pool, which must be answered", async () => {
    await stage.close();
    const test = { argv: ["true"], timeout_ms: 1_000, required: true };
    await setUp({
      node_tests: [
        { ...test, name: "ours", pool: "default" },
        { ...test, name: "all", pool: null },
        { ...test, name: "theirs", pool: "gpu" },
      ],
    });
    const agent = await dial();
    const order = await agent.expect("test");
    expect(order.commands).toEqual([
      { ...test, name: "ours" },
      { ...test, name: "all" },
    ]);
    agent.tested(order, resultOf("cpu"), resultOf("ours"));
    await admitted("quarantined");
    expect(node().tests?.reason).toBe("all: its agent gave no result");
  });
});

describe("a result", () => {
  test("that answers another order is dropped", async () => {
    const agent = await dial();
    const order = await agent.expect("test");
    agent.tested({ id: "0".repeat(32) });
    expect(await agent.rest()).toEqual([]);
    expect(node()).toMatchObject({ admission: "testing", testing: { id: order.id } });
  });

  test("that comes twice is judged once", async () => {
    const agent = await dial();
    const order = await agent.expect("test");
    agent.tested(order);
    agent.tested(order, resultOf("cpu", { verdict: "failed" }));
    await admitted("ready");
    await agent.rest();
    expect(node()).toMatchObject({ admission: "ready", tests: { verdict: "passed" } });
  });
});

describe("a machine that is slower than its twins", () => {
  const passes = async (name: string, megabytes: number): Promise<void> => {
    const one = await joinWithKey(stage, name);
    const agent = Recorder.dial(stage, one);
    await agent.live("a", [], { boot_id: `boot of ${name}` });
    agent.tested(await agent.expect("test"), resultOf("disk_write", { value: megabytes, unit: "MB/s" }));
    await waitUntil(`${name} to be ready`, () => nodeOf(name)?.admission === "ready");
  };
  const nodeOf = (name: string): NodeRow | undefined =>
    [...stage.api.store.state.nodes.values()].find((row) => row.name === name);

  test("is named with them, also when it was tested first", async () => {
    await passes("slow", 60);
    expect(nodeOf("slow")?.tests?.reason).toBeNull();
    await passes("n2", 100);
    expect(nodeOf("slow")?.tests?.reason).toBe("writes 40 % slower than n2");
    await passes("n3", 104);
    expect(nodeOf("slow")?.tests?.reason).toBe("writes 41 % slower than n2 and n3");
    await passes("later", 58);
    expect(nodeOf("later")?.tests?.reason).toBe("writes 42 % slower than n2 and n3");
    expect(nodeOf("n3")?.tests?.reason).toBeNull();
    const [kept] = stage.api.store.history.nodeTests(nodeOf("slow")!.id, 1);
    expect(kept).toEqual(nodeOf("slow")!.tests!);
  });
});

describe("an operator", () => {
  const post = (path: string, as = "olga") => stage.call("POST", `/v1/nodes/n1/${path}`, { as });
  const quarantine = async (): Promise<Recorder> => {
    const agent = await dial();
    agent.tested(await agent.expect("test"), resultOf("cpu", { verdict: "failed", detail: "core 3 of 8 lies" }));
    await admitted("quarantined");
    return agent;
  };
  const events = (): string[] =>
    stage.api.store.history
      .events({ object: "n1", limit: 20 })
      .map(({ actor, verb, detail }) => `${actor} ${verb}: ${detail}`)
      .toReversed();

  test("has a node tested, whatever it is, and nobody else may", async () => {
    const agent = await dial();
    await agent.pass();
    expect((await post("test", "alice")).status).toBe(403);
    expect((await post("test")).body).toMatchObject({
      state: "testing",
      reason: "being tested: asked for by olga",
      testing: { why: "asked for by olga", by: "olga", step: null },
    });
    await agent.pass();
    expect(node()).toMatchObject({ admission: "ready", tests: { why: "asked for by olga" } });
  });

  test("resumes a quarantined node by its tests", async () => {
    const agent = await quarantine();
    expect((await post("resume")).body).toMatchObject({ state: "testing", testing: { why: "resumed by olga" } });
    await agent.pass();
    expect(events().slice(-3)).toEqual(["olga resumed: ", "olga testing: resumed by olga", "node n1 tested: passed"]);
  });

  test("takes a node without its tests, which is kept with who did", async () => {
    const agent = await quarantine();
    expect((await post("resume?skip_tests=true")).body).toMatchObject({ state: "ready", reason: null, testing: null });
    expect(events().at(-1)).toBe("olga resumed_untested: tests skipped by olga; it was quarantined: core 3 of 8 lies");
    const again = await dial();
    expect([await again.rest(), node().admission]).toEqual([[], "ready"]);
    agent.tested({ id: node().tests?.id ?? "" });
  });

  test("does not wait for tests that are under way", async () => {
    const agent = await dial();
    const order = await agent.expect("test");
    await post("resume?skip_tests=true");
    expect(node()).toMatchObject({ admission: "ready", testing: null, tests: null });
    agent.tested(order, resultOf("cpu", { verdict: "failed" }));
    await agent.rest();
    expect(node().admission).toBe("ready");
    expect((await post("resume?skip_tests=maybe")).status).toBe(400);
  });
});

describe("an order", () => {
  test("is repeated in each session until its result is in", async () => {
    const first = await dial();
    const order = await first.expect("test");
    const second = await dial();
    expect((await second.expect("test")).id).toBe(order.id);
    first.tested(order, resultOf("cpu", { verdict: "failed" }));
    await second.rest();
    expect(node().admission).toBe("testing");
    second.tested(order);
    await admitted("ready");
    const third = await dial();
    expect(await third.rest()).toEqual([]);
  });

  test("that is not answered ends in time, once the agent was heard for that long", async () => {
    await stage.close();
    await setUp({ limits: { test_deadline_ms: 700 } });
    const agent = await dial();
    const order = await agent.expect("test");
    await waitUntil("its deadline", () => {
      stage.clock += 100;
      stage.api.loop.heard(node().id, stage.clock);
      return node().admission === "quarantined";
    });
    expect(node()).toMatchObject({ testing: null, tests: { id: order.id, results: [] } });
    expect(node().tests?.reason).toStartWith("its tests did not end within");
    agent.tested(order);
    await agent.rest();
    expect(node().admission).toBe("quarantined");
  });
});

describe("a node that comes back", () => {
  const cases: readonly (readonly [string, Partial<Machine>, Partial<Machine>, string | null])[] = [
    ["as it was, after a reboot", {}, { boot_id: "boot-2" }, null],
    [
      "with another share and labels",
      {},
      { capacity: { ...machineOf("n1").capacity, cpu_milli: 1 }, labels: { a: "b" } },
      null,
    ],
    ["with another kernel", {}, facts({ kernel: "6.2" }), "the kernel changed from 6.1 to 6.2"],
    ["with another processor", {}, facts({ cpu_model: "new" }), "the processor changed from cpu to new"],
    ["with less memory", {}, facts({ memory_bytes: 16 * GIB }), "the memory changed from 32GiB to 16GiB"],
    ["with a little less memory", {}, facts({ memory_bytes: Math.round(31.8 * GIB) }), null],
    [
      "with another driver",
      { devices: [card("GPU-1")] },
      { devices: [card("GPU-1", "560.35")] },
      "the driver changed from 550.54 to 560.35",
    ],
    ["with a card that is not seen", { devices: [card("GPU-1")] }, { devices: [card("GPU-1", null)] }, null],
    [
      "with a new card",
      { devices: [card("GPU-1")] },
      { devices: [card("GPU-1"), card("GPU-2")] },
      "A100 GPU-2 was added",
    ],
    ["without a card", { devices: [card("GPU-1")] }, { devices: [] }, "A100 GPU-1 is gone"],
  ];
  test.each(cases)("%s", async (_what, before, after, why) => {
    const first = await dial("a", before);
    await first.pass();
    const again = await dial("a", after);
    if (why === null) {
      expect(await again.rest()).toEqual([]);
      expect(node().admission).toBe("ready");
      return;
    }
    await again.expect("test");
    expect(node()).toMatchObject({ admission: "testing", testing: { why } });
  });

  test("keeps what runs there while it is tested again", async () => {
    const first = await dial();
    await first.pass();
    await run();
    await first.expect("changes");
    const [task] = stage.api.store.state.tasks.values();
    const again = Recorder.dial(stage, known);
    await again.live("a", [reportOf(task!, { state: "starting" })], facts({ kernel: "6.2" }));
    await again.expect("test");
    await stage.planned();
    expect([...stage.api.store.state.tasks.values()].map(({ desired }) => desired)).toEqual(["run"]);
  });
});

describe("a node that is connected", () => {
  const says = (agent: Recorder, devices: readonly Device[]): void =>
    agent.say({ type: "facts", machine: machineOf("n1", { devices: [...devices] }) });

  test("is tested again for new cards and another driver, and not for one that is lost and comes back", async () => {
    const agent = await dial("a", { devices: [card("GPU-1")] });
    await agent.pass();
    const missing: Device = { ...card("GPU-1", null), state: "missing", reason: "fell off the bus" };
    says(agent, [missing]);
    says(agent, [card("GPU-1")]);
    expect(await agent.rest()).toEqual([]);
    says(agent, [card("GPU-1"), card("GPU-2")]);
    await agent.pass();
    says(agent, [card("GPU-1", "560.35"), card("GPU-2", "560.35")]);
    await agent.expect("test");
    expect(node().testing?.why).toBe("the driver changed from 550.54 to 560.35");
  });

  test("gets its echoes while it is tested, and no others", async () => {
    const agent = await dial();
    agent.say({ type: "echo", n: 1, data: "x".repeat(64) });
    expect(await agent.expect("test")).toMatchObject({ type: "test" });
    expect(await agent.expect("echo")).toMatchObject({ n: 1, data: "x".repeat(64), wall_ms: stage.clock });
    agent.tested({ id: node().testing?.id ?? "" });
    await admitted("ready");
    agent.say({ type: "echo", n: 2, data: "" });
    expect(await agent.rest()).toEqual([]);
  });
});
