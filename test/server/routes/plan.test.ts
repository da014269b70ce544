// A dry run costs what an apply costs, and holds up nobody else.

import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import { QUOTAS } from "../../../src/core/limits";
import { GIB } from "../../../src/core/units";
import type { Wording } from "../../../src/server/access/wording";
import { opView } from "../../../src/server/views/plan";
import { waitUntil } from "../../support/wait";
import { heardNode } from "../hand-agent";
import { type Answer, makeStage, machineOf, type Stage } from "../stage";

const wording: Wording = (said) => said;

let stage: Stage;
beforeEach(async () => {
  stage = await makeStage();
});
afterEach(async () => stage.close());

const planned = (replicas: number): Promise<Answer> =>
  stage.call("POST", "/v1/plan", {
    as: "alice",
    body: { text: `app: web\nservices:\n  api: { run: x, replicas: ${replicas} }\n`, file: "f", revision: null },
  });

/** Makes room for thousands of replicas, which takes a plan several passes. */
async function largeNode(): Promise<void> {
  const capacity = { cpu_milli: 1_000_000, memory_bytes: 10_000 * GIB };
  await heardNode(stage, "box1", { capacity: { ...machineOf("box1").capacity, ...capacity } });
}

test("others are answered between its passes, and what they change is not in it", async () => {
  await largeNode();
  const order: string[] = [];
  const plan = planned(5_000).then((answer) => {
    order.push("plan");
    return answer;
  });
  const job = { run: "true", user: "bob" };
  for (let n = 0; n < 3; n++) {
    const body = { job, name: null, project: null, wait_for_nodes: true };
    expect((await stage.call("POST", "/v1/runs", { as: "bob", body })).status).toBe(200);
    order.push("run");
  }
  const { body } = await plan;
  expect(order).toEqual(["run", "run", "run", "plan"]);
  const ops = body["ops"] as { readonly op: string; readonly task: string }[];
  expect(ops.filter(({ op }) => op === "place")).toHaveLength(5_000);
  expect(ops.every(({ task }) => task.startsWith("web.api"))).toBe(true);
});

test("one person has a few under way, and the next one is refused", async () => {
  await largeNode();
  const most = QUOTAS.dry_runs.each;
  const answers = await Promise.all(Array.from({ length: most + 1 }, () => planned(3_000)));
  expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([...Array<number>(most).fill(200), 429]);
  expect((await planned(1)).status).toBe(200);
});

test("it is refused where an apply is refused", async () => {
  using _spy = spyOn(stage.api.store, "health").mockReturnValue({ is: "low", why: "the disk is almost full" });
  const { status, body } = await planned(1);
  expect([status, body.error?.message]).toEqual([507, "no new work is taken: the disk is almost full"]);
});

test("each changed key stands by itself, and secrets are left out", async () => {
  await heardNode(stage, "box1");
  const spec = (text: string): { as: string; body: unknown } => ({
    as: "alice",
    body: { text, file: "f", revision: null },
  });
  const project = (await stage.call("GET", "/v1/me", { as: "alice" })).body["project"] as string;
  const first = spec("app: web\nservices:\n  api: { run: x, env: { A: old, KEY: k }, replicas: 1 }\n");
  expect((await stage.call("PUT", `/v1/apps/${project}/web`, first)).status).toBe(200);
  const { body } = await stage.call(
    "POST",
    "/v1/plan",
    spec("app: web\nservices:\n  api: { run: y, env: { A: new, KEY: l }, replicas: 2, resources: { gpu: 1 } }\n"),
  );
  expect(body["changes"]).toMatchObject([
    {
      version: 2,
      fields: [
        { key: "run", before: "x", after: "y", acts: "new_version" },
        { key: "env.A", before: "old", after: "new", hidden: false },
        { key: "env.KEY", before: "", after: "", hidden: true },
        { key: "resources.gpu", before: null, after: "1" },
        { key: "replicas", before: "1", after: "2", acts: "now" },
      ],
    },
  ]);
});

test("an operation says whose it is", async () => {
  await heardNode(stage, "box1");
  const { body } = await planned(1);
  expect(body["ops"]).toMatchObject([{ op: "place", task: "web.api.0", own: true, project: "lab" }]);
  const text = "app: web\nservices:\n  api: { run: x }\n";
  await stage.call("PUT", "/v1/apps/lab/web", { as: "alice", body: { text, file: "f", revision: null } });
  const task = await waitUntil("a task", () => stage.api.store.state.tasks.values().next().value);
  const op = { op: "write_off", task, why: "it is silent" } as const;
  const own = (uids: readonly string[]): boolean | undefined =>
    opView(op, { state: stage.api.store.state, own: new Set(uids), wording })?.own;
  expect([own([task.owner_uid]), own([])]).toEqual([true, false]);
});

test("a roll-out names the replicas that come later, and nothing of what waits or is new", async () => {
  await heardNode(stage, "box1");
  const asked = (run: string): object => ({
    as: "alice",
    body: { text: `app: web\nservices:\n  api: { run: ${run}, replicas: 3 }\n`, file: "f", revision: null },
  });
  expect((await stage.call("PUT", "/v1/apps/lab/web", asked("x"))).status).toBe(200);
  await stage.planned();
  expect((await stage.call("POST", "/v1/plan", asked("x"))).body["later"]).toEqual([]);
  const { body } = await stage.call("POST", "/v1/plan", asked("y"));
  expect(body["ops"]).toMatchObject([{ op: "place", why: "version 2 replaces 1" }]);
  expect(body["later"]).toEqual(["web.api.1", "web.api.2"]);
});
