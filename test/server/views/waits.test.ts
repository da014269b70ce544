// What something waits for is said once: tasks, the queue, runs and explanations tell the same of each thing, in each
// of its states.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { RunDetail, RunView } from "../../../src/wire/api/runs";
import type { TaskView } from "../../../src/wire/api/tasks";
import type { RunRow, TaskEnd } from "../../../src/core/model/rows-work";
import type { State } from "../../../src/core/model/rows-state";
import type { TaskRow } from "../../../src/core/model/rows-task";
import { HOUSE_LIMITS } from "../../../src/core/limits";
import { DEFAULT_LIMITS } from "../../../src/core/pass/limits";
import { slotKey } from "../../../src/core/model/task";
import { emptySlot } from "../../../src/core/pass/slot";
import type { Wording } from "../../../src/server/access/wording";
import { pendingSlots, taskView } from "../../../src/server/views/task";
import { runReason, shownRunState, waitsIn } from "../../../src/server/views/waits";
import { buildEnd, buildNode, buildRun, buildSlot, buildSpec, buildState, buildTask } from "../../support/build";
import { NO_LAWS } from "../../support/moment";
import { heardNode } from "../hand-agent";
import { makeStage, type Answer, type Stage } from "../stage";

const wording: Wording = (said) => said;

let stage: Stage;
beforeEach(async () => {
  // The ends of attempts are written here without what leads to them.
  stage = await makeStage({ laws: NO_LAWS });
});
afterEach(async () => stage.close());

const get = (path: string, as = "alice"): Promise<Answer> => stage.call("GET", path, { as });
const run = async (job: object, name = "sweep"): Promise<void> => {
  const body = { name, project: null, job: { run: "./one.sh", ...job }, wait_for_nodes: true };
  expect((await stage.call("POST", "/v1/runs", { as: "alice", body })).status).toBe(200);
};

describe("what waits", () => {
  test("is told the same by every view", async () => {
    await heardNode(stage, "box1");
    await run({ resources: { memory: "900GiB" } });
    await run({ after: ["1"] }, "late");
    await stage.planned();
    const runs = (await get("/v1/runs")).body["runs"] as RunView[];
    const tasks = (await get("/v1/tasks?pending=true")).body["tasks"] as TaskView[];
    for (const { run: number, reason } of runs) {
      const task = tasks.find((one) => one.run === number);
      const detail = (await get(`/v1/runs/${number}`)).body as unknown as RunDetail;
      const explained = (await get(`/v1/explain/${number}`)).body;
      expect(reason).not.toBeNull();
      expect([task?.reason, detail.reason, detail.waited_for, explained["summary"]]).toEqual([
        reason,
        reason,
        reason,
        reason,
      ]);
    }
    expect(runs.map(({ state, position }) => [state, position])).toEqual([
      ["queued", null],
      ["waiting", null],
    ]);
  });
  test("and can run on no node has no place in the queue, and is before nobody", async () => {
    await heardNode(stage, "box1");
    await run({ resources: { memory: "900GiB" } }, "never");
    for (const name of ["holds", "waits", "last"]) await run({ resources: { cpu: 8 } }, name);
    await stage.planned();
    const runs = (await get("/v1/runs")).body["runs"] as RunView[];
    expect(runs.map(({ name, position, blocked }) => [name, position, blocked])).toEqual([
      ["holds", null, null],
      ["never", null, "unsatisfiable"],
      ["waits", 1, "queued"],
      ["last", 2, "queued"],
    ]);
    const [never, waits] = (await get("/v1/tasks?pending=true")).body["tasks"] as TaskView[];
    expect([never?.blocked, waits?.blocked]).toEqual(["unsatisfiable", "queued"]);
    const detail = (await get("/v1/runs/never")).body as unknown as RunDetail;
    expect(detail.reason).toStartWith("cannot run on any node: 0 of 1 node fits");
    expect(detail.smallest_change).toContain("memory");
  });
  test("has its place in the queue behind the replicas that are ahead of it", async () => {
    await heardNode(stage, "box1");
    const app = (name: string, settings: string) => ({
      text: `app: ${name}\nservices:\n  api: { run: x, replicas: 4, resources: { cpu: 8 }${settings} }\n`,
      file: "f",
      revision: null,
    });
    await stage.call("PUT", "/v1/apps/other/big", { as: "bob", body: app("big", "") });
    await stage.call("PUT", "/v1/apps/other/low", { as: "bob", body: app("low", ", priority: -1") });
    await stage.planned();
    await run({ resources: { cpu: 1 } });
    await stage.planned();
    const runs = (await get("/v1/runs")).body["runs"] as RunView[];
    expect(runs.map(({ position }) => position)).toEqual([4]);
  });
  test("says how long it still waits when it is asked, not when the plan looked", async () => {
    await run({ resources: { memory: "900GiB" } });
    await stage.planned();
    const [uid] = stage.api.store.state.runs.keys();
    await stage.api.store.commit("test", (draft) => {
      const key = slotKey(uid!, 0);
      const end = buildEnd(buildTask(draft.state.runs.get(uid!)!, "n"));
      const row = { ...emptySlot(uid!, 0), attempts: 1, ends: [end], not_before_ms: draft.now_ms + 9_000 };
      draft.put([{ table: "slots", key, row }]);
    });
    await stage.planned();
    const said = async (): Promise<unknown> => (await get("/v1/explain/1")).body["summary"];
    expect(await said()).toEndWith("; starts again in 9s");
    stage.clock += 4_000;
    expect(await said()).toEndWith("; starts again in 5s");
  });
});

