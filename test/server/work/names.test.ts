// One rule says what a typed name means, for every command: a run by its number, by the name that it was given or by a
// task of it; a replica only if there is one; and what nothing has is answered with what was probably meant.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { NameView } from "../../../src/wire/api/names";
import { buildRun, buildSpec } from "../../support/build";
import { NO_LAWS } from "../../support/moment";
import { heardNode } from "../hand-agent";
import { makeStage, type Answer, type Stage } from "../stage";

let stage: Stage;
beforeEach(async () => {
  // The states of runs and tasks are written here without what leads to them.
  stage = await makeStage({ laws: NO_LAWS });
});
afterEach(async () => stage.close());

const apply = (app: string, project = "lab", as = "alice"): Promise<Answer> =>
  stage.call("PUT", `/v1/apps/${project}/${app}`, {
    as,
    body: {
      text: `app: ${app}\nproject: ${project}\nservices:\n  api: { run: sleep 9, replicas: 3 }\n`,
      file: "f",
      revision: null,
    },
  });
const run = (name: string, as = "alice", after: readonly string[] = []): Promise<Answer> =>
  stage.call("POST", "/v1/runs", {
    as,
    body: {
      name,
      project: null,
      job: { run: "sleep 9", ...(after.length > 0 ? { after } : {}) },
      wait_for_nodes: true,
    },
  });
async function meant(ref: string, query = "", as = "alice"): Promise<string> {
  const { status, body } = await stage.call("GET", `/v1/names/${encodeURIComponent(ref)}${query}`, { as });
  if (status !== 200) return `${status} ${body.error?.message} | ${body.error?.hint}`;
  return (body["names"] as NameView[]).map(({ kind, name }) => `${kind} ${name}`).join(", ");
}

test("a part of a run under the run's name, or as lists show a batch, is answered with what to type", async () => {
  await run("sweep");
  expect(await meant("sweep_3")).toBe(
    "404 there is no sweep_3: a part has the number of its run before it | Did you mean 1_3?",
  );
  expect(await meant("sweep_3#2")).toContain("Did you mean 1_3#2?");
  const batch = "Name one of them, 1_4, the whole run, 1, or the batch by its ID, which orch ps shows";
  expect(await meant("sweep_[4-63]")).toBe(`404 sweep_[4-63] are elements of a batch, and no name | ${batch}`);
  expect(await meant("1_[4-63]")).toBe(`404 1_[4-63] are elements of a batch, and no name | ${batch}`);
});

test("nothing that was typed is suggested instead of itself", async () => {
  await heardNode(stage, "box1");
  expect(await meant("box1_300")).not.toContain("Did you mean box1_300?");
});

describe("a name means", () => {
  test("an app, a workload, a replica, a run by number and by name, a task by its id, a node", async () => {
    await heardNode(stage, "box1");
    await apply("recs");
    await run("sweep");
    await stage.planned();
    const task = stage.api.store.state.tasks.values().find((one) => one.run === 1)!;
    expect(await meant("recs")).toBe("app lab/recs");
    expect(await meant("recs.api")).toBe("workload lab/recs.api");
    expect(await meant("lab/recs.api.2")).toBe("task lab/recs.api.2");
    expect(await meant("1")).toBe("run 1");
    expect(await meant("sweep")).toBe("run 1");
    expect(await meant("1_0")).toBe("task 1_0");
    expect(await meant(task.uid.slice(0, 10))).toBe(`task ${task.uid.slice(0, 10)}`);
    expect(await meant("box1")).toBe("node box1");
  });
  test("the run of a task whose id has only digits", async () => {
    await heardNode(stage, "box1");
    await run("sweep");
    await stage.planned();
    const { store } = stage.api;
    const task = store.state.tasks.values().find((one) => one.run === 1)!;
    await store.commit("test", (draft) => {
      const uid = "4821093312".padEnd(32, "0");
      draft.put([
        { table: "tasks", key: task.uid, row: null },
        { table: "tasks", key: uid, row: { ...task, uid } },
      ]);
    });
    expect(await meant("4821093312")).toBe("task 4821093312");
    const { status, body } = await stage.call("POST", "/v1/runs/4821093312/cancel", {
      as: "alice",
      body: { signal: null },
    });
    expect([status, body["run"]]).toEqual([200, 1]);
  });
  test("the newest run of that name when none lives", async () => {
    for (let n = 0; n < 2; n++) {
      await run("sweep");
      await stage.call("POST", `/v1/runs/${n + 1}/cancel`, { as: "alice", body: { signal: null } });
    }
    await stage.planned();
    expect(stage.api.store.state.runs.size).toBe(0);
    expect(await meant("sweep")).toBe("run 2");
    expect((await stage.call("GET", "/v1/runs/sweep", { as: "alice" })).body).toMatchObject({ run: 2 });
  });
  test("one's own run, also one that is over, before a living one of others, in every command", async () => {
    await run("na");
    await stage.call("POST", "/v1/runs/1/cancel", { as: "alice", body: { signal: null } });
    await stage.planned();
    // More of them than a look at the newest of all would reach.
    await stage.api.store.commit("test", (draft) => {
      const spec_hash = draft.putSpec(buildSpec({}));
      for (let n = 0; n < 150; n++) {
        const part = { name: "na", project: "other", user: "bob", state: "succeeded", finished_ms: 1 } as const;
        const row = buildRun(draft.takeRunNumber(), spec_hash, part);
        draft.put([{ table: "ended_runs", key: row.uid, row }]);
      }
    });
    await run("na", "bob");
    expect([await meant("na"), await meant("na", "?own=true")]).toEqual(["run 1", "run 1"]);
    expect([await meant("na", "", "bob"), await meant("na", "?own=true", "bob")]).toEqual(["run 152", "run 152"]);
    expect((await stage.call("GET", "/v1/runs/na", { as: "alice" })).body).toMatchObject({ run: 1 });
    expect((await stage.call("POST", "/v1/runs/na/retry", { as: "alice" })).body).toMatchObject({ retry_of: 1 });
    // Hers lives again. Those of her project come before others', and what nobody has there is another's.
    expect(await meant("na")).toBe("run 153");
    expect(await meant("na", "", "vera")).toBe("run 153");
    expect(await meant("na", "", "olga")).toContain("409 na is run 152 (na, queued, of bob), and run 153");
  });
});

