// The contract as an outside program sees it: every `--json` document against shapes that were written by hand from
// the product's page, exit codes, names of states, and what a task finds in its environment. Nothing of src is used.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { z } from "zod";
import { Cluster, QUICK } from "../support/cluster";
import { BLOCKED, FINAL_STATES, GPUS, NODES, PLACED, PLAN, QUEUE, TASKS, TOKEN } from "../support/contract";
import { Program, runOrch, type Result } from "../support/program";
import { waitUntil } from "../support/wait";

const little = "resources: { cpu: 20m, memory: 16MiB }";
const SPEC = `app: shop
services:
  web:
    run: env | sort; exec sleep 1000
    replicas: 2
    ports: { http: auto, admin-x: auto }
    ${little}
  card: { run: "env | sort; exec sleep 1000", resources: { cpu: 20m, memory: 16MiB, gpu: 1 } }
  loop: { run: "echo boom; exit 3", restart: { backoff: 500ms..1s }, ${little} }
  never: { run: "true", resources: { gpu: H100 } }
jobs:
  prep: { run: "echo prepared", ${little} }
  late: { run: "true", after: [hold], ${little} }
  hold: { run: "exec sleep 1000", ${little} }
daemons:
  each: { run: "exec sleep 1000", ${little} }
`;
const LITTLE = ["--cpu", "20m", "--memory", "16MiB"];

let cluster: Cluster;
let spec: string;
beforeAll(async () => {
  cluster = await Cluster.start({ name: "contract", settings: QUICK });
  await cluster.startAgent("n1", "--device", "fake:A100:80GB:2", "--label", "zone=a");
  await cluster.startAgent("n2", "--taint", "team=vision:prefer_not");
  await cluster.ready();
  spec = join(cluster.dir, "shop.yaml");
  await Bun.write(spec, SPEC);
});
afterAll(async () => expect(await cluster.close()).toEqual([]));

const read = async <T>(schema: z.ZodType<T>, ...args: string[]): Promise<T> =>
  schema.parse(await cluster.json<unknown>(...args));
const run = async (...args: string[]): Promise<Result> => cluster.orch("run", ...args);
const lines = (text: string): string[] => text.split("\n").filter((line) => line !== "");
const tasksOf = async (workload: string): Promise<z.infer<typeof TASKS>["tasks"]> =>
  (await read(TASKS, "ps", "--all")).tasks.filter((task) => task.workload === workload);

