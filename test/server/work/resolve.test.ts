// What people type means one thing: names are compared part by part, and the beginning of an id that fits two things
// is refused.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Orphan } from "../../../src/core/model/rows-node";
import { heardNode } from "../hand-agent";
import { makeStage, type Answer, type Stage } from "../stage";

let stage: Stage;
beforeEach(async () => {
  stage = await makeStage();
});
afterEach(async () => stage.close());

const apply = (text: string): Promise<Answer> =>
  stage.call("PUT", "/v1/apps/lab/recs", { as: "alice", body: { text, file: "recs.yaml", revision: null } });
const get = (path: string): Promise<Answer> => stage.call("GET", path, { as: "alice" });

const GANG = { resources: { cpu: 1 }, nodes: 2 };

describe("a name", () => {
  test("does not mean the task of a workload whose name begins so", async () => {
    const service = (name: string, replicas: number): string => `  ${name}: { run: sleep 9, replicas: ${replicas} }`;
    await apply(["app: recs", "services:", service("api", 0), service("api2", 1), ""].join("\n"));
    await stage.planned();
    expect((await get("/v1/tasks/recs.api2.0")).body["name"]).toBe("recs.api2.0");
    for (const ref of ["recs.api.0", "recs.api"]) {
      const { status, body } = await get(`/v1/tasks/${ref}`);
      expect([status, body["name"]]).toEqual([404, undefined]);
    }
    expect((await get("/v1/workloads/lab/recs/api")).body).toMatchObject({ pending: 0, tasks: [] });
    expect((await get("/v1/workloads/lab/recs/api2")).body).toMatchObject({ pending: 1 });
  });
  test("means a member of a gang that still waits", async () => {
    await stage.call("PUT", "/v1/apps/lab/recs", {
      as: "alice",
      body: {
        text: `app: recs\njobs:\n  train: ${JSON.stringify({ run: "true", ...GANG })}\n`,
        file: "f",
        revision: null,
      },
    });
    await stage.planned();
    const { body } = await get("/v1/tasks?app=recs");
    for (const { name } of body["tasks"] as { name: string }[])
      expect((await get(`/v1/tasks/${name}`)).body["name"]).toBe(name);
    expect((body["tasks"] as unknown[]).length).toBe(2);
  });
  test("of a job to come after names the job, not a part of it", async () => {
    await apply("app: recs\njobs:\n  prep: { run: 'true' }\n");
    const after = (name: string): Promise<Answer> =>
      stage.call("POST", "/v1/runs", {
        as: "alice",
        body: { name: null, project: null, job: { run: "true", after: [name] }, wait_for_nodes: true },
      });
    expect((await after("recs.prep")).status).toBe(200);
    expect((await after("recs.prep.0")).body.error?.code).toBe("spec");
  });
});

describe("the start of an id", () => {
  test("that fits two nodes or two unknown tasks is refused", async () => {
    const box1 = await heardNode(stage, "box1");
    const held = null;
    const orphans: Orphan[] = ["abab1", "abab2"].map((start) => ({
      uid: start.padEnd(32, "0"),
      name: "x.y.0",
      pid: 7,
      held,
    }));
    const { store } = stage.api;
    await store.commit("test", (draft) => {
      const row = draft.state.nodes.get(box1)!;
      const twin = {
        ...row,
        id: `${box1.slice(0, 8)}${"0".repeat(24)}`,
        name: "box2",
        ordinal: draft.state.cluster.next_ordinal,
      };
      draft.put([
        { table: "nodes", key: box1, row: { ...row, orphans } },
        { table: "nodes", key: twin.id, row: twin },
        { table: "cluster", key: "cluster", row: { ...draft.state.cluster, next_ordinal: twin.ordinal + 1 } },
      ]);
    });
    const code = async (answer: Promise<Answer>): Promise<unknown> => {
      const { status, body } = await answer;
      return body.error?.code ?? status;
    };
    expect(await code(get(`/v1/nodes/${box1.slice(0, 8)}`))).toBe("conflict");
    expect(await code(get(`/v1/nodes/${box1}`))).toBe(200);
    const stop = (uid: string): Promise<Answer> =>
      stage.call("POST", `/v1/nodes/box1/orphans/${uid}/stop`, { as: "olga" });
    expect(await code(stop("abab"))).toBe("conflict");
    expect(await code(stop("abab2"))).toBe(200);
    expect(store.state.nodes.get(box1)?.orphans.map(({ uid }) => uid.slice(0, 5))).toEqual(["abab1"]);
    const { body } = await get("/v1/events?object=box1");
    expect(body["events"]).toContainEqual(expect.objectContaining({ verb: "stopped", object: "box1 x.y.0" }));
  });
});
