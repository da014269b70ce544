// Runs and tasks as people ask for them: made, refused, shown, explained, cancelled; every answer is as its schema
// says.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { PLAIN_DEVICE } from "../../../src/core/model/device";
import { z } from "zod";
import { observe } from "../../../src/core/intake/observe";
import { ROUTES } from "../../../src/server/routes/table";
import type { RunView } from "../../../src/wire/api/runs";
import type { EventView } from "../../../src/wire/api/watch";
import { waitUntil } from "../../support/wait";
import { heardNode } from "../hand-agent";
import { makeStage, NOW_MS, type Stage } from "../stage";

let stage: Stage;
beforeEach(async () => {
  stage = await makeStage();
});
afterEach(async () => stage.close());

const WEB =
  "app: web\nservices:\n  api: { run: sleep 100, replicas: 2, env: { KEY: hidden } }\njobs:\n  prep: { run: 'true' }\n";
const apply = (text: string, as = "alice") =>
  stage.call("PUT", "/v1/apps/lab/web", { as, body: { text, file: "web.yaml", revision: null } });
const run = (job: object, part: object = {}, as = "alice") =>
  stage.call("POST", "/v1/runs", { as, body: { name: null, project: null, job, wait_for_nodes: false, ...part } });

/** Ends a living task by its agent's report. */
async function end(uid: string): Promise<void> {
  const { store, limits, seed } = stage.api;
  await store.commit("node box1", (draft) => {
    const { node_id, attempt } = draft.state.tasks.get(uid)!;
    const intake = observe(
      draft.state,
      node_id,
      [
        {
          uid,
          name: "",
          identity: null,
          grant_until: attempt,
          held: null,
          exclusive: false,
          unix_user: null,
          reported: {
            state: "succeeded",
            started_age_ms: 5,
            finished_age_ms: 0,
            exit_code: 0,
            signal: null,
            reason: null,
            peak_memory_bytes: 1_000,
            tail: { stdout: "last words\n", stderr: "" },
            next: null,
          },
        },
      ],
      {
        now_ms: draft.now_ms,
        revision: draft.revision,
        limits,
        seed: seed(),
        hasEnded: () => false,
        hasGrave: () => false,
        isAssigned: () => true,
      },
    );
    draft.put(intake.changes);
  });
}

describe("every answer", () => {
  test("is as the schema of its route says", async () => {
    await heardNode(stage, "box1", {
      devices: [
        {
          ...PLAIN_DEVICE,
          id: "GPU-1",
          vendor: "nvidia",
          model: "A100",
          memory_bytes: 80 * 2 ** 30,
        },
      ],
    });
    await apply(WEB);
    await run({ run: "true", resources: { gpu: 1 } });
    await run({ run: "true", resources: { memory: "900GiB" } }, { wait_for_nodes: true });
    await stage.planned();
    const task = stage.api.store.state.tasks.values().find((one) => one.workload === "prep")!;
    await end(task.uid);
    let checked = 0;
    for (const route of ROUTES) {
      if (route.method !== "GET" || typeof route.answer === "string") continue;
      const path = route.path
        .replace("{project}", "lab")
        .replace("{app}", "web")
        .replace("{workload}", "api")
        .replace("{ref}", "web.api.0")
        .replace("{run}", "2")
        .replace("{node}", "box1")
        .replace("{device}", "GPU-1");
      for (const query of route.path === "/v1/tasks" || route.path === "/v1/runs" ? ["", "?all=true"] : [""]) {
        const answer = await stage.call("GET", path + query, { as: route.path === "/v1/users" ? "olga" : "alice" });
        const strict = route.answer instanceof z.ZodObject ? route.answer.strict() : route.answer;
        expect({ path, error: strict.safeParse(answer.body).error }).toEqual({ path, error: undefined });
        checked++;
      }
    }
    expect(checked).toBeGreaterThan(15);
  });
  test("has no environment in it where states are shown to all", async () => {
    await apply(WEB);
    for (const path of [
      "/v1/apps",
      "/v1/apps/lab/web",
      "/v1/workloads/lab/web/api",
      "/v1/tasks",
      "/v1/events",
      "/v1/explain/web.api",
    ]) {
      const { status, body } = await stage.call("GET", path, { as: "vera" });
      expect([path, status]).toEqual([path, 200]);
      expect(JSON.stringify(body)).toContain("api");
      expect(JSON.stringify(body)).not.toContain("hidden");
    }
  });
});

