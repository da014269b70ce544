// Idle cards as the server sees them: counted from readings, forgotten at any doubt, and what comes of it in the end.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { PLAIN_DEVICE, type Device, type Reading } from "../../../src/core/model/device";
import type { RunRow } from "../../../src/core/model/rows-work";
import type { TaskRow } from "../../../src/core/model/rows-task";
import { GIB } from "../../../src/core/units";
import { handAgent, type HandAgent } from "../hand-agent";
import { makeStage, type Stage } from "../stage";
import { waitUntil } from "../../support/wait";

let stage: Stage;
let agent: HandAgent;
const CARD: Device = { ...PLAIN_DEVICE, id: "GPU-1", vendor: "nvidia", model: "A100", memory_bytes: 80 * GIB };

beforeEach(async () => {
  stage = await makeStage();
  agent = await handAgent(stage, "box1", { devices: [CARD] });
});
afterEach(async () => stage.close());

const tasks = (): TaskRow[] => stage.api.store.state.tasks.values().toArray();
const run = (number: number): RunRow | undefined =>
  stage.api.store.state.runs.values().find((one) => one.run === number) ?? undefined;

let told = 0;

/** What the card shows now, with a heartbeat. */
async function show(utilization_percent: number | null, stale = false): Promise<void> {
  const reading: Reading = {
    id: CARD.id,
    age_ms: 0,
    stale,
    memory_used_bytes: 0,
    utilization_percent,
    temperature_celsius: null,
    power_watts: null,
    // Rises, so that the one that is waited for is known.
    clock_mhz: ++told,
    throttled: null,
    ecc_errors: null,
    processes: [],
  };
  agent.heartbeat();
  agent.say({ type: "readings", readings: [reading] });
  await waitUntil("the reading", () => stage.api.readings.of(agent.node_id).get(CARD.id)?.clock_mhz === told);
}

async function showFor(ms: number, utilization_percent: number | null, stale = false): Promise<void> {
  for (let passed = 0; passed < ms; passed += 5_000) {
    await show(utilization_percent, stale);
    stage.clock += 5_000;
  }
  await show(utilization_percent, stale);
  await stage.planned();
}

/** Tasks of this app run, as their agent tells. */
async function runAll(app: string): Promise<void> {
  await waitUntil("the task", () => tasks().some((task) => task.app === app));
  agent.report(
    tasks().map(({ uid, attempt }) => ({
      uid,
      name: "x",
      identity: null,
      grant_until: attempt,
      held: null,
      exclusive: false,
      unix_user: null,
      reported: { state: "running", pid: 7, started_age_ms: 0 },
    })),
  );
  await waitUntil("it to run", () => tasks().every(({ observed }) => observed.state === "running"));
}

const apply = async (text: string): Promise<void> => {
  const app = /^app: (\w+)/.exec(text)?.[1] ?? "";
  const answer = await stage.call("PUT", `/v1/apps/lab/${app}`, {
    as: "alice",
    body: { text, file: "f", revision: null },
  });
  expect(answer.body.error).toBeUndefined();
};
const lazy = (idle: string): Promise<void> =>
  apply(`app: lazy\njobs:\n  train: { run: sleep 9, resources: { gpu: 1 }, idle: { ${idle} } }\n`).then(() =>
    runAll("lazy"),
  );
const wait = (): Promise<unknown> =>
  stage.call("POST", "/v1/runs", {
    as: "bob",
    body: { name: "wants", project: null, job: { run: "true", resources: { gpu: 1 } }, wait_for_nodes: false },
  });
const ordered = (): string | null => tasks().find((task) => task.app === "lazy")?.stop?.why ?? null;

