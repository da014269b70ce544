// Many at once: 200 instances of a service on four agents, and an agent that is killed beside a thousand tasks.

import { pause } from "../../src/os/clock";
import { Cluster } from "../../test/support/cluster";
import { memoryOf, processesOf } from "../../test/support/processes";
import { median, repeated, row, type Bench, type Row } from "./figure";
import { Watched } from "./watched";

const INSTANCES = 200;
const TASKS = 1_000;
const MB = 1e6;
/** After so long a part has given back what a burst of work has left (os/process/lean.ts). */
const CALM_MS = 10_000;

const service = (replicas: number): string =>
  `app: bench\nservices:\n  web:\n    command: [sleep, '86400']\n` +
  `    replicas: ${replicas}\n    resources: { cpu: 1m, memory: 1MiB }\n`;

/** Applies a service and resolves when a watcher has seen all of its instances run. Returns the seconds. */
async function started(cluster: Cluster, replicas: number): Promise<number> {
  const client = cluster.client();
  const watched = await Watched.open(client);
  const running = new Set<string>();
  const all = watched.until(
    (event) => {
      if (event.kind === "task" && event.task.state === "running") running.add(event.task.name);
      return running.size === replicas;
    },
    120_000,
    `${replicas} instances to run`,
  );
  const text = service(replicas);
  const at = performance.now();
  await client.apply("default", "bench", { text, file: "bench.yaml", revision: null });
  const seconds = ((await all) - at) / 1_000;
  await watched.close();
  return seconds;
}

async function instances(): Promise<number> {
  const cluster = await Cluster.start({ name: "bench", agents: ["n1", "n2", "n3", "n4"] });
  try {
    return await started(cluster, INSTANCES);
  } finally {
    await cluster.close();
  }
}

/** Kills an agent beside its tasks and starts it again. Gives the seconds until its node is connected, and weights. */
async function adopted(): Promise<Row[]> {
  const cluster = await Cluster.start({ name: "bench", agents: ["n1"], capacity: "cpu=4,memory=8GiB" });
  try {
    await started(cluster, TASKS);
    const keeper = processesOf(cluster.dataOf("n1")).find(({ command }) => / keeper /.test(command));
    const weights = [
      ["server", cluster.server?.pid ?? 0, 80],
      ["agent", cluster.agent("n1").pid, 60],
      ["keeper", keeper?.pid ?? 0, 45],
    ] as const;
    const weighed = (when: string, goals: boolean): Row[] =>
      weights.map(([part, pid, at_most]) =>
        row(`RSS of the ${part} ${when}`, memoryOf(pid).rss_bytes / MB, "MB", goals ? { at_most } : {}),
      );
    const rows = weighed("when the last of 1,000 tasks on one agent has started", false);
    await pause(CALM_MS);
    rows.push(...weighed("with 1,000 tasks on one agent", true));
    await cluster.agent("n1").kill();
    const at = performance.now();
    await cluster.startAgent("n1");
    const seconds = (performance.now() - at) / 1_000;
    return [
      row("agent killed beside 1,000 tasks → connected with all of them", seconds, "s", { at_most: 0.3 }),
      ...rows,
    ];
  } finally {
    await cluster.close();
  }
}

export const many: Bench = {
  name: "many",
  about: "200 instances on 4 agents; an agent killed beside 1,000 tasks",
  measure: async ({ runs }) => [
    row("200 instances started on 4 agents", median(await repeated(runs, instances)), "s", { at_most: 0.25 }),
    ...(await adopted()),
  ],
};