describe("a run", () => {
  const one = buildRun(1, "s", { state: "running", started_ms: 1 });
  const node = buildNode("a");
  const from = (tasks: ReturnType<typeof buildTask>[], waits: boolean, end: Partial<TaskEnd> = {}, failed = 0) => {
    const ends = [buildEnd(buildTask(one, "a"), { state: "succeeded", ...end })];
    const slots = [buildSlot(buildTask(one, "a"), { ends, failed })];
    const state = buildState({ nodes: [node], runs: [one], tasks, slots });
    const blocked = (waits ? [{ owner_uid: one.uid, slot: 0, summary: "waits" }] : []) as never[];
    return {
      state,
      blocked,
      wording,
      waits: waitsIn({
        state,
        blocked,
        now_ms: 0,
        queue: [slotKey(one.uid, 0)],
        spec: () => buildSpec(),
        limits: DEFAULT_LIMITS,
      }),
    };
  };
  test("that has no task and waits for its next attempt is queued again", () => {
    const retried = { ...one, settings: { ...one.settings, retries: 1 } };
    const shown = (run: RunRow, ...of: Parameters<typeof from>): string => shownRunState(run, from(...of).waits);
    const failed = { state: "failed" } as const;
    expect(shown(retried, [], false, failed, 1)).toBe("queued");
    expect(shown(retried, [buildTask(one, "a")], false, failed, 1)).toBe("running");
    // What decides the run is no wait: it has failed too often, has succeeded, is cancelled, or asks a person.
    expect(shown(retried, [], false, failed, 2)).toBe("running");
    expect(shown(retried, [], false)).toBe("running");
    expect(shown({ ...retried, cancel: { at_ms: 1, by: "alice" } }, [], false, failed, 1)).toBe("running");
    expect(shown(retried, [], false, { state: "unknown" })).toBe("running");
  });
  test("whose end nobody knows keeps the words that name the answers", () => {
    const asks = { ...one, reason: "waits for a person; orch retry 1" };
    const { waits } = from([], true);
    expect(runReason(asks, waits, 1, () => null)).toBe("waits for a person; orch retry 1");
    expect(runReason(asks, waits, 0, () => null)).toBe("waits");
  });
  test("has no waiting slot for a member that has succeeded", () => {
    const names = (tasks: ReturnType<typeof buildTask>[], waits: boolean): string[] =>
      [...pendingSlots({ ...from(tasks, waits), spec: () => buildSpec({ members: 2 }) })].map(
        ({ view }) => view().name,
      );
    expect(names([buildTask(one, "a", { member: 1 })], false)).toEqual([]);
    expect(names([], true)).toEqual(["1", "1.1"]);
  });
  test("tells its command, request, environment's names and where it ran, to those who may see it", async () => {
    await heardNode(stage, "box1");
    await run({ env: { LR: "hidden" }, workdir: "/srv", resources: { cpu: 2 } });
    await stage.planned();
    const detail = (await get("/v1/runs/sweep")).body as unknown as RunDetail;
    expect(detail).toMatchObject({
      command: "./one.sh",
      nodes: ["box1"],
      workdir: "/srv",
      env: ["LR"],
      waited_for: null,
      request: { cpu_milli: 2_000, defaults: ["memory_bytes"], nodes: 1 },
      logs: [{ task: "1", node: "box1" }],
    });
    expect(detail.request?.memory_bytes).toBeGreaterThan(0);
    expect(JSON.stringify(detail)).not.toContain("hidden");
    const values = async (as: string): Promise<unknown> => (await get("/v1/runs/1?values=true", as)).body["env_values"];
    expect([detail.env_values, await values("alice"), await values("bob")]).toEqual([null, { LR: "hidden" }, null]);
    const others = (await get("/v1/runs/1", "bob")).body as unknown as RunDetail;
    expect([others.command, others.env, others.workdir, others.logs]).toEqual([null, null, null, []]);
    expect(((await get("/v1/runs")).body["runs"] as RunView[])[0]).toMatchObject({
      command: "./one.sh",
      nodes: ["box1"],
    });
  });
  test("has the whole of its command with its lines, and a list so much of it as is told", async () => {
    const script = `set -e\n  echo ${"long ".repeat(400)}end`;
    await run({ run: script });
    await stage.planned();
    expect((await get("/v1/runs/1")).body["command"]).toBe(script);
    const [first] = (await get("/v1/runs")).body["runs"] as RunView[];
    expect(first?.command).toHaveLength(HOUSE_LIMITS.command_chars);
    expect(first?.command).toStartWith("set -e ⏎ echo long long");
  });
  test("keeps what it waited for before it began", async () => {
    await run({});
    await stage.planned();
    expect((await get("/v1/runs/1")).body["waited_for"]).toBe("cannot run on any node: no node has joined yet");
    stage.clock += 5_000;
    await heardNode(stage, "box1");
    await stage.planned();
    expect((await get("/v1/runs/1")).body).toMatchObject({ state: "running", waited_ms: 5_000 });
    expect((await get("/v1/runs/1")).body["waited_for"]).toStartWith("waits: ");
  });
  test("keeps what it waited for also where it was cancelled before it began", async () => {
    await heardNode(stage, "box1");
    await run({ resources: { memory: "900GiB" } });
    await stage.planned();
    const waited_for = (await get("/v1/runs/1")).body["waited_for"];
    expect(waited_for).toStartWith("cannot run on any node: 0 of 1 node fits");
    await stage.call("POST", "/v1/runs/1/cancel", { as: "alice", body: {} });
    await stage.planned();
    expect((await get("/v1/runs/1")).body).toMatchObject({ state: "cancelled", started_ms: null, waited_for });
  });
});

const seen = (task: TaskRow, state: State): TaskView =>
  taskView(task, { state, now_ms: 9, limits: DEFAULT_LIMITS, wording });

test("a task on a node that is silent, or whose keeper hangs, says so", () => {
  const owner = buildRun(1, "s", { state: "running" });
  const task = buildTask(owner, "a", { observed: { state: "running", pid: 1, started_ms: 5 }, created_ms: 9 });
  const on = (part: object) => buildState({ nodes: [{ ...buildNode("a"), ...part }], runs: [owner], tasks: [task] });
  expect(seen(task, on({})).reason).toBeNull();
  expect(seen(task, on({ contact: "unreachable" })).reason).toBe("a is unreachable: what it does now is not known");
  const facts = { ...buildNode("a").facts, silent: "its keeper does not answer" };
  expect(seen(task, on({ facts })).reason).toBe("on a: its keeper does not answer");
  // The server may hear of an attempt after it began.
  expect(seen(task, on({})).created_ms).toBe(5);
});
