// An array that is over, as people ask for it: its elements by name, by state and by page, and the output of each.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { freshArray } from "../../../src/core/model/array";
import { pageWith } from "../../../src/core/model/pages";
import { buildFinal, buildRun, buildSpec, buildTask, uidOf } from "../../support/build";
import { NO_LAWS } from "../../support/moment";
import { handAgent, type HandAgent } from "../hand-agent";
import { makeStage, type Answer, type Stage } from "../stage";

let stage: Stage;
let agent: HandAgent;
beforeEach(async () => {
  // The rows of the array are written here without what leads to them.
  stage = await makeStage({ laws: NO_LAWS });
  agent = await handAgent(stage, "n1");
  await endedArray();
});
afterEach(async () => stage.close());

const uids = [1, 2, 3].map((n) => uidOf(`batch ${n}`));

/** Run 12 has elements 10 to 19. Number 13 failed twice, so that it was in the first and the third batch. */
async function endedArray(): Promise<void> {
  await stage.api.store.commit("test", (draft) => {
    const array = { ...freshArray({ first: 10, last: 19, step: 1, limit: null }), round: 2, succeeded: 7, failed: 3 };
    const run = buildRun(12, draft.putSpec(buildSpec()), { state: "failed", name: "sweep", array, finished_ms: 1 });
    const states = ["0", "0", "0", "3#2", "0", "KILL", "0", "lost", "0", "0"];
    const rounds = [1, 1, 2];
    const parts = [[[0, 4]], [[5, 9]], [[3, 3]]] as const;
    draft.put([
      { table: "ended_runs", key: run.uid, row: run },
      { table: "ended_elements", key: `${run.uid}/0`, row: pageWith(run.uid, 0, states) },
      ...uids.map((uid, n) => {
        const batch = { parts: parts[n]!, round: rounds[n]!, places: 2, told: 5, label: String(n) };
        const observed = buildFinal({ state: n === 1 ? "rejected" : "succeeded" });
        const row = {
          ...buildTask(run, n === 1 ? "elsewhere" : agent.node_id, { attempt: n + 1, batch, observed }),
          uid,
        };
        return { table: "ended_tasks", key: uid, row } as const;
      }),
    ]);
  });
}

const get = (path: string): Promise<Answer> => stage.call("GET", path, { as: "alice" });
const elements = async (query: string): Promise<unknown> => {
  const { body } = await get(`/v1/runs/12/elements?${query}`);
  return [(body["elements"] as { slot: number }[]).map(({ slot }) => slot), body["next"]];
};

test("its elements are listed by state, page by page, or one by its number", async () => {
  expect(await elements("state=failed")).toEqual([[13, 15, 17], null]);
  expect(await elements("state=failed&limit=2")).toEqual([[13, 15], "after-5"]);
  expect(await elements("state=failed&limit=2&next=after-5")).toEqual([[17], null]);
  expect(await elements("limit=4&next=after-7")).toEqual([[18, 19], null]);
  expect((await get("/v1/runs/12/elements?slot=15")).body["elements"]).toEqual([
    { slot: 15, state: "failed", exit_code: null, signal: "KILL", cause: null, attempts: 1 },
  ]);
  const { status, body } = await get("/v1/runs/12/elements?slot=20");
  expect([status, body.error?.message]).toEqual([404, "run 12 has no element 20: they are 10-19"]);
  const run = (await get("/v1/runs/12")).body;
  expect(run["nodes"]).toEqual(["elsewhere", "n1"]);
  expect(run["array"]).toEqual({
    elements: "10-19",
    total: 10,
    succeeded: 7,
    failed: 3,
    stopped: 0,
    unknown: 0,
    again: 0,
    running: 0,
  });
});

