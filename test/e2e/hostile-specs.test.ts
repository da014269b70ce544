// Hostile specs and files against a real server and two nodes: the server answers others meanwhile, both nodes stay
// ready, also after a restart of everything, other work runs on both, reasons can be read, and nothing is left.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TaskView } from "../../src/wire/api/tasks";
import { hostileSpecs, type Told } from "../adversary/hostile-specs";
import { Cluster, QUICK } from "../support/cluster";
import { LEFT } from "../support/hostile";
import { waitUntil } from "../support/wait";

const PROGRAM = join(import.meta.dir, "..", "adversary", "hostile-specs.ts");
/** The time in which the server answers a request that comes beside a hostile one, on a busy machine. */
const ANSWERS_WITHIN_MS = 10_000;
/** The bound of a text, and what the server may say beside it. */
const TEXT_CHARS = 4_096 + 200;

let cluster: Cluster;
let dir: string;
beforeAll(async () => {
  cluster = await Cluster.start({
    name: "hostile",
    settings: QUICK,
    agents: ["n1", "n2"],
    capacity: "cpu=8,memory=8GiB",
  });
  dir = join(cluster.dir, "hostile");
}, 60_000);
afterAll(async () => expect(await cluster.close()).toEqual([]), 60_000);

async function attack(...more: string[]): Promise<Told[]> {
  const token = readFileSync(join(cluster.data, "server", "admin.token"), "utf8").trim();
  const argv = [process.execPath, PROGRAM, "--url", cluster.url, "--token", token, "--dir", dir, ...more];
  const child = Bun.spawn(argv, { env: cluster.env, stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  expect(err).toBe("");
  return out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Told);
}

let rounds = 0;

/** Both nodes are ready, and do other work. */
async function isWell(): Promise<void> {
  await cluster.ready();
  const name = `well-${++rounds}`;
  const one = (node: string): string =>
    `  ${node}: { run: "true", resources: { cpu: 10m, memory: 16MiB }, place: { hosts: [${node}] } }\n`;
  expect(await cluster.apply(`app: ${name}\njobs:\n${one("n1")}${one("n2")}`)).toMatchObject({ code: 0 });
  await waitUntil(
    "other work to succeed on both nodes",
    async () => {
      const { runs } = await cluster.client().runs({ all: true, project: "default" });
      const mine = runs.filter(({ app }) => app === name);
      return mine.length === 2 && mine.every(({ state }) => state === "succeeded");
    },
    30_000,
  );
}

const ofHostile = (tasks: readonly TaskView[], name: string): TaskView[] =>
  tasks.filter((task) => task.name.startsWith(`hostile/hostile-${name}.`) || task.name.startsWith(`hostile-${name}.`));

const UNSTARTABLE = ["long-command", "control-command"];
/** No node has these, and says so before anything is placed. */
const NOWHERE = ["long-workdir", "control-workdir", "pipe-as-workdir"];

test("the server refuses or takes each, and answers others meanwhile", async () => {
  const told = await attack();
  const specs = hostileSpecs(dir);
  expect(told.map(({ name }) => name)).toEqual(specs.map(({ name }) => name));
  expect(told.filter(({ is }) => is === "broken")).toEqual([]);
  expect(told.filter(({ other_ms, took_ms }) => Math.max(other_ms, took_ms) > ANSWERS_WITHIN_MS)).toEqual([]);
  const wrong = told.filter(({ is }, n) => (is === "refused") !== specs[n]?.refused);
  expect(wrong).toEqual([]);
}, 120_000);

test("what cannot start says why, on both nodes, in words that fit a terminal", async () => {
  const tasks = await cluster.until(
    "each to have said why",
    (all) =>
      UNSTARTABLE.every(
        (name) =>
          new Set(
            ofHostile(all, name)
              .filter(({ reason }) => /could not start/.test(reason ?? ""))
              .map(({ node }) => node),
          ).size === 2,
      ),
    60_000,
  );
  for (const name of UNSTARTABLE) {
    const reasons = ofHostile(tasks, name).flatMap(({ reason }) => (reason === null ? [] : [reason]));
    expect(reasons.filter((reason) => reason.length > TEXT_CHARS)).toEqual([]);
  }
  await waitUntil("the nodes to have said what they lack", async () => {
    const waiting = await cluster.tasks();
    return NOWHERE.every(
      (name) =>
        ofHostile(waiting, name).filter(({ reason }) => /n\d: has (no|something else)/.test(reason ?? "")).length === 2,
    );
  });
  const { runs } = await cluster.client().runs({ all: true, project: "hostile" });
  const job = runs.find(({ app, state }) => app === "hostile-long-command-of-a-job" && state === "failed");
  expect(job?.reason).toMatch(/could not start/);
  const service = ofHostile(await cluster.tasks("--all"), "long-command-of-a-service");
  expect(service.some(({ reason }) => /could not start/.test(reason ?? ""))).toBe(true);
  for (const args of [["ps", "--all"], ["nodes"], ["events", "--limit", "500"], ["queue"]]) {
    expect(await cluster.ok(...args)).not.toMatch(LEFT);
  }
  await isWell();
}, 120_000);

test("server and agents start again beside all of it", async () => {
  await cluster.server?.kill("SIGKILL");
  for (const name of ["n1", "n2"]) await cluster.agent(name).kill("SIGKILL");
  await cluster.startServer();
  for (const name of ["n1", "n2"]) await cluster.startAgent(name);
  await isWell();
}, 120_000);

test("all of it can be removed, and nothing of it is left", async () => {
  expect((await attack("--remove")).filter(({ is }) => is === "broken")).toEqual([]);
  await waitUntil(
    "the apps to be gone",
    async () => {
      const { apps } = await cluster.client().apps();
      const tasks = (await cluster.tasks()).filter(({ name }) => name.includes("hostile"));
      return apps.every(({ project }) => project !== "hostile") && tasks.length === 0;
    },
    60_000,
  );
  expect(cluster.left().filter((line) => line.includes("sleep 98765"))).toEqual([]);
  await isWell();
}, 120_000);
