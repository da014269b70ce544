// A run in no app is called by the name that it was given, wherever a person reads of it; the fields that programs
// read keep its number.

import { afterEach, beforeEach, expect, test } from "bun:test";
import type { GpuView } from "../../../src/wire/api/devices";
import type { DrainProgress } from "../../../src/wire/api/drains";
import type { BlockedView } from "../../../src/wire/api/plans";
import type { EventView } from "../../../src/wire/api/watch";
import type { TaskRow } from "../../../src/core/model/rows-task";
import { fullName } from "../../../src/core/model/task";
import { buildDevice, buildRun, buildTask, buildWorkload } from "../../support/build";
import { failedReport } from "../../support/reports";
import { waitUntil } from "../../support/wait";
import { handAgent, type HandAgent } from "../hand-agent";
import { makeStage, type Stage } from "../stage";

let stage: Stage;
let agent: HandAgent;
beforeEach(async () => {
  stage = await makeStage();
  agent = await handAgent(stage, "box1", { devices: [buildDevice("GPU-1")] });
});
afterEach(async () => stage.close());

const get = async <T>(path: string): Promise<T> => (await stage.call("GET", path, { as: "admin" })).body as T;
const run = async (name: string, job: object): Promise<void> => {
  const body = { name, project: null, job: { run: "x", ...job }, wait_for_nodes: true };
  expect((await stage.call("POST", "/v1/runs", { as: "alice", body })).status).toBe(200);
};
const placed = async (): Promise<TaskRow> => {
  await waitUntil("a task", async () => {
    await stage.planned();
    return stage.api.store.state.tasks.size > 0;
  });
  return stage.api.store.state.tasks.values().next().value!;
};
const fail = async (): Promise<void> => {
  const task = await placed();
  agent.report([failedReport(task)]);
  await waitUntil("its end", () => !stage.api.store.state.tasks.has(task.uid));
};

test("a task has one name in sentences", () => {
  const sweep = buildRun(12, "s", { name: "sweep" });
  expect(fullName(buildTask(sweep, "a"))).toBe("sweep (run 12)");
  expect(fullName(buildTask(sweep, "a", { member: 1, attempt: 2 }))).toBe("sweep.1#2 (run 12)");
  expect(fullName(buildTask(buildWorkload("recs", "api", "s"), "a", { attempt: 3 }))).toBe("recs.api.0#3");
});

test("cards, drains, explanations, and what it is held by", async () => {
  await run("sweep", { resources: { gpu: 1 } });
  await placed();
  await run("late", { resources: { gpu: 1 } });
  await stage.planned();
  const { devices } = await get<{ devices: GpuView[] }>("/v1/devices");
  expect(devices[0]?.promised).toMatchObject([{ task: "1", title: "sweep (run 1)" }]);
  const late = await get<BlockedView>("/v1/explain/late");
  expect([late.name, late.title]).toEqual(["2", "late (run 2)"]);
  expect(JSON.stringify(late.nodes)).toContain("sweep (run 1)");
  await stage.call("POST", "/v1/nodes/box1/drain", { as: "olga", body: { deadline_ms: null, reason: null } });
  const { left } = await get<DrainProgress>("/v1/nodes/box1/drain");
  expect(left).toMatchObject([{ name: "1", title: "sweep (run 1)" }]);
});

test("events, also of earlier attempts and of runs that are over", async () => {
  await run("sweep", { retries: 1 });
  await fail();
  await fail();
  await waitUntil("the end of the run", () => stage.api.store.state.runs.size === 0);
  const { events } = await get<{ events: EventView[] }>("/v1/events?object=sweep");
  expect(events.map(({ verb, object, title, run: number }) => [verb, object, title, number]).toReversed()).toEqual([
    ["queued", "1", "sweep (run 1)", 1],
    ["placed", "1", "sweep (run 1)", 1],
    ["failed", "1", "sweep (run 1)", 1],
    ["placed", "1#2", "sweep#2 (run 1)", 1],
    ["failed", "1#2", "sweep#2 (run 1)", 1],
    ["run failed", "1", "sweep (run 1)", 1],
  ]);
});

test("the events of an app's run are its own and its tasks', and not those of another run of the job", async () => {
  const apply = (command: string) =>
    stage.call("PUT", "/v1/apps/lab/recs", {
      as: "alice",
      body: { text: `app: recs\njobs: { train: { run: ${command} } }`, file: "app.yaml", revision: null },
    });
  for (const command of ["one", "two"]) {
    expect((await apply(command)).status).toBe(200);
    await fail();
    await waitUntil("the end of the run", () => stage.api.store.state.runs.size === 0);
  }
  const of = async (ref: string): Promise<string[]> =>
    (await get<{ events: EventView[] }>(`/v1/events?object=${ref}`)).events.map(
      ({ verb, object, run: number }) => `${verb} ${object} ${number}`,
    );
  const first = ["run failed recs.train (run 1) 1", "failed recs.train.0 1", "placed recs.train.0 1"];
  expect(await of("1")).toEqual(first);
  expect(await of("lab/recs.train")).toEqual([...first.map((text) => text.replaceAll("1", "2")), ...first]);
});