describe("a plan and what comes of it", () => {
  test("plan changes nothing, has its shape, and says by its exit code that there is something to do", async () => {
    const plan = await read(PLAN, "plan", "-f", spec);
    expect(plan.ops.filter(({ op }) => op === "place").map(({ task }) => task)).toContain("shop.web.1");
    expect(plan.ops.find(({ task }) => task === "shop.card.0")?.devices.length).toBe(1);
    expect(plan.blocked.map(({ name, kind }) => [name, kind])).toEqual(
      expect.arrayContaining([
        ["shop.never.0", "unsatisfiable"],
        ["shop.late.0", "queued"],
      ]),
    );
    expect((await cluster.orch("plan", "-f", spec)).code).toBe(0);
    expect((await cluster.orch("plan", "-f", spec, "--detailed-exitcode")).code).toBe(5);
    expect((await cluster.tasks("--all")).length).toBe(0);
  });

  test("apply asks, and without a terminal and a yes it is a usage error", async () => {
    expect((await cluster.orch("apply", "-f", spec)).code).toBe(2);
    expect((await cluster.orch("apply", "-f", spec, "--yes")).code).toBe(0);
    await cluster.until(
      "what can run to run",
      (all) =>
        all.filter(({ workload, state }) => state === "running" && workload !== "loop").length === 6 &&
        all.some(({ workload, state }) => workload === "prep" && state === "succeeded"),
    );
  });

  test("ps has its shape for what lives, waits and has ended", async () => {
    const { tasks } = await read(TASKS, "ps", "shop", "--all");
    const one = (name: string): (typeof tasks)[number] | undefined => tasks.find((task) => task.name === name);
    expect(one("shop.web.1")).toMatchObject({
      project: "default",
      user: "admin",
      app: "shop",
      workload: "web",
      kind: "service",
      version: 1,
      run: null,
      slot: 1,
      attempt: 1,
      state: "running",
      exit_code: null,
      finished_ms: null,
      ports: { http: expect.any(Number) as number, "admin-x": expect.any(Number) as number },
    });
    expect(one("shop.never.0")).toMatchObject({ id: null, state: "pending", node: null, pid: null });
    expect(one("shop.prep.0")).toMatchObject({
      state: "succeeded",
      exit_code: 0,
      kind: "job",
      run: expect.any(Number) as number,
      finished_ms: expect.any(Number) as number,
    });
    expect(one("shop.card.0")?.devices.length).toBe(1);
    const living = await read(TASKS, "ps", "shop");
    expect(living.tasks.some(({ state }) => (FINAL_STATES as readonly string[]).includes(state))).toBe(false);
    const ids = lines(await cluster.ok("ps", "shop", "-q"));
    expect(ids).toContain(one("shop.web.0")?.id ?? "none");
  });

  test("nodes has its shape, and what tasks hold is in it", async () => {
    const { nodes } = await read(NODES, "nodes");
    expect(nodes.map(({ name, state }) => [name, state])).toEqual([
      ["n1", "ready"],
      ["n2", "ready"],
    ]);
    const [n1, n2] = nodes;
    expect(n1?.labels).toMatchObject({ zone: "a", os: "linux", hostname: expect.any(String) as string });
    expect(n2?.taints).toEqual([{ key: "team", value: "vision", effect: "prefer_not" }]);
    expect(n1?.capacity).toMatchObject({ cpu_milli: 4000, memory_bytes: 4 * 2 ** 30 });
    expect(n1?.devices.map(({ vendor, model, memory_bytes }) => [vendor, model, memory_bytes])).toEqual([
      ["nvidia", "A100", 80 * 2 ** 30],
      ["nvidia", "A100", 80 * 2 ** 30],
    ]);
    const [card] = await tasksOf("card");
    expect(n1?.devices.flatMap(({ task_ids }) => task_ids)).toEqual([card?.id ?? "none"]);
    expect(n1?.reserved.memory_bytes).toBeGreaterThan(0);
    expect(lines(await cluster.ok("nodes", "-q"))).toEqual(nodes.map(({ id }) => id));
  });

  test("gpus has its shape: who has which card, and which is free", async () => {
    const { devices } = await read(GPUS, "gpus");
    const [card] = await tasksOf("card");
    expect(devices.map(({ node, state }) => [node, state])).toEqual([
      ["n1", "ok"],
      ["n1", "ok"],
    ]);
    const taken = devices.filter(({ promised }) => promised.length > 0);
    expect(taken.map(({ promised }) => promised[0])).toEqual([
      { task_id: card?.id ?? "", task: "shop.card.0", user: "admin", memory_bytes: null },
    ]);
    const free = devices.filter(({ promised }) => promised.length === 0).map(({ id }) => id);
    expect(lines(await cluster.ok("gpus", "--free", "-q"))).toEqual(free);
    expect((await cluster.json<{ id: string }>("show", free[0]!)).id).toBe(free[0]!);
    expect(await cluster.ok("gpus")).toMatch(/n1 +\d +taken +A100 .*admin shop\.card\.0/);
    expect((await cluster.orch("gpus", "nowhere")).code).toBe(1);
  });

  test("explain is a blocked element or where it is", async () => {
    const blocked = await read(BLOCKED, "explain", "shop.never");
    expect([blocked.name, blocked.kind, blocked.nodes.length]).toEqual(["shop.never.0", "unsatisfiable", 2]);
    expect(blocked.nodes.every(({ checks }) => checks.some(({ hopeless }) => hopeless))).toBe(true);
    expect(blocked.smallest_change).toContain("H100");
    const [web] = await tasksOf("web");
    expect((await read(PLACED, "explain", web!.name)).placed.node).toBe(web!.node!);
    expect((await read(BLOCKED, "explain", "shop.late")).kind).toBe("queued");
    expect(await cluster.ok("explain", "shop.never")).not.toContain("waits: waits");
    expect((await cluster.orch("explain", "shop.nothing")).code).toBe(1);
  });

  test("a service that crashes again and again says how often, and shows what it wrote", async () => {
    const loop = await waitUntil(
      "crashes to be counted",
      async () => (await tasksOf("loop")).find(({ reason }) => /crashed ([3-9]|\d\d)× in a row/.test(reason ?? "")),
      20_000,
    );
    expect(loop.reason).toContain("last exit code 3");
    expect(lines(await cluster.ok("logs", "shop.loop"))).toEqual(["boom"]);
    expect((await cluster.orch("logs", "shop.loop", "--attempt", "4000")).err).toContain("there is no attempt 4000");
    const wait = await cluster.orch("apply", "-f", spec, "--yes", "--wait");
    expect([wait.code, wait.err]).toEqual([1, expect.stringContaining("orch explain shop.") as string]);
  }, 30_000);
});

