// What each part weighs: resident memory (RSS) and its proportional share (PSS, where pages shared with others of the
// same binary count once), idle and under load.

import { join } from "node:path";
import { pause } from "../../src/os/clock";
import { Cluster } from "../../test/support/cluster";
import { memoryOf, processesOf } from "../../test/support/processes";
import { row, type Bench, type Row } from "./figure";

const MB = 1e6;
const IDLE_MS = 10_000;
const AGENTS = 100;
const TASKS = 10_000;
const KEPT = 20;

const service = (replicas: number): string =>
  `app: bench\nservices:\n  web:\n    command: [sleep, '86400']\n` +
  `    replicas: ${replicas}\n    resources: { cpu: 10m, memory: 4MiB }\n`;

const quiet = (): Promise<void> => pause(IDLE_MS);

/** The process that supervises an agent's tasks. */
function keeperOf(cluster: Cluster, agent: string): number {
  const keeper = processesOf(cluster.dataOf(agent)).find(({ command }) => /\bkeeper\b/.test(command));
  if (keeper === undefined) throw new Error(`${agent} has no keeper`);
  return keeper.pid;
}

function weighed(what: string, pid: number, rss: { at_most?: number }, pss: { at_most?: number } = {}): Row[] {
  const { rss_bytes, pss_bytes } = memoryOf(pid);
  return [row(`${what}, RSS`, rss_bytes / MB, "MB", rss), row(`${what}, PSS`, pss_bytes / MB, "MB", pss)];
}

async function idleParts(): Promise<Row[]> {
  const cluster = await Cluster.start({ name: "bench", agents: ["n1"] });
  try {
    await quiet();
    const rows = [
      ...weighed("idle server", cluster.server?.pid ?? 0, { at_most: 60 }),
      ...weighed("idle agent", cluster.agent("n1").pid, { at_most: 45 }),
    ];
    await cluster.apply(service(KEPT));
    await cluster.until("tasks to run", (tasks) => tasks.filter(({ state }) => state === "running").length === KEPT);
    await quiet();
    return [
      ...rows,
      ...weighed(`agent with ${KEPT} tasks`, cluster.agent("n1").pid, { at_most: 60 }),
      ...weighed(`supervisor: keeper (one a node) with ${KEPT} tasks`, keeperOf(cluster, "n1"), { at_most: 35 }),
    ];
  } finally {
    await cluster.close();
  }
}

async function crowdedServer(): Promise<Row[]> {
  const cluster = await Cluster.start({ name: "bench" });
  const token = await cluster.joinToken();
  const crowd = Bun.spawn(
    [process.execPath, join(import.meta.dir, "crowd.ts"), cluster.url, token, `${AGENTS}`, `${TASKS / AGENTS}`],
    { stdout: "pipe", stderr: "inherit" },
  );
  try {
    for await (const chunk of crowd.stdout) if (new TextDecoder().decode(chunk).includes("ready")) break;
    const { code, err } = await cluster.apply(service(TASKS));
    if (code !== 0) throw new Error(err);
    const client = cluster.client();
    const deadline = performance.now() + 180_000;
    for (let running = 0; running < TASKS;) {
      if (performance.now() > deadline) throw new Error(`only ${running} of ${TASKS} tasks run`);
      await quiet();
      running = (await client.workload("default", "bench", "web")).running;
    }
    await quiet();
    const what = `server with ${TASKS.toLocaleString("en-US")} live tasks of ${AGENTS} agents`;
    return weighed(what, cluster.server?.pid ?? 0, { at_most: 150 });
  } finally {
    crowd.kill();
    await crowd.exited;
    await cluster.close();
  }
}

export const memory: Bench = {
  name: "memory",
  about: "memory of idle server and agent, of the keeper, and of a server with 10,000 live tasks",
  measure: async ({ say }) => {
    const parts = await idleParts();
    say(`${TASKS} tasks on ${AGENTS} pretended agents`);
    return [...parts, ...(await crowdedServer())];
  },
};