describe("a run", () => {
  test("is refused when no node could ever take it, node by node", async () => {
    await heardNode(stage, "box1");
    await heardNode(stage, "box2");
    // That a node is drained is no reason to refuse: it may be resumed.
    await stage.call("POST", "/v1/nodes/box2/drain", { as: "olga", body: { reason: null, deadline_ms: null } });
    await stage.planned();
    const { status, body } = await run({ run: "true", resources: { memory: "64GiB" } });
    expect([status, body.error?.code]).toEqual([422, "unsatisfiable"]);
    expect(body.error?.issues).toMatchObject([
      { path: "box1", message: expect.stringMatching(/^memory/) },
      { path: "box2", message: expect.stringMatching(/^memory/) },
    ]);
    expect(body.error?.hint).toEndWith("or wait for such a node with --wait-for-nodes");
    expect(stage.api.store.state.cluster.next_run).toBe(1);
  });
  test("is refused with changes that are true on the cluster as it is, not on an empty one", async () => {
    await heardNode(stage, "box1");
    const hintOf = async (): Promise<string | null | undefined> =>
      (await run({ run: "true", resources: { cpu: 9, memory: "1GiB" } })).body.error?.hint;
    expect(await hintOf()).toStartWith("Smallest change: ask for 8 cores (runs now)");
    expect((await run({ run: "true", resources: { cpu: 6, memory: "1GiB" } })).status).toBe(200);
    await stage.planned();
    expect(await hintOf()).toStartWith("Smallest change: ask for 2 cores (runs now)");
    expect((await run({ run: "true", resources: { cpu: 2, memory: "1GiB" } })).status).toBe(200);
    await stage.planned();
    expect(await hintOf()).toStartWith("Smallest change: ask for 8 cores (then waits for room)");
  });
  test("waits when what it needs is only taken", async () => {
    await heardNode(stage, "box1");
    for (let n = 0; n < 3; n++)
      expect((await run({ run: "true", resources: { cpu: 8, memory: "1GiB" } })).status).toBe(200);
    await stage.planned();
    const { body } = await stage.call("GET", "/v1/runs");
    const list = body["runs"] as { run: number; state: string; position: number | null; reason: string | null }[];
    expect(list[1]?.reason).toStartWith("waits: 0 of 1 node fits");
    expect(list.map((one) => [one.run, one.state, one.position])).toEqual([
      [1, "running", null],
      [2, "queued", 1],
      [3, "queued", 2],
    ]);
  });
  test("stands in the queue where the plan gives it room: leaders come before their followers", async () => {
    await heardNode(stage, "box1");
    expect((await run({ run: "true", resources: { cpu: 8, memory: "1GiB" } })).status).toBe(200);
    for (let n = 0; n < 2; n++)
      await run({ run: "true", priority: 5, resources: { cpu: 8, memory: "1GiB" } }, {}, "olga");
    const { status } = await apply(
      [
        "app: web",
        "jobs:",
        "  lead: { run: 'true', resources: { cpu: 8, memory: 1GiB } }",
        "  tail: { run: 'true', priority: 9, place: { together_with: [lead] }, resources: { cpu: 8, memory: 1GiB } }",
        "",
      ].join("\n"),
      "olga",
    );
    expect(status).toBe(200);
    await stage.planned();
    const { body } = await stage.call("GET", "/v1/runs");
    const list = body["runs"] as { name: string; run: number; position: number | null }[];
    expect(list.map((one) => [one.run, one.position, one.name])).toEqual([
      [1, null, "true"],
      [4, 1, "web.lead"],
      [5, 2, "web.tail"],
      [2, 3, "true"],
      [3, 4, "true"],
    ]);
  });
  test("comes after runs by number and jobs by name", async () => {
    await heardNode(stage, "box1");
    await apply(WEB);
    for (const after of ["1", "web.prep"]) {
      const { status, body } = await run({ run: "true", after: [after] });
      expect([after, status, body["state"]]).toEqual([after, 200, "waiting"]);
    }
    await stage.planned();
    const shown = async () => {
      const { runs } = (await stage.call("GET", "/v1/runs", { as: "alice" })).body as { runs?: RunView[] };
      return runs?.map((one) => [one.run, one.state, one.reason]);
    };
    expect(await shown()).toEqual([
      [1, "running", null],
      [2, "waiting", "waits for 1 to succeed"],
      [3, "waiting", "waits for web.prep to succeed"],
    ]);
    await end(stage.api.store.state.tasks.values().find((one) => one.workload === "prep")!.uid);
    await stage.planned();
    expect(await shown()).toEqual([
      [2, "running", null],
      [3, "running", null],
    ]);
  });
  test("comes after nothing that is not there, nor after a job of another project", async () => {
    await apply(WEB);
    for (const [after, as] of [
      ["9", "alice"],
      ["web.nope", "alice"],
      ["nope.prep", "alice"],
      ["web.prep", "bob"],
    ] as const) {
      const { status, body } = await run({ run: "true", after: [after] }, { wait_for_nodes: true }, as);
      expect([status, body.error?.code, body.error?.message]).toEqual([
        422,
        "spec",
        `there is no run or workload called ${after}`,
      ]);
      const other = await run({ run: "true", after_failed: [after] }, { wait_for_nodes: true }, as);
      expect(other.body.error?.["issues"]).toMatchObject([{ path: "after_failed" }]);
    }
    expect(stage.api.store.state.runs.size).toBe(1);
  });
  test("is called after its program", async () => {
    const called = async (job: object) => (await run(job, { wait_for_nodes: true })).body["name"];
    expect(await called({ command: ["/usr/bin/Python3.11", "x.py"] })).toBe("python3-11");
    const scripts = ["./go.sh now", "A=1 exec ./a", "for i in 1; do x; done"];
    expect(await Promise.all(scripts.map((script) => called({ run: script })))).toEqual(["go-sh", "a", "sh"]);
  });
  test("that waits is cancelled before it starts; again changes nothing", async () => {
    await run({ run: "true", resources: { memory: "900GiB" } }, { wait_for_nodes: true });
    const first = await stage.call("POST", "/v1/runs/1/cancel", { as: "alice", body: { signal: "SIGUSR1" } });
    expect(first.status).toBe(200);
    const ended = await waitUntil("the run to be cancelled", () => stage.api.store.history.run(1));
    expect([ended.state, ended.settings.stop.signal, ended.cancel?.by]).toEqual(["cancelled", "USR1", "alice"]);
    expect((await stage.call("POST", "/v1/runs/1/cancel", { as: "olga", body: { signal: null } })).body["state"]).toBe(
      "cancelled",
    );
    expect(stage.api.store.history.run(1)?.cancel?.by).toBe("alice");
  });
  test("that runs is cancelled once, whoever asks again", async () => {
    await heardNode(stage, "box1");
    await run({ run: "sleep 100" });
    await stage.planned();
    const cancel = (as: string) => stage.call("POST", "/v1/runs/1/cancel", { as, body: { signal: null } });
    expect([(await cancel("alice")).status, (await cancel("olga")).status]).toEqual([200, 200]);
    expect([...stage.api.store.state.runs.values()].map(({ cancel: by }) => by?.by)).toEqual(["alice"]);
    const { events } = (await stage.call("GET", "/v1/events?object=1", { as: "alice" })).body as {
      events?: EventView[];
    };
    expect(events?.filter(({ verb }) => verb === "cancelled").map(({ actor }) => actor)).toEqual(["alice"]);
  });
  test("is not ended with what is no signal", async () => {
    await run({ run: "true" }, { wait_for_nodes: true });
    expect((await stage.call("POST", "/v1/runs/1/cancel", { body: { signal: "9; rm" } })).body.error?.code).toBe(
      "bad_request",
    );
  });
});

