// Drains with real processes: services are up elsewhere before they go, what must never run twice waits for room, jobs
// run again without it counting, daemons go last, and the one who waits sees why.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import type { RunDetail } from "../../src/wire/api/runs";
import type { TaskView } from "../../src/wire/api/tasks";
import { Cluster, QUICK, livingTask } from "../support/cluster";
import { Program } from "../support/program";
import { waitUntil } from "../support/wait";

let cluster: Cluster;
beforeAll(async () => {
  // So long that whoever watches a drain sees a successor settle.
  cluster = await Cluster.start({ name: "drain", settings: [...QUICK, "settle=3s"], agents: ["n1", "n2"] });
});
afterAll(async () => expect(await cluster.close()).toEqual([]));

const LITTLE = "resources: { cpu: 20m, memory: 16MiB }";
const stateOf = async (name: string): Promise<string | undefined> =>
  (await cluster.nodes()).find((node) => node.name === name)?.state;
const ends = async (name: string): Promise<TaskView[]> =>
  (await cluster.tasks("--all")).filter((task) => task.name === name || task.name.startsWith(`${name}#`));
test("a service runs well elsewhere before its task goes, the daemon goes last, and all of it is told", async () => {
  await cluster.apply(`app: shop
services:
  web: { run: "exec sleep 1000", replicas: 2, place: { hosts: [n1, n2] }, stop: { grace: 2s }, ${LITTLE} }
daemons:
  each: { run: "exec sleep 1000", ${LITTLE} }
`);
  await cluster.until("all to run", (all) => all.filter(({ state }) => state === "running").length === 4);
  const node = (await cluster.tasks()).find((task) => task.name === "shop.web.0")?.node ?? "";
  const wait = Program.start(
    "drain",
    ["node", "drain", node, "--reason", "new fan", "--wait"],
    join(cluster.dir, "drain.log"),
    cluster.env,
  );
  expect(await wait.exited).toBe(0);
  const said = wait.output();
  expect(said).toMatch(/shop\.web\.0: stays until shop\.web\.0#\d+ runs well on n[12]/);
  expect(said).toMatch(/shop\.each\.\d: a daemon stops last/);
  expect(said).toMatch(/shop\.web\.0: gone[^]*: drained/);
  expect(said.trimEnd().split("\n").at(-1)).toBe(`${node}: drained`);
  const [first, second] = (await ends("shop.web.0")).toSorted((a, b) => a.attempt - b.attempt);
  expect([first?.state, second?.state, second?.node === node]).toEqual(["stopped", "running", false]);
  expect(first!.finished_ms).toBeGreaterThan(second!.started_ms!);
  const each = (await cluster.tasks("--all")).find((task) => task.workload === "each" && task.node === node);
  expect(each!.finished_ms).toBeGreaterThanOrEqual(first!.finished_ms!);
  const shown = await cluster.json<{ reason: string; drain: object }>("node", "show", node);
  expect(shown).toMatchObject({ reason: "new fan", drain: { by: "admin", deadline_ms: null, leaves: false } });
  expect(await cluster.ok("nodes")).toMatch(new RegExp(`${node} +drained.*new fan \\(admin, \\d+s ago\\)`));
  await cluster.ok("node", "resume", node);
  expect(await stateOf(node)).toBe("ready");
  expect(await cluster.json("node", "show", node)).toMatchObject({ reason: null, drain: null });
  await cluster.ok("rm", "shop", "--yes");
}, 40_000);

test("a job runs again elsewhere when the deadline comes, and that is no retry", async () => {
  await cluster.until("the machine to be empty", (all) => all.every(({ finished_ms }) => finished_ms !== null));
  await cluster.ok("node", "drain", "n2");
  const script = "trap 'exit 3' TERM; echo began on $ORCH_NODE; while :; do sleep 0.1; done";
  const run = (await cluster.ok("run", "-d", "--cpu", "20m", "--memory", "16MiB", "-c", script)).trim();
  await cluster.until("the job to run", (all) => livingTask(all, run)?.node === "n1");
  await cluster.ok("node", "resume", "n2");
  await cluster.ok("node", "drain", "n1", "--deadline", "500ms");
  await cluster.until("it to run again", (all) => livingTask(all, run)?.node === "n2");
  const info = await cluster.json<RunDetail>("show", run);
  expect([info.state, info.exit_code]).toEqual(["running", null]);
  expect(info.tasks.map(({ attempt, state }) => [attempt, state])).toContainEqual([1, "stopped"]);
  expect((await ends(run)).find(({ attempt }) => attempt === 1)?.reason).toContain("deadline has come");
  await waitUntil("n1 to be drained", async () => (await stateOf("n1")) === "drained");
  await cluster.ok("cancel", run);
  await cluster.ok("node", "resume", "n1");
}, 40_000);

test("what must never run twice is stopped only once there is room for it elsewhere", async () => {
  await cluster.until("the machine to be empty", (all) => all.every(({ finished_ms }) => finished_ms !== null));
  await cluster.apply(`app: db
services:
  pg: { run: "exec sleep 1000", exclusive: true, resources: { cpu: 3, memory: 16MiB } }
  big: { run: "exec sleep 1000", resources: { cpu: 3, memory: 16MiB } }
`);
  const all = await cluster.until(
    "both to run",
    (tasks) => tasks.filter((task) => task.state === "running").length === 2,
  );
  const node = livingTask(all, "db.pg.0")?.node ?? "";
  await cluster.ok("node", "drain", node);
  const { left } = await waitUntil("the plan to have looked", async () => {
    const progress = await cluster.client().drainProgress(node);
    return progress.left.some(({ why }) => why.includes("0 of 2 nodes fit")) ? progress : null;
  });
  expect(left.map(({ name, state }) => [name, state])).toEqual([["db.pg.0", "running"]]);
  expect(await cluster.ok("explain", "db.pg.0")).toContain("is being drained by admin");
  await cluster.ok("scale", "db.big=0");
  const after = await cluster.until(
    "it to have moved",
    (tasks) => livingTask(tasks, "db.pg.0")?.node !== undefined && livingTask(tasks, "db.pg.0")?.node !== node,
  );
  const old = after.find((task) => task.name === "db.pg.0" && task.attempt === 1);
  expect(old!.finished_ms).toBeLessThanOrEqual(livingTask(after, "db.pg.0")!.started_ms!);
  await cluster.ok("node", "resume", node);
  await cluster.ok("rm", "db", "--yes");
}, 40_000);

test("flags of a later start are followed, and what people set stays", async () => {
  await cluster.ok("node", "label", "n1", "rack=7");
  await cluster.agent("n1").kill("SIGTERM");
  await cluster.startAgent("n1", "--label", "zone=b", "--taint", "team=vision:prefer_not");
  const labels = async (): Promise<Record<string, string>> =>
    (await cluster.nodes()).find(({ name }) => name === "n1")?.labels ?? {};
  await waitUntil("the label of the flag", async () => (await labels())["zone"] === "b");
  expect(await labels()).toMatchObject({ rack: "7", zone: "b" });
  await cluster.agent("n1").kill("SIGTERM");
  await cluster.startAgent("n1");
  await waitUntil("the label to go with its flag", async () => (await labels())["zone"] === undefined);
  expect((await cluster.nodes()).find(({ name }) => name === "n1")).toMatchObject({
    labels: { rack: "7" },
    taints: [],
  });
  expect(await cluster.ok("events", "n1")).toContain(
    "flags_changed n1  no longer zone=b, no longer team=vision:prefer_not",
  );
}, 30_000);
