// What the server's loop does when a pass cannot be committed.

import { expect, test } from "bun:test";
import type { Law } from "../../src/core/laws/law";
import { heardNode } from "./hand-agent";
import { makeStage } from "./stage";

const TABOO: Law = {
  name: "taboo",
  says: "nothing is placed on box1",
  broken: ({ sample, after }) =>
    sample.flatMap((task) => (after.nodes.get(task.node_id)?.name === "box1" ? [task.uid] : [])),
  nodes: ({ after }) =>
    after.nodes
      .values()
      .filter(({ name }) => name === "box1")
      .map(({ id }) => id)
      .toArray(),
};

test("a law that is broken on one node leaves that node out, and the rest of the cluster goes on", async () => {
  const said: string[] = [];
  const stage = await makeStage({
    laws: { list: [TABOO], thorough: false },
    leftOut: (why) => void said.push(why),
  });
  await heardNode(stage, "box1");
  const run = (host: string) => {
    const job = { run: "true", user: "bob", place: { hosts: [host] } };
    return stage.call("POST", "/v1/runs", {
      as: "bob",
      body: { job, name: null, project: null, wait_for_nodes: true },
    });
  };
  expect((await run("box1")).status).toBe(200);
  await stage.planned();
  expect(said).toEqual([expect.stringContaining("nothing is placed on box1 until the server restarts")]);
  expect(said[0]).toContain("law taboo is broken by plan");
  await heardNode(stage, "box2");
  expect((await run("box2")).status).toBe(200);
  await stage.planned();
  const { tasks, nodes } = stage.api.store.state;
  expect([...tasks.values()].map(({ node_id }) => nodes.get(node_id)?.name)).toEqual(["box2"]);
  expect(stage.api.loop.blocked()).toMatchObject([{ nodes: [{ node: "box1", checks: [{ check: "state" }] }, {}] }]);
  expect(stage.api.loop.notices()[0]).toBe(said[0]!);
  await stage.close();
});

test("a run is placed by the commit that makes it, and its answer says where", async () => {
  const stage = await makeStage();
  await heardNode(stage, "box1");
  await stage.planned();
  const { store } = stage.api;
  const before = store.state.cluster.revision;
  const job = { run: "true" };
  const ask = { as: "bob", body: { job, name: null, project: null, wait_for_nodes: false } };
  const { body } = await stage.call("POST", "/v1/runs", ask);
  expect(body).toMatchObject({ run: 1, state: "queued", nodes: ["box1"] });
  expect([...store.state.tasks.values()].map(({ run }) => run)).toEqual([1]);
  expect(store.state.cluster.revision).toBe(before + 1);
  await stage.close();
});

test("what a pass has said of a version is not said of the next one", async () => {
  const stage = await makeStage();
  await heardNode(stage, "box1");
  const put = (memory: string): Promise<unknown> => {
    const text = `app: web\nservices:\n  api: { run: x, resources: { memory: ${memory} } }\n`;
    return stage.call("PUT", "/v1/apps/lab/web", { as: "alice", body: { text, file: "f", revision: null } });
  };
  await put("900GiB");
  await stage.planned();
  expect(stage.api.loop.blocked()).toHaveLength(1);
  const changed = new Promise<number>((resolve) => {
    const { store, loop } = stage.api;
    store.onCommit(() => resolve(loop.blocked().length));
  });
  await put("1GiB");
  expect(await changed).toBe(0);
  await stage.close();
});
