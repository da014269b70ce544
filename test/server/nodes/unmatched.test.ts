// Who says which tasks stay on a node that they no longer match: the answer to the change, the node, and the plan.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { waitUntil } from "../../support/wait";
import { heardNode } from "../hand-agent";
import { makeStage, type Stage } from "../stage";

let stage: Stage;
beforeEach(async () => {
  stage = await makeStage();
});
afterEach(async () => stage.close());

const TEXT = `app: a
services:
  w: { run: x, user: alice, replicas: 2, place: { labels: { zone: a } } }
daemons:
  d: { run: x, user: alice, place: { labels: { zone: a } } }
`;

test("a label that changes stops nothing, and what stays is said", async () => {
  await heardNode(stage, "box1", { labels: { zone: "a" } });
  const body = { text: TEXT, file: "f", revision: null };
  expect((await stage.call("PUT", "/v1/apps/lab/a", { as: "alice", body })).status).toBe(200);
  await stage.planned();
  const { tasks } = stage.api.store.state;
  await waitUntil("the tasks", () => tasks.size === 3);
  const node = (await stage.call("GET", "/v1/nodes/box1")).body;
  expect(node["unmatched"]).toEqual([]);
  const names = [...tasks.values()].find(({ kind }) => kind === "daemon")!;
  const all = [`a.d.${names.slot}`, "a.w.0", "a.w.1"];
  const labelled = await stage.call("POST", "/v1/nodes/box1/label", { body: { set: { zone: "b" }, remove: [] } });
  expect(labelled.body["unmatched"]).toEqual(all);
  await stage.planned();
  expect([...tasks.values()].map(({ desired }) => desired)).toEqual(["run", "run", "run"]);
  expect((await stage.call("GET", "/v1/nodes/box1")).body["unmatched"]).toEqual(all);
  const shown = await stage.call("POST", "/v1/plan", { as: "alice", body });
  expect(shown.body["notices"]).toEqual([`box1 no longer matches ${all.join(", ")}: what runs there stays to its end`]);
  expect(shown.body["ops"]).toEqual([]);
});

test("a taint that moves work away says what leaves and that nothing stays, and is shown with its effect", async () => {
  await heardNode(stage, "box1", { labels: { zone: "a" } });
  const body = { text: TEXT, file: "f", revision: null };
  expect((await stage.call("PUT", "/v1/apps/lab/a", { as: "alice", body })).status).toBe(200);
  await stage.planned();
  const taint = { key: "x", value: "", effect: "no_execute" };
  const tainted = await stage.call("POST", "/v1/nodes/box1/taint", { body: { set: [taint], remove: [] } });
  const names = [...stage.api.store.state.tasks.values()].map(({ workload, slot }) => `a.${workload}.${slot}`);
  expect(tainted.body).toMatchObject({ taints: [taint], unmatched: [], repelled: names.sort() });
  await stage.planned();
  const daemon = [...stage.api.store.state.tasks.values()].find(({ kind }) => kind === "daemon");
  expect(daemon).toMatchObject({ desired: "stop", stop: { why: "box1 is tainted x:no_execute" } });
});

test("a replica that a taint moves away has its successor on another node before it goes", async () => {
  await heardNode(stage, "box1");
  const text = "app: a\nservices:\n  w: { run: x, user: alice }\n";
  const body = { text, file: "f", revision: null };
  expect((await stage.call("PUT", "/v1/apps/lab/a", { as: "alice", body })).status).toBe(200);
  await stage.planned();
  const { tasks } = stage.api.store.state;
  const first = await waitUntil("the first", () => tasks.values().next().value ?? null);
  const box2 = await heardNode(stage, "box2");
  const taint = { key: "x", value: "", effect: "no_execute" };
  await stage.call("POST", "/v1/nodes/box1/taint", { body: { set: [taint], remove: [] } });
  const next = await waitUntil("its successor", () => tasks.values().find(({ attempt }) => attempt > 1) ?? null);
  expect([tasks.get(first.uid)?.desired, next.node_id]).toEqual(["run", box2]);
});
