// What applying a spec makes of the state: versions, runs, what they come after, what is removed, and who was there
// before.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { RunRow, WorkloadRow } from "../../../src/core/model/rows-work";
import { buildEnd, buildSlot, buildTask } from "../../support/build";
import { waitUntil } from "../../support/wait";
import { heardNode } from "../hand-agent";
import { joinWithKey } from "../recorder";
import { makeStage, type Answer, type Stage } from "../stage";

let stage: Stage;
beforeEach(async () => {
  stage = await makeStage();
});
afterEach(async () => stage.close());

const apply = (text: string, revision: number | null = null, as = "alice"): Promise<Answer> =>
  stage.call("PUT", "/v1/apps/lab/web", { as, body: { text, file: "web.yaml", revision } });
const spec = (api: string, ...jobs: string[]): string =>
  [
    "app: web",
    ...(api === "" ? [] : ["services:", `  api: ${api}`]),
    ...(jobs.length === 0 ? [] : ["jobs:"]),
    ...jobs.map((job) => `  ${job}`),
    "",
  ].join("\n");
const workload = (name: string): WorkloadRow =>
  stage.api.store.state.workloads.values().find((row) => row.name === name)!;
const runs = (): RunRow[] =>
  stage.api.store.state.runs
    .values()
    .toArray()
    .sort((a, b) => a.run - b.run);
const API = "{ run: sleep 100, replicas: 2 }";

describe("an app", () => {
  test("is refused with more replicas than one person may have, and so is a scale", async () => {
    const services = (replicas: number): string[] =>
      Array.from({ length: 3 }, (_, n) => `  s${n}: { run: x, replicas: ${replicas} }`);
    const refused = await apply(["app: web", "services:", ...services(7_000)].join("\n"));
    expect(refused.body.error?.message).toContain("21000 replicas together, at most 20000");
    const text = ["app: web", "services:", ...services(7_000)].join("\n");
    const body = { text, file: "app.yaml", revision: 0 };
    const shown = await stage.call("POST", "/v1/plan", { as: "alice", body });
    expect(shown.body.error?.message).toContain("21000 replicas together, at most 20000");
    const daemons = Array.from({ length: 2_501 }, (_, n) => `  d${n}: { run: x }`);
    for (let n = 0; n < 8; n++) await joinWithKey(stage, `box${n}`);
    const many = await apply(["app: web", "daemons:", ...daemons].join("\n"));
    expect(many.body.error?.message).toContain("20008 replicas together, at most 20000");
    expect(stage.api.store.state.workloads.size).toBe(0);
    expect((await apply(["app: web", "services:", ...services(6_000)].join("\n"))).status).toBe(200);
    const scale = (replicas: number): Promise<Answer> =>
      stage.call("POST", "/v1/workloads/lab/web/s1/scale", { as: "alice", body: { replicas } });
    expect((await scale(9_000)).body.error?.code).toBe("too_many");
    expect(workload("s1").settings.replicas).toBe(6_000);
    expect((await scale(8_000)).status).toBe(200);
  });

  test("begins with version 1 of each workload and one run of each job", async () => {
    const { status, body } = await apply(
      spec(API, "train: { run: 'true', after: [prep] }", "prep: { run: 'true' }"),
      0,
    );
    expect(status).toBe(200);
    expect(body).toMatchObject({ app: "web", project: "lab", runs: [1, 2] });
    expect(workload("api")).toMatchObject({ version: 1, kind: "service", user: "alice", removing: false });
    expect(runs().map(({ run, name, state }) => [run, name, state])).toEqual([
      [1, "web.prep", "queued"],
      [2, "web.train", "waiting"],
    ]);
    expect(runs()[1]?.after).toEqual([{ name: "prep", uid: runs()[0]!.uid, when: "succeeded", met: null }]);
    expect(workload("train").last_run).toMatchObject({ run: 2 });
  });
  test("applied again as it is changes nothing", async () => {
    const first = await apply(spec(API, "prep: { run: 'true' }"));
    const again = await apply(spec(API, "prep: { run: 'true' }"));
    expect(again.body["revision"]).toBe(first.body["revision"]);
    expect([again.body["runs"], runs().length]).toEqual([[], 1]);
  });
  test("gets a new version only by what makes its tasks different", async () => {
    await apply(spec(API));
    await apply(spec("{ run: sleep 100, replicas: 5, priority: -1 }"));
    expect(workload("api")).toMatchObject({ version: 1, settings: { replicas: 5, priority: -1 } });
    await apply(spec("{ run: sleep 200, replicas: 5 }"));
    expect(workload("api").version).toBe(2);
  });
  test("keeps every change of version or settings as an entry of its own", async () => {
    const entries = new Map<string, string>();
    stage.api.store.onCommit((_revision, changes) => {
      for (const { table, key, row } of changes) {
        if (table === "versions") entries.set(key, `${row.version}: ${row.settings.replicas} by ${row.by}`);
      }
    });
    await apply(spec(API));
    await stage.call("POST", "/v1/workloads/lab/web/api/scale", { body: { replicas: 7 } });
    await apply(spec(API));
    // The same again by another person: a row of the workload's, and no entry.
    await apply(spec(API), null, "admin");
    await stage.call("POST", "/v1/workloads/lab/web/api/restart");
    expect([...entries.values()]).toEqual(["1: 2 by alice", "1: 7 by admin", "1: 2 by alice", "2: 2 by admin"]);
  });
  test("is refused to who saw an older plan, naming who was faster", async () => {
    const first = await apply(spec(API), 0);
    stage.clock += 90_000;
    await apply(spec("{ run: sleep 1 }"), first.body["revision"] as number, "admin");
    const late = await apply(spec("{ run: sleep 2 }"), first.body["revision"] as number);
    expect([late.status, late.body.error?.code]).toEqual([409, "changed_meanwhile"]);
    expect(late.body.error?.message).toContain("admin");
    expect((await apply(spec(API), 0)).body.error?.code).toBe("changed_meanwhile");
  });
  test("counts scaling and restarting as changes", async () => {
    const first = await apply(spec(API), 0);
    await stage.call("POST", "/v1/workloads/lab/web/api/scale", { body: { replicas: 7 } });
    expect(workload("api").settings.replicas).toBe(7);
    expect((await apply(spec(API), first.body["revision"] as number)).status).toBe(409);
    await stage.call("POST", "/v1/workloads/lab/web/api/restart");
    expect(workload("api")).toMatchObject({ version: 2, settings: { replicas: 7 } });
    await apply(spec(API));
    expect(workload("api")).toMatchObject({ version: 2, settings: { replicas: 2 } });
  });
  test("is refused where its lease leaves no time to stop", async () => {
    const { status, body } = await apply(spec("{ run: sleep 100, exclusive: true, stop: { grace: 55s } }"));
    expect([status, body.error?.code]).toEqual([422, "spec"]);
    expect(body.error?.message).toContain("api.stop.grace: a grace of 55s leaves nothing of the lease of 1m");
    expect((await apply(spec("{ run: sleep 100, exclusive: true, stop: { grace: 54s } }"))).status).toBe(200);
  });
  test("must be where its address says", async () => {
    const { body } = await stage.call("PUT", "/v1/apps/lab/other", {
      as: "alice",
      body: { text: spec(API), file: "f", revision: null },
    });
    expect(body.error).toMatchObject({
      code: "bad_request",
      message: "the spec is of lab/web, the address of lab/other",
    });
  });
});

