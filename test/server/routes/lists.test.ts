// Long lists come in pages: what lives first, then what is over, each thing once and none left out.

import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import type { Change } from "../../../src/core/model/rows-state";
import { buildRun, buildSpec, buildTask } from "../../support/build";
import { NO_LAWS } from "../../support/moment";
import { makeStage, type Stage } from "../stage";

let stage: Stage;
beforeEach(async () => {
  stage = await makeStage({ laws: NO_LAWS });
});
afterEach(async () => stage.close());

/** Five runs that live and five that are over, with two ended tasks each. */
async function fill(): Promise<void> {
  for (let n = 1; n <= 10; n++) {
    stage.clock += 1_000;
    await stage.api.store.commit("test", (draft) => {
      const isOver = n <= 5;
      const spec_hash = draft.putSpec(buildSpec({}));
      const run = buildRun(draft.takeRunNumber(), spec_hash, {
        state: isOver ? "succeeded" : "queued",
        finished_ms: isOver ? draft.now_ms : null,
      });
      const ended = [1, 2].map((attempt): Change => {
        const row = buildTask(run, "n1", {
          attempt,
          observed: {
            state: "succeeded",
            started_ms: 1,
            finished_ms: 2,
            exit_code: 0,
            signal: null,
            reason: null,
            peak_memory_bytes: null,
            tail: null,
          },
        });
        return { table: "ended_tasks", key: row.uid, row };
      });
      draft.put([...ended, { table: isOver ? "ended_runs" : "runs", key: run.uid, row: run }]);
    });
  }
}

/** Reads a list to its end and gives what was read, page by page. */
async function pages(path: string, key: string, of: (item: Record<string, unknown>) => unknown): Promise<unknown[][]> {
  const read: unknown[][] = [];
  for (let next: string | null = ""; next !== null;) {
    const address = next === "" ? path : `${path}&next=${next}`;
    const { status, body } = await stage.call("GET", address);
    expect(status).toBe(200);
    read.push((body[key] as Record<string, unknown>[]).map(of));
    next = body["next"] as string | null;
    expect(read.length).toBeLessThan(30);
  }
  return read;
}

const runOf = (item: Record<string, unknown>): unknown => item["run"];

describe("a list in pages", () => {
  test("of living runs says that there are more", async () => {
    await fill();
    expect(await pages("/v1/runs?limit=2", "runs", runOf)).toEqual([[6, 7], [8, 9], [10]]);
  });
  test.each([
    [3, [[10, 9, 8], [7, 6, 5], [4, 3, 2], [1]]],
    [
      5,
      [
        [10, 9, 8, 7, 6],
        [5, 4, 3, 2, 1],
      ],
    ],
    [10, [[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]]],
  ])("of %i runs with those that are over has the newest first", async (limit, expected) => {
    await fill();
    expect(await pages(`/v1/runs?all=true&limit=${limit}`, "runs", runOf)).toEqual(expected);
  });
  test("of tasks reads history to its end", async () => {
    await fill();
    const read = await pages("/v1/tasks?all=true&limit=4", "tasks", ({ run, attempt, state }) =>
      [run, attempt, state].join(" "),
    );
    const all = read.flat();
    expect(read.slice(0, -1).every((one) => one.length === 4)).toBe(true);
    expect(new Set(all).size).toBe(all.length);
    expect(all.filter((name) => String(name).endsWith("succeeded"))).toHaveLength(20);
  });
  test("of one run's tasks begins with the newest", async () => {
    await fill();
    const read = await pages("/v1/runs/3?limit=1", "tasks", ({ attempt }) => attempt);
    expect(read.map((one) => one.length)).toEqual([1, 1]);
    expect(read.flat().toSorted()).toEqual([1, 2]);
  });
  test.each(["/v1/users", "/v1/nodes", "/v1/tokens"])("of %s is whole, or as long as was asked for", async (path) => {
    await stage.join("box1");
    await stage.join("box2");
    const key = path.slice("/v1/".length);
    const whole = (await stage.call("GET", path)).body;
    const read = await pages(`${path}?limit=1`, key, (item) => item["name"] ?? item["id"]);
    expect(whole["next"]).toBeNull();
    expect(read.flat()).toEqual((whole[key] as Record<string, unknown>[]).map((item) => item["name"] ?? item["id"]));
  });
  test.each(["9", "at-x", "after-", "after-zz", "-1"])("does not go on at %p, which it never gave", async (next) => {
    const { status, body } = await stage.call("GET", `/v1/runs?all=true&next=${next}`);
    expect([status, body.error?.code]).toEqual([400, "bad_request"]);
  });
});

test("an old attempt is found by its number, however many came after it", async () => {
  await stage.call("PUT", "/v1/apps/lab/web", {
    as: "alice",
    body: { text: "app: web\nservices: { api: { run: sleep 9 } }\n", file: "f", revision: null },
  });
  const { store } = stage.api;
  const workload = store.state.workloads.values().next().value!;
  for (const [first, last] of [
    [1, 1],
    [2, 600],
    [601, 1_200],
  ] as const) {
    stage.clock += 1_000;
    await store.commit("test", (draft) => {
      for (let n = first; n <= last; n++) {
        const observed = { state: "stopped", started_ms: 1, finished_ms: 2, exit_code: 0, signal: null } as const;
        const row = buildTask(workload, "n1", {
          attempt: n,
          observed: { ...observed, reason: null, peak_memory_bytes: null, tail: null },
        });
        draft.put([{ table: "ended_tasks", key: row.uid, row }]);
      }
    });
  }
  const { body } = await stage.call("GET", "/v1/tasks/web.api.0%231", { as: "alice" });
  expect(body["attempt"]).toBe(1);
});

test("of many members that wait, only those of the page are made into views", async () => {
  const job = { run: "true", nodes: 50 };
  const body = { job, name: null, project: null, wait_for_nodes: true };
  expect((await stage.call("POST", "/v1/runs", { as: "alice", body })).status).toBe(200);
  await stage.planned();
  let said = 0;
  const [blocked] = stage.api.loop.blocked();
  const counted = Object.defineProperty({ ...blocked! }, "summary", { get: () => `waits, said ${++said} times` });
  using _spy = spyOn(stage.api.loop, "blocked").mockReturnValue([counted]);
  const read = await pages("/v1/tasks?limit=20", "tasks", ({ member }) => member);
  expect(read.map((one) => one.length)).toEqual([20, 20, 10]);
  expect(read.flat()).toEqual(Array.from({ length: 50 }, (_, member) => member));
  expect(said).toBe(50);
});