describe("a name that", () => {
  test("an app or a workload had before it was removed says when, by whom, and where its history is", async () => {
    await apply("recs");
    await apply("recs", "other", "bob");
    await stage.call("PUT", "/v1/apps/lab/shop", {
      as: "alice",
      body: {
        text: "app: shop\nproject: lab\nservices: { web: { run: x }, old: { run: x } }\n",
        file: "f",
        revision: null,
      },
    });
    await stage.planned();
    await stage.call("DELETE", "/v1/apps/lab/recs", { as: "alice" });
    await stage.call("PUT", "/v1/apps/lab/shop", {
      as: "alice",
      body: { text: "app: shop\nproject: lab\nservices: { web: { run: x } }\n", file: "f", revision: null },
    });
    await stage.planned();
    const kept = (name: string): string =>
      `What is kept of it: orch events ${name}; its tasks and runs are in orch ps --all and orch runs, their output ` +
      "in orch logs ID or RUN";
    for (const ref of ["recs", "recs.api", "recs.api.0", "lab/recs"]) {
      const said = await meant(ref, "?own=true");
      expect(said).toStartWith("404 recs");
      expect(said).toMatch(/ was removed \d+s ago/);
    }
    expect(await meant("recs", "?own=true")).toBe(`404 recs was removed 0s ago by alice | ${kept("recs")}`);
    expect(await meant("shop.old")).toBe(`404 shop.old was removed 0s ago | ${kept("shop.old")}`);
    // What another project has of the name is meant where its project need not be written.
    expect(await meant("recs")).toBe("app other/recs");
    expect(await meant("lab/recs", "", "bob")).toBe(`404 lab/recs was removed 0s ago by alice | ${kept("lab/recs")}`);
    expect(await meant("recs", "?kinds=node")).not.toContain("removed");
    const { body } = await stage.call("GET", "/v1/events?object=lab/recs", { as: "alice" });
    expect(JSON.stringify(body)).toContain("nothing of it is left");
    await apply("recs");
    expect(await meant("recs")).toBe("app lab/recs");
    expect(await meant("recs.nothing")).not.toContain("removed");
  });
  test("several have is refused with the list, and each by its number is not", async () => {
    await run("sweep");
    await run("sweep");
    const said = await meant("sweep");
    expect(said).toContain("409 sweep is run 1 (sweep, queued, of alice), and run 2 (sweep, queued, of alice)");
    expect(await meant("sweep", "?several=true")).toBe("run 1, run 2");
    expect(await meant("2")).toBe("run 2");
  });
  test("nothing has is answered with what was probably meant", async () => {
    await apply("recs");
    expect(await meant("resc")).toBe(
      "404 there is no run, task, workload, app, node or card called resc | Did you mean recs?",
    );
    expect(await meant("recs.apo.1", "?kinds=task,workload,run")).toContain("Did you mean recs.api.1?");
    expect(await meant("api", "?kinds=workload")).toBe("404 there is no workload called api | Did you mean recs.api?");
    expect(await meant("77", "?kinds=run")).toBe("404 there is no run called 77 | orch runs shows what there is");
  });
  test("is of a replica, a member or an attempt that does not exist is refused", async () => {
    await apply("recs");
    await run("sweep");
    await stage.planned();
    expect(await meant("recs.api.3")).toContain("404 there is no recs.api.3: it has 3, 0 to 2");
    expect(await meant("1.4")).toContain("404 there is no 1.4: its only one is 0");
    expect(await meant("recs.api.0#5")).toContain("404 there is no attempt 5 of recs.api.0");
    for (const path of ["tasks", "explain"])
      expect((await stage.call("GET", `/v1/${path}/recs.api.3`, { as: "alice" })).status).toBe(404);
  });
  test("is of another kind than what is asked for says what it is", async () => {
    await apply("recs");
    expect(await meant("recs", "?kinds=workload")).toBe(
      "404 recs is the app lab/recs, not a workload | Name one of its workloads: recs.api",
    );
  });
  test("another project has too is not found where a change needs its project", async () => {
    await apply("recs", "other", "bob");
    expect(await meant("recs", "?kinds=app")).toBe("app other/recs");
    expect(await meant("recs", "?kinds=app&own=true")).toContain("Did you mean other/recs?");
    await apply("recs", "lab");
    expect(await meant("recs")).toBe("app lab/recs");
    expect(await meant("recs", "", "olga")).toContain("409 recs is the app other/recs, and the app lab/recs");
  });
});

test("a run that comes after one that has failed is refused, and says how it ended", async () => {
  await run("first");
  await stage.api.store.commit("test", (draft) => {
    const row = draft.state.runs.values().find((one) => one.run === 1)!;
    const ended = { ...row, state: "failed", exit_code: 1, started_ms: 1, finished_ms: 2 } as const;
    draft.put([
      { table: "runs", key: row.uid, row: null },
      { table: "ended_runs", key: row.uid, row: ended },
    ]);
  });
  for (const name of ["1", "first"]) {
    const { status, body } = await run("second", "alice", [name]);
    expect([status, body.error?.message]).toEqual([409, `${name} failed, exit 1: nothing can come after it`]);
  }
});