test("an element is named by its run and its number", async () => {
  const named = (await get("/v1/names/12_13")).body["names"];
  expect(named).toMatchObject([{ kind: "task", name: "12_13", run: 12, slot: 13, array: true, task_id: null }]);
  for (const ref of ["12_9", "12_20", "12_13.1"])
    expect((await get(`/v1/names/${ref}`)).body.error?.message).toBe(`there is no ${ref}: its elements are 10-19`);
  const batch = async (ref: string): Promise<unknown> => (await get(`/v1/tasks/${ref}`)).body["id"];
  expect(await batch("12_13")).toBe(uids[2]!.slice(0, 10));
  expect(await batch("12_13%231")).toBe(uids[0]!.slice(0, 10));
  expect(await batch("12_12")).toBe(uids[0]!.slice(0, 10));
  const { tasks } = (await get("/v1/tasks?of=12_13&all=true")).body as { tasks?: { id: string }[] };
  expect(tasks?.map(({ id }) => id).toSorted()).toEqual([uids[0]!, uids[2]!].map((uid) => uid.slice(0, 10)).toSorted());
});

test("its output is asked for at the node of its newest batch, by its number", async () => {
  for (const [n, [query, uid]] of [
    ["", uids[2]],
    ["?attempt=1", uids[0]],
  ].entries()) {
    const answer = stage.call("GET", `/v1/tasks/12_13/logs${query}`, { as: "alice" });
    const { what, stream } = await agent.told("open", n + 1);
    expect(what).toMatchObject({ uid, element: 13 });
    agent.send(stream, "thirteen\n");
    agent.say({ type: "end", stream, error: null });
    expect((await answer).headers.get("x-orch-task")).toBe("12_13");
  }
});

test("what changes a run takes no part of an array for it", async () => {
  for (const ref of ["12_13", uids[0]!])
    for (const [change, body] of [
      ["cancel", {}],
      ["retry", undefined],
      ["settle", { as: "failed" }],
    ] as const) {
      const answer = await stage.call("POST", `/v1/runs/${ref}/${change}`, { as: "alice", body });
      expect([answer.status, answer.body.error?.message]).toEqual([409, `${ref} is a part of run 12`]);
    }
});

test("what was promised is said of one element, not of all places of a batch", async () => {
  const { body } = await get("/v1/runs/12");
  const row = stage.api.store.history.task(uids[2]!)!;
  const { cpu_milli, memory_bytes } = row.promised;
  expect(cpu_milli).toBeGreaterThan(0);
  expect(body["request"]).toMatchObject({ cpu_milli: cpu_milli / 2, memory_bytes: memory_bytes / 2 });
});

test("an element is nothing that a run comes after", async () => {
  const body = { name: null, project: null, wait_for_nodes: true, job: { run: "x", after_any: ["12_13"] } };
  const answer = await stage.call("POST", "/v1/runs", { as: "alice", body });
  expect([answer.body.error?.message, answer.body.error?.hint]).toEqual([
    "12_13 is an element of run 12, not a run or workload",
    "The whole run is 12",
  ]);
});

test("explain says how it ended, not how its batch did", async () => {
  const { status, body } = await get("/v1/explain/12_13");
  expect([status, body.error?.message, body.error?.hint]).toEqual([
    409,
    "12_13 is over: failed: exit 3",
    "orch show 12_13 says how it ended, orch logs 12_13 what it printed",
  ]);
});

test("each command refuses an attempt that an element never had", async () => {
  for (const path of [
    "/v1/names/12_13%239",
    "/v1/tasks/12_13%239",
    "/v1/explain/12_13%239",
    "/v1/tasks/12_13%239/logs",
  ]) {
    const { status, body } = await get(path);
    expect([status, body.error?.message, body.error?.hint]).toEqual([
      404,
      "there is no attempt 9 of 12_13: it has had 2",
      "orch show 12_13 says how the last one ended",
    ]);
  }
  expect((await get("/v1/names/12_12%232")).body.error?.message).toBe("there is no attempt 2 of 12_12: it has had 1");
  expect((await get("/v1/names/12_13%230")).status).toBe(404);
});

test("an earlier attempt of an element has no end that is known, and is not told as the last one", async () => {
  const earlier = (await get("/v1/explain/12_13%231")).body.error;
  expect([earlier?.message, earlier?.hint]).toEqual([
    "attempt 1 of 12_13 has not succeeded, and was followed by attempt 2; how it ended is not kept, only how the " +
      "last one did",
    "orch logs 12_13#1 shows what it printed, orch show 12_13 the last one",
  ]);
  expect((await get("/v1/explain/12_13%232")).body.error?.message).toBe("12_13#2 is over: failed: exit 3");
});
