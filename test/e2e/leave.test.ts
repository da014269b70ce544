// Nodes that go: by a notice of the machine's owner, by an agent that is told to end, by an operator who takes a node
// out, and an agent that is only replaced. No task is lost by any of it.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { RunDetail } from "../../src/wire/api/runs";
import type { TaskView } from "../../src/wire/api/tasks";
import type { NodeView } from "../../src/wire/api/nodes";
import { Cluster, QUICK, livingTask } from "../support/cluster";
import { isAlive } from "../support/processes";
import { Program } from "../support/program";
import { waitUntil } from "../support/wait";

let cluster: Cluster;
let notice: string;
beforeAll(async () => {
  cluster = await Cluster.start({ name: "leave", settings: QUICK, agents: ["n2"] });
  notice = join(cluster.dir, "notice");
});
afterAll(async () => expect(await cluster.close()).toEqual([]));

const LITTLE = "resources: { cpu: 20m, memory: 16MiB }";
const node = async (name: string): Promise<NodeView | undefined> =>
  (await cluster.nodes()).find((one) => one.name === name);
/** A service and a job that both begin on n1, the only node that is free. */
async function work(app: string): Promise<void> {
  await cluster.ok("node", "drain", "n2");
  await cluster.apply(`app: ${app}
services:
  web: { run: "exec sleep 1000", stop: { grace: 1s }, ${LITTLE} }
jobs:
  long: { run: "trap 'exit 9' TERM; while :; do sleep 0.1; done", stop: { grace: 1s }, ${LITTLE} }
`);
  await cluster.until(
    "both to run on n1",
    (all) => livingTask(all, `${app}.web.0`)?.node === "n1" && livingTask(all, `${app}.long.0`)?.node === "n1",
  );
  await cluster.ok("node", "resume", "n2");
}
const moved = (app: string, to: string): Promise<TaskView[]> =>
  cluster.until(
    `both to run on ${to}`,
    (all) => livingTask(all, `${app}.web.0`)?.node === to && livingTask(all, `${app}.long.0`)?.node === to,
    30_000,
  );
async function unharmed(app: string, all: readonly TaskView[]): Promise<void> {
  const run = all.find((task) => task.name.startsWith(`${app}.long.0`))?.run;
  expect(await cluster.json<RunDetail>("show", String(run))).toMatchObject({ state: "running", exit_code: null });
  // An attempt may outlive the moment at which the next one runs: it goes once that one runs well.
  const attempts = await waitUntil("one attempt of the service to be left", async () => {
    const web = (await cluster.tasks("--all")).filter((task) => task.app === app && task.workload === "web");
    return web.filter(({ finished_ms }) => finished_ms === null).length === 1 ? web : null;
  });
  const ran = attempts.filter(({ started_ms }) => started_ms !== null);
  const [first, ...later] = ran.toSorted((a, b) => a.started_ms! - b.started_ms!);
  expect(later.length).toBeGreaterThan(0);
  let up_until_ms = first!.finished_ms!;
  for (const { started_ms, finished_ms } of later) {
    expect(started_ms).toBeLessThanOrEqual(up_until_ms);
    up_until_ms = Math.max(up_until_ms, finished_ms ?? Infinity);
  }
  expect(up_until_ms).toBe(Infinity);
  await cluster.ok("rm", app, "--yes");
  await cluster.until("all to be gone", (tasks) =>
    tasks.every((task) => task.app !== app || task.finished_ms !== null),
  );
}

test("a termination notice moves everything in time; a notice that is taken back brings the node back", async () => {
  await cluster.startAgent("n1", "--termination-notice", `cat ${notice}`);
  await cluster.ready();
  await work("spot");
  await Bun.write(notice, "9\n");
  const all = await moved("spot", "n2");
  expect(await node("n1")).toMatchObject({ reason: "termination notice", drain: { by: "n1", leaves: true } });
  await waitUntil("n1 to be drained", async () => (await node("n1"))?.state === "drained");
  expect(await cluster.ok("nodes")).toMatch(/n1 +drained.*leaves: termination notice/);
  await rm(notice);
  await waitUntil("n1 to be ready", async () => (await node("n1"))?.state === "ready", 15_000);
  await unharmed("spot", all);
}, 60_000);

