// What is explained of a workload and of a task: all that waits, and the task that is there.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { heardNode } from "../hand-agent";
import { makeStage, type Stage } from "../stage";

let stage: Stage;
beforeEach(async () => {
  stage = await makeStage();
  await heardNode(stage, "box1");
});
afterEach(async () => stage.close());

async function apply(memory: string): Promise<void> {
  const text = `app: web\nservices:\n  api: { run: x, replicas: 2, resources: { memory: ${memory} } }\n`;
  const body = { text, file: "f", revision: null };
  expect((await stage.call("PUT", "/v1/apps/lab/web", { as: "alice", body })).status).toBe(200);
  await stage.planned();
}
const explained = async (ref: string): Promise<object> =>
  (await stage.call("GET", `/v1/explain/${ref}`, { as: "alice" })).body;

test("a workload is explained with all its slots that wait, and a slot by itself", async () => {
  await apply("900GiB");
  expect(await explained("web.api")).toMatchObject({
    name: "web.api.0",
    others: [{ name: "web.api.1", kind: "unsatisfiable" }],
  });
  expect(await explained("web.api.1")).toMatchObject({ name: "web.api.1", others: [] });
});

test("what is placed names the task that is there", async () => {
  await apply("1GiB");
  const tasks = stage.api.store.state.tasks.values().toArray();
  for (const { uid, slot } of tasks)
    expect(await explained(`web.api.${slot}`)).toMatchObject({ placed: { task_id: uid.slice(0, 10), node: "box1" } });
  expect(tasks).toHaveLength(2);
});