describe("a changed job", () => {
  const prep = (script: string) => `prep: { run: '${script}' }`;
  const train = "train: { run: 'true', after: [prep] }";

  test("replaces its waiting run, and what came after that comes after the new one", async () => {
    await apply(spec("", prep("one"), train));
    await apply(spec("", prep("two"), train));
    const old = await waitUntil("the old run to be archived", () => stage.api.store.history.run(1));
    const [waiting, fresh] = runs();
    expect(old).toMatchObject({ run: 1, state: "cancelled", reason: "replaced by run 3", cancel: { by: "alice" } });
    expect(fresh).toMatchObject({ run: 3, version: 2, cancel: null });
    expect(waiting).toMatchObject({ run: 2, cancel: null, after: [{ uid: fresh!.uid, met: null }] });
  });
  test("lets a running run finish", async () => {
    await apply(spec("", prep("one")));
    await stage.api.store.commit("plan", (draft) =>
      draft.put(
        runs().map((run) => ({
          table: "runs",
          key: run.uid,
          row: { ...run, state: "running", started_ms: draft.now_ms },
        })),
      ),
    );
    await apply(spec("", prep("two")));
    expect(runs().map(({ run, state, cancel }) => [run, state, cancel])).toEqual([
      [1, "running", null],
      [2, "queued", null],
    ]);
  });
  test("comes after the newest run of what is unchanged, also when that is over", async () => {
    await apply(spec("", prep("one"), train));
    await stage.api.store.commit("plan", (draft) => {
      const first = draft.state.runs.values().find((run) => run.run === 1)!;
      const row = { ...first, state: "succeeded" as const, finished_ms: draft.now_ms, exit_code: 0 };
      const job = draft.state.workloads.get(first.workload_uid!)!;
      const task = buildTask(first, "box1");
      const slot = buildSlot(task, { ends: [buildEnd(task, { state: "succeeded", exit_code: 0 })] });
      draft.put([
        { table: "slots", key: slot.key, row: slot },
        { table: "runs", key: row.uid, row: null },
        { table: "ended_runs", key: row.uid, row },
        { table: "workloads", key: job.uid, row: { ...job, last_run: { uid: row.uid, run: 1, state: "succeeded" } } },
      ]);
    });
    await apply(spec("", prep("one"), "train: { run: 'false', after: [prep] }"));
    expect(runs().at(-1)).toMatchObject({ run: 3, after: [{ name: "prep", met: true }] });
  });
});