describe("tasks", () => {
  const list = async (query = "") => {
    const { body } = await stage.call("GET", `/v1/tasks${query}`);
    return {
      names: (body["tasks"] as { name: string; state: string }[]).map(({ name, state }) => `${name} ${state}`),
      next: body["next"],
    };
  };
  test("that wait are shown as pending, with the reason", async () => {
    await apply(WEB);
    await stage.planned();
    const { body } = await stage.call("GET", "/v1/tasks?app=lab/web");
    expect((body["tasks"] as object[]).slice(0, 2)).toMatchObject([
      {
        id: null,
        name: "web.api.0",
        state: "pending",
        attempt: 1,
        node: null,
        reason: "cannot run on any node: no node has joined yet",
      },
      { id: null, name: "web.api.1", state: "pending" },
    ]);
  });
  test("come in pages, living ones first", async () => {
    await heardNode(stage, "box1");
    await apply(WEB);
    await stage.planned();
    const prep = stage.api.store.state.tasks.values().find((one) => one.workload === "prep")!;
    await end(prep.uid);
    await waitUntil("the run to be over", () => stage.api.store.history.run(1));
    expect((await list()).names).toEqual(["web.api.0 assigned", "web.api.1 assigned"]);
    const first = await list("?all=true&limit=2");
    expect(first.names).toEqual(["web.api.0 assigned", "web.api.1 assigned"]);
    expect(await list(`?all=true&limit=2&next=${String(first.next)}`)).toEqual({
      names: ["web.prep.0 succeeded"],
      next: null,
    });
  });
  test("are found by name, by the start of their id and by their run", async () => {
    await heardNode(stage, "box1");
    await apply(WEB);
    await stage.planned();
    const api = stage.api.store.state.tasks.values().find((one) => one.workload === "api" && one.slot === 1)!;
    for (const ref of ["web.api.1", "lab%2Fweb.api.1", "web.api.1%231", api.uid, api.uid.slice(0, 10)]) {
      expect((await stage.call("GET", `/v1/tasks/${ref}`, { as: "alice" })).body["id"]).toBe(api.uid.slice(0, 10));
    }
    expect((await stage.call("GET", "/v1/tasks/1", { as: "alice" })).body["name"]).toBe("web.prep.0");
    for (const ref of ["web.api.9", "web.nope", "zzz", "ffff", "99", "other%2Fweb.api"]) {
      expect((await stage.call("GET", `/v1/tasks/${ref}`, { as: "alice" })).status).toBe(404);
    }
  });
  test("are explained: where they are and how else it could have been, or what they wait for", async () => {
    await apply(WEB);
    await stage.planned();
    expect((await stage.call("GET", "/v1/explain/web.api", { as: "alice" })).body).toMatchObject({
      name: "web.api.0",
      kind: "unsatisfiable",
    });
    await heardNode(stage, "box1");
    await heardNode(stage, "box2");
    await stage.planned();
    const { body } = await stage.call("GET", "/v1/explain/web.api.0", { as: "alice" });
    const { placed } = body as unknown as { placed: { node: string; scores: { node: string }[] } };
    expect(["box1", "box2"]).toContain(placed.node);
    expect(placed.scores.map(({ node }) => node).toSorted()).toEqual(["box1", "box2"]);
  });
});