describe("the card of a run", () => {
  test("that is idle for long enough is given back once somebody waits for one", async () => {
    await lazy("for: 1m, then: stop");
    await showFor(90_000, 2);
    expect(ordered()).toBeNull();
    await wait();
    await stage.planned();
    expect(ordered()).toBe("its GPU was below 5 % for 1m, and wants (run 2) waits for a card");
    expect(run(1)).toMatchObject({ state: "running", cancel: { by: "idle reclaim" } });
  });
  const DOUBTS: readonly (readonly [what: string, doubt: () => Promise<void>])[] = [
    ["it is used for a moment", async () => show(50)],
    ["it cannot be read", async () => show(null)],
    ["its reading is stale", async () => show(1, true)],
    ["nothing is heard of it for a while", async () => void (stage.clock += 25_000)],
  ];
  test.each(DOUBTS)("counts anew when %s", async (_what, doubt) => {
    await lazy("for: 1m, then: stop");
    await wait();
    await showFor(45_000, 2);
    await doubt();
    await showFor(45_000, 2);
    expect(ordered()).toBeNull();
    await showFor(30_000, 2);
    expect(ordered()).not.toBeNull();
  });
  test("is only told of where that is asked for, once", async () => {
    await lazy("for: 1m, only_if_wanted: false");
    await showFor(120_000, 2);
    expect(ordered()).toBeNull();
    const events = async () =>
      ((await stage.call("GET", "/v1/events?object=lazy.train.0")).body["events"] as { verb: string; detail: string }[])
        .filter(({ verb }) => verb === "idle")
        .map(({ detail }) => detail);
    expect(await events()).toEqual(["its GPU was below 5 % for 1m"]);
    await show(80);
    await showFor(70_000, 2);
    expect((await events()).length).toBe(2);
  });
  test("is kept by who did not ask for any of this", async () => {
    await apply("app: lazy\njobs:\n  train: { run: sleep 9, resources: { gpu: 1 } }\n");
    await runAll("lazy");
    await wait();
    await showFor(300_000, 0);
    expect(ordered()).toBeNull();
  });
});

describe("a replica that gave its card back", () => {
  async function giveBack(): Promise<void> {
    await apply(
      "app: lazy\nservices:\n  api: { run: sleep 9, resources: { gpu: 1 }, idle: { for: 1m, then: stop } }\n",
    );
    await runAll("lazy");
    await wait();
    await showFor(70_000, 1);
    const [task] = tasks();
    expect(task?.stop).toMatchObject({ idle: true });
    agent.report([
      {
        uid: task?.uid ?? "",
        name: "x",
        identity: null,
        grant_until: task?.attempt ?? 0,
        held: null,
        exclusive: false,
        unix_user: null,
        reported: {
          state: "stopped",
          started_age_ms: 1_000,
          finished_age_ms: 0,
          exit_code: 0,
          signal: null,
          reason: task?.stop?.why ?? null,
          peak_memory_bytes: null,
          tail: null,
          next: null,
        },
      },
    ]);
    await waitUntil("its successor on the card", () => tasks().some(({ app }) => app === null));
    await stage.planned();
  }
  const shown = async () => (await stage.call("GET", "/v1/tasks/lazy.api.0", { as: "alice" })).body;
  const post = (verb: string, body?: object) =>
    stage.call("POST", `/v1/workloads/lab/lazy/api/${verb}`, { as: "alice", ...(body === undefined ? {} : { body }) });
  const isWanted = () => stage.api.loop.blocked().some(({ name, nodes }) => name === "lazy.api.0" && nodes.length > 0);

  test("waits with the reason until somebody asks for it", async () => {
    await giveBack();
    expect(await shown()).toMatchObject({ state: "pending", reason: expect.stringContaining("its GPU was below 5 %") });
    expect(isWanted()).toBe(false);
  });
  test.each([
    ["a restart", async () => post("restart")],
    ["a scale", async () => post("scale", { replicas: 1 })],
    [
      "another apply",
      async () =>
        apply("app: lazy\nservices:\n  api: { run: sleep 9, resources: { gpu: 1 }, idle: { for: 1m, then: stop } }\n"),
    ],
  ])("is wanted again after %s", async (_what, ask) => {
    await giveBack();
    await ask();
    await stage.planned();
    expect(isWanted()).toBe(true);
  });
});