describe("every command that reads", () => {
  const READERS = [
    "nodes",
    "gpus",
    "ps",
    "ps --all",
    "queue",
    "runs",
    "events",
    "token ls",
    "user ls",
    "version",
    "spec shop",
    "node show n1",
    "show shop",
    "show shop.web",
    "show n1",
    "explain shop.never",
    "logs shop.prep",
  ];
  for (const reader of READERS) {
    test(`gives one JSON document: orch ${reader}`, async () => {
      const out = await cluster.ok(...reader.split(" "), "--json");
      expect(lines(out).length).toBe(1);
      expect(typeof JSON.parse(out)).toBe("object");
    });
  }

  test("queue has its shape, and -q gives the numbers of runs", async () => {
    const { runs } = await read(QUEUE, "queue");
    expect(runs.map(({ name, state }) => [name, state])).toEqual([["shop.late", "waiting"]]);
    expect(lines(await cluster.ok("queue", "-q"))).toEqual(runs.map(({ run: number }) => String(number)));
  });

  test("a followed log gives one object a line", async () => {
    const follow = Program.start(
      "follow",
      ["logs", "-f", "shop.loop", "--json"],
      join(cluster.dir, "follow"),
      cluster.env,
    );
    await follow.line(/boom[^]*boom/);
    expect(await follow.kill("SIGINT")).toBe(130);
    for (const line of lines(follow.output())) expect(JSON.parse(line)).toMatchObject({ line: "boom" });
  });

  test("a token has its shape, and only one for machines says how to join", async () => {
    const agent = await read(TOKEN, "token", "new", "--role", "agent", "--expires", "24h");
    expect([agent.user, agent.join]).toEqual([null, expect.stringContaining(`--token ${agent.token}`) as string]);
    const admin = await read(TOKEN, "token", "new", "--role", "admin");
    expect([admin.user, admin.expires_ms, admin.join]).toEqual(["admin", null, null]);
  });
});

describe("the environment of a task", () => {
  const environmentOf = async (workload: string): Promise<Record<string, string>> => {
    const [task] = (await tasksOf(workload)).filter(({ slot }) => slot === 0);
    const out = await cluster.ok("logs", task?.id ?? "");
    return Object.fromEntries(lines(out).map((line) => [line.split("=")[0], line.slice(line.indexOf("=") + 1)]));
  };

  test("says who and where it is, and its ports", async () => {
    const [task] = (await tasksOf("web")).filter(({ slot }) => slot === 0);
    const ports = task?.ports ?? {};
    expect(await environmentOf("web")).toMatchObject({
      ORCH_APP: "shop",
      ORCH_WORKLOAD: "web",
      ORCH_VERSION: "1",
      ORCH_SLOT: "0",
      ORCH_ATTEMPT: "1",
      ORCH_TASK: task?.id ?? "",
      ORCH_NODE: task?.node ?? "",
      ORCH_PROJECT: "default",
      ORCH_USER: "admin",
      PORT_HTTP: String(ports["http"]),
      PORT_ADMIN_X: String(ports["admin-x"]),
      CUDA_VISIBLE_DEVICES: "",
      ROCR_VISIBLE_DEVICES: "",
      ZE_AFFINITY_MASK: "",
    });
  });

  test("shows its own cards as indices in the order of the bus, with their ids beside", async () => {
    const { nodes } = await read(NODES, "nodes");
    const [task] = await tasksOf("card");
    const env = await environmentOf("card");
    const index = nodes[0]?.devices.findIndex(({ id }) => id === task?.devices[0]);
    expect(env).toMatchObject({
      CUDA_VISIBLE_DEVICES: String(index),
      CUDA_DEVICE_ORDER: "PCI_BUS_ID",
      ORCH_GPU_UUIDS: task?.devices[0] ?? "",
    });
  });

  test("of a run has its number, and each member of a gang its own slot", async () => {
    const { code, out } = await run(...LITTLE, "--nodes", "2", "--name", "gang", "-c", "echo $ORCH_SLOT of $ORCH_RUN");
    const gang = await tasksOf("gang");
    expect([code, lines(out).toSorted()]).toEqual([0, [0, 1].map((slot) => `${slot} of ${gang[0]?.run}`)]);
    expect(gang.map(({ slot }) => slot).toSorted()).toEqual([0, 1]);
  });
});