test("an agent that drains on SIGTERM gives its work away, ends, and is a node again when it is back", async () => {
  await cluster.agent("n1").kill("SIGTERM");
  await cluster.startAgent("n1", "--drain-on-term", "9s");
  await waitUntil("n1 to be ready", async () => (await node("n1"))?.state === "ready");
  await work("term");
  const agent = cluster.agent("n1");
  expect(await agent.kill("SIGTERM")).toBe(0);
  expect(agent.output()).toContain("this node leaves: its agent was told to end");
  const all = await moved("term", "n2");
  expect((await node("n1"))?.drain).toMatchObject({ leaves: true });
  expect((await cluster.tasks()).filter((task) => task.node === "n1")).toEqual([]);
  await cluster.startAgent("n1");
  await waitUntil("n1 to be ready", async () => (await node("n1"))?.state === "ready");
  expect((await node("n1"))?.drain).toBeNull();
  await unharmed("term", all);
}, 60_000);

test("an agent of another version goes on with the tasks of the one before, which its keeper still has", async () => {
  await work("new");
  const before = await cluster.tasks("new");
  await cluster.agent("n1").kill("SIGTERM");
  const source = [process.execPath, join(import.meta.dir, "../../src/main.ts")];
  const args = ["agent", "join", cluster.url, "--data", cluster.dataOf("n1"), "--capacity", "cpu=4,memory=4GiB"];
  await cluster.program("n1", args, source).line(/joined as n1/);
  await waitUntil("the other version", async () => (await node("n1"))?.agent_version === "0.0.0-source");
  await waitUntil("n1 to be ready", async () => (await node("n1"))?.state === "ready");
  const after = await cluster.tasks("new");
  const told = (tasks: readonly TaskView[]) => tasks.map(({ id, pid, state, attempt }) => [id, pid, state, attempt]);
  expect(told(after)).toEqual(told(before));
  // New work runs under it, and exits of what began before are known all the same.
  expect((await cluster.orch("run", "--cpu", "20m", "--memory", "16MiB", "-c", "exit 7")).code).toBe(7);
  await cluster.agent("n1").kill("SIGTERM");
  await cluster.startAgent("n1");
  expect(told(await cluster.tasks("new"))).toEqual(told(before));
  const [long] = before.filter(({ workload }) => workload === "long");
  process.kill(long?.pid ?? 0, "SIGTERM");
  const ended = await cluster.until("the job to end", (all) =>
    all.some(({ id, state }) => id === long?.id && state === "failed"),
  );
  expect(ended.find(({ id }) => id === long?.id)?.exit_code).toBe(9);
  await cluster.ok("rm", "new", "--yes");
  await cluster.until("all to be gone", (tasks) =>
    tasks.every((task) => task.app !== "new" || task.finished_ms !== null),
  );
}, 60_000);

test("a node that leaves waits for its work, may stay after all, and is forgotten in the end", async () => {
  const leave = (log: string, ...more: string[]): Program =>
    Program.start(
      "leave",
      ["agent", "leave", "--data", cluster.dataOf("n1"), ...more],
      join(cluster.dir, log),
      cluster.env,
    );
  await work("last");
  const waits = leave("waits.log");
  await waits.line(/n1: waits for .*last\.long\.0 \(running\)/);
  expect(await cluster.ok("agent", "leave", "--cancel", "--data", cluster.dataOf("n1"))).toBe("n1: stays\n");
  expect([await waits.exited, waits.output().trimEnd().split("\n").at(-1)]).toEqual([
    1,
    "n1: stays: it was told to stay",
  ]);
  await waitUntil("n1 to be ready", async () => (await node("n1"))?.state === "ready");

  const agent = cluster.agent("n1");
  const goes = leave("goes.log", "--deadline", "8s");
  const all = await moved("last", "n2");
  expect(await goes.exited).toBe(0);
  expect(goes.output()).toContain("n1: has left the cluster");
  expect(await agent.exited).toBe(0);
  expect(await node("n1")).toBeUndefined();
  expect(await cluster.ok("events", "n1")).toMatch(/ node n1 forgotten n1/);
  expect(existsSync(join(cluster.dataOf("n1"), "agent", "identity.json"))).toBe(false);
  expect(isAlive(agent.pid)).toBe(false);
  const again = await cluster.orch("agent", "leave", "--data", cluster.dataOf("n1"));
  expect([again.code, again.err]).toEqual([1, expect.stringContaining("is no node's") as string]);
  await unharmed("last", all);
}, 60_000);

test("leaving without an agent says what to do", async () => {
  await cluster.agent("n2").kill("SIGTERM");
  const { code, err } = await cluster.orch("agent", "leave", "--data", cluster.dataOf("n2"));
  expect([code, err]).toEqual([
    1,
    expect.stringMatching(/no agent runs for .*Start it \(orch agent join\)/s) as string,
  ]);
  await cluster.startAgent("n2");
}, 20_000);