describe("what is removed", () => {
  test("keeps its name until its last task is over", async () => {
    await heardNode(stage, "box1");
    await apply(spec(API, "prep: { run: 'true' }"));
    await stage.planned();
    expect(stage.api.store.state.tasks.size).toBe(3);
    await apply(spec("", "prep: { run: 'true' }"));
    expect(workload("api").removing).toBe(true);
    const back = await apply(spec(API, "prep: { run: 'true' }"));
    expect(back.body.error).toMatchObject({ code: "conflict", message: "web.api is still being removed" });
  });
  test("as a whole app ends its jobs and can be asked for twice", async () => {
    await heardNode(stage, "box1");
    await apply(spec(API, "prep: { run: 'true' }"));
    await stage.planned();
    const gone = await stage.call("DELETE", "/v1/apps/lab/web", { as: "alice" });
    expect(gone.status).toBe(200);
    expect(runs()[0]?.cancel?.by).toBe("alice");
    expect((await stage.call("DELETE", "/v1/apps/lab/web")).body["revision"]).toBe(gone.body["revision"]);
    expect((await apply(spec(API))).body.error?.message).toBe("web is still being removed");
    await stage.planned();
    expect([...stage.api.store.state.tasks.values()].map(({ desired }) => desired)).toEqual(["stop", "stop", "stop"]);
  });
  test("is refused under another kind", async () => {
    await apply(spec("", "prep: { run: 'true' }"));
    const { body } = await apply("app: web\nservices:\n  prep: { run: sleep 1 }\n");
    expect(body.error?.message).toBe("web.prep is a job and cannot become a service");
  });
});

describe("a plan", () => {
  const planOf = async (text: string, revision: number | null = null) =>
    (await stage.call("POST", "/v1/plan", { as: "alice", body: { text, file: "f", revision } })).body as unknown as {
      revision: number;
      ops: { op: string; task: string; node: string | null; why: string }[];
      blocked: { name: string; kind: string; summary: string }[];
      changes: { name: string; change: string }[];
    };

  test("shows every placement, and changes nothing", async () => {
    await heardNode(stage, "box1");
    const before = stage.api.store.state.cluster;
    const plan = await planOf(spec(API, "prep: { run: 'true' }", "train: { run: 'true', after: [prep] }"));
    expect(plan.revision).toBe(0);
    expect(plan.ops.filter(({ op }) => op === "place").map(({ task, node }) => [task, node])).toEqual([
      ["web.api.0", "box1"],
      ["web.api.1", "box1"],
      ["web.prep.0", "box1"],
    ]);
    expect(plan.blocked.map(({ name, kind }) => [name, kind])).toEqual([["web.train.0", "queued"]]);
    expect(plan.changes.map(({ name, change }) => [name, change])).toEqual([
      ["api", "add"],
      ["prep", "run"],
      ["train", "run"],
    ]);
    const { state } = stage.api.store;
    expect([state.cluster.next_run, state.apps.size, state.tasks.size, state.runs.size]).toEqual([
      before.next_run,
      0,
      0,
      0,
    ]);
  });
  test("shows what cannot be placed, and why", async () => {
    await heardNode(stage, "box1");
    const plan = await planOf(spec("{ run: x, resources: { memory: 64GiB } }"));
    expect(plan.blocked[0]).toMatchObject({
      name: "web.api.0",
      kind: "unsatisfiable",
      summary: expect.stringContaining("0 of 1 node"),
    });
  });
  test("is what the apply of its revision then does", async () => {
    await apply(spec(API));
    const plan = await planOf(spec("{ run: sleep 5 }"));
    expect((await apply(spec("{ run: sleep 5 }"), plan.revision)).status).toBe(200);
    expect((await planOf(spec("{ run: sleep 5 }"))).changes).toMatchObject([{ name: "api", change: "none" }]);
  });
});