describe("orch run", () => {
  const CODES: readonly (readonly [what: string, code: number, said: RegExp, args: readonly string[]])[] = [
    ["a program's own code", 7, /^$/, ["-c", "exit 7"]],
    ["128 and the signal", 137, /KILL/, ["-c", "kill -9 $$"]],
    ["127 for a program that is not there", 127, /\/no\/such/, ["--", "/no/such"]],
    ["126 for one that cannot be executed", 126, /not executable/, ["--", "/etc/passwd"]],
    [
      "125 for a directory that no node has",
      125,
      /0 of 2 nodes fit: 2 have no \/no\/such/,
      ["--workdir", "/no/such", "--", "true"],
    ],
    ["124 for its time limit", 124, /time limit/, ["--time", "300ms", "--", "sleep", "100"]],
    [
      "125 for what no node can ever do",
      125,
      /0 of 2 nodes fit.*Smallest change: .*H100/s,
      ["--gpu", "H100", "--", "true"],
    ],
    ["2 for a count of cards that is a model", 2, /rtx4090/, ["--gpu", "4090", "--", "true"]],
    ["2 for what is not built yet", 2, /not built yet/, ["--image", "x", "--", "true"]],
    ["2 for a wrong name", 2, /--name/, ["--name", "Not_A_Name", "--", "true"]],
    ["2 for no command", 2, /which command/, []],
  ];
  for (const [what, code, said, args] of CODES) {
    test(`gives ${what}`, async () => {
      const result = await run(...LITTLE, ...args);
      expect([result.code, result.err]).toEqual([code, expect.stringMatching(said) as string]);
    }, 20_000);
  }

  test("gives 125 when no server answers, where others give 3", async () => {
    const env = { ...cluster.env, ORCH_URL: "https://127.0.0.1:9" };
    expect((await runOrch(["run", "--", "true"], env)).code).toBe(125);
    expect((await runOrch(["run", "-d", "--", "true"], env)).code).toBe(125);
    expect((await runOrch(["ps"], env)).code).toBe(3);
  });

  test("tells memory that ran out from other deaths, with the limit and the peak", async () => {
    const { facts } = await cluster.json<{ facts: { cgroups: string } }>("node", "show", "n1");
    if (facts.cgroups === "none") return;
    const eat = "x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo ${#x}";
    const { code, err } = await run("--memory", "32MiB", "-c", eat);
    expect([code, err]).toEqual([137, expect.stringMatching(/out of memory: limit 32MiB, peak \d+MiB/) as string]);
  }, 20_000);

  test("passes arguments and variables on, and comes after what it is told to", async () => {
    const first = (await cluster.ok("run", "-d", ...LITTLE, "--", "true")).trim();
    const result = await run(
      ...LITTLE,
      "--after",
      first,
      "-e",
      "A=b c",
      "--",
      "sh",
      "-c",
      'echo "$A" "$1"',
      "sh",
      "$x",
    );
    expect(result.out).toBe("b c $x\n");
  });

  test("cancels by name, by number, and says what is not there", async () => {
    for (const name of ["one", "two"]) await cluster.ok("run", "-d", ...LITTLE, "--name", name, "--", "sleep", "1000");
    const [two] = await tasksOf("two");
    await cluster.ok("cancel", "one", String(two?.run));
    await cluster.until(
      "both to be over",
      (all) =>
        all.filter(({ workload, state }) => ["one", "two"].includes(workload) && state === "stopped").length === 2,
    );
    expect((await cluster.orch("cancel", "one")).code).toBe(1);
    expect((await cluster.orch("cancel", String(two?.run))).code).toBe(0);
    await cluster.ok("run", ...LITTLE, "--name", "brief", "--", "true");
    const [brief] = await tasksOf("brief");
    const late = await cluster.orch("cancel", String(brief?.run));
    const more = `orch show ${brief?.run} says how it ended, orch logs ${brief?.run} what it printed`;
    expect([late.code, late.err]).toEqual([1, `orch: brief (run ${brief?.run}) is over: succeeded (${more})\n`]);
    expect((await cluster.orch("cancel")).code).toBe(2);
  });
});

test("a drained node passes through the states of the contract", async () => {
  const stateOf = async (): Promise<string | undefined> =>
    (await read(NODES, "nodes")).nodes.find(({ name }) => name === "n2")?.state;
  await cluster.ok("rm", "shop", "--yes");
  await cluster.ok("node", "drain", "n2", "--reason", "power");
  await waitUntil("n2 to be drained", async () => (await stateOf()) === "drained");
  expect((await read(NODES, "nodes")).nodes[1]?.reason).toContain("power");
  await cluster.ok("node", "resume", "n2");
  expect(await stateOf()).toBe("ready");
  const forget = await cluster.orch("node", "forget", "n2", "--fenced", "--yes");
  expect([forget.code, forget.err]).toEqual([
    1,
    expect.stringContaining("n2 is connected, so it is not off") as string,
  ]);
  expect((await cluster.orch("node", "drain", "nowhere")).code).toBe(1);
});