describe("a task's output", () => {
  test("that is over is what its end left, when its node cannot be asked", async () => {
    await heardNode(stage, "box1");
    await apply(WEB);
    await stage.planned();
    const prep = stage.api.store.state.tasks.values().find((one) => one.workload === "prep")!;
    const early = await stage.call("GET", "/v1/tasks/web.prep.0/logs", { as: "alice" });
    expect([early.status, early.body.error?.code]).toEqual([503, "unavailable"]);
    await end(prep.uid);
    const { status, headers, body } = await stage.call("GET", "/v1/tasks/web.prep/logs?attempt=1", { as: "alice" });
    expect([status, body["text"], headers.get("x-orch-log")]).toEqual([200, "last words\n", "tail"]);
    expect(decodeURIComponent(headers.get("x-orch-notice")!)).toContain("box1 cannot be asked now");
    expect(headers.get("content-type")).toBe("application/octet-stream");
    expect((await stage.call("GET", "/v1/tasks/web.prep/logs?attempt=2", { as: "alice" })).status).toBe(409);
  });
  test("of what still waits is refused with what it waits for", async () => {
    await apply(WEB);
    await stage.planned();
    const { status, body } = await stage.call("GET", "/v1/tasks/web.api/logs", { as: "alice" });
    expect([status, body.error?.message]).toEqual([
      409,
      "web.api has no output yet: cannot run on any node: no node has joined yet",
    ]);
  });
});

test("events come newest first and in pages, of a thing and of what belongs to it", async () => {
  await apply(WEB);
  stage.clock = NOW_MS + 1_000;
  await stage.call("DELETE", "/v1/apps/lab/web", { as: "alice" });
  await waitUntil("the app to be gone", () => stage.api.store.state.apps.size === 0);
  const { body } = await stage.call("GET", "/v1/events?object=web&limit=1", { as: "vera" });
  expect(body["events"]).toMatchObject([{ actor: "plan", verb: "removed", object: "web" }]);
  const told = async (object: string, next = ""): Promise<string[]> => {
    const path = `/v1/events?object=${encodeURIComponent(object)}&limit=9${next === "" ? "" : `&next=${next}`}`;
    const answer = await stage.call("GET", path, { as: "vera" });
    expect(answer.body["next"]).toBeNull();
    return (answer.body["events"] as EventView[]).map((event) => `${event.actor} ${event.verb} ${event.object}`);
  };
  const all = await told("web", String(body["next"]));
  expect(all).toEqual([
    "plan removed web.prep",
    "plan removed web.api",
    "plan run cancelled web.prep (run 1)",
    "alice removed web",
    "alice applied web",
  ]);
  expect((await told("web.prep")).at(0)).toBe("plan removed web.prep");
  expect((await told("lab/web")).at(-1)).toBe("alice applied web");
  for (const object of ["other/web", "we"]) {
    const { status, body: refused } = await stage.call("GET", `/v1/events?object=${encodeURIComponent(object)}`);
    expect([status, refused.error?.code]).toEqual([404, "not_found"]);
  }
});
