// Finished jobs per second through the whole path: request, plan, agent, process, report, commit. Room is refilled when
// an end arrives, so that few places must not mean waiting for a tick.

import { Cluster } from "../../test/support/cluster";
import { cpuMs, processesOf } from "../../test/support/processes";
import { concurrently, median, repeated, rounded, row, type Bench, type Row } from "./figure";
import { Watched } from "./watched";

const AGENTS = ["n1", "n2", "n3", "n4"];
const SUBMITTERS = 16;
const DEADLINE_MS = 300_000;
const JOB = { command: ["/bin/true"], resources: { cpu: "10m", memory: "4MiB" } };

/** Returns the seconds from the first request to the last end that a watcher receives. */
async function finishAll(cluster: Cluster, jobs: number): Promise<number> {
  const client = cluster.client();
  const watched = await Watched.open(client);
  const ended = new Set<number>();
  const all = watched.until(
    (event) => {
      if (event.kind === "run" && event.run.finished_ms !== null) {
        const { run, state, reason } = event.run;
        if (state !== "succeeded") throw new Error(`run ${run} ${state}: ${reason}`);
        ended.add(run);
      }
      return ended.size === jobs;
    },
    DEADLINE_MS,
    `${jobs} jobs to finish`,
  );
  const started = performance.now();
  await concurrently(jobs, SUBMITTERS, async () => {
    await client.run({ name: null, project: null, job: JOB, wait_for_nodes: false });
  });
  const seconds = ((await all) - started) / 1000;
  await watched.close();
  return seconds;
}

/** Returns the CPU time used so far by each part. Other load on the machine changes CPU time less than wall time. */
function spent(cluster: Cluster): Record<string, number> {
  const keepers = AGENTS.flatMap((name) =>
    processesOf(cluster.dataOf(name))
      .filter(({ command }) => /\bkeeper\b/.test(command))
      .map(({ pid }) => pid),
  );
  const agents = AGENTS.map((name) => cluster.agent(name).pid);
  const sum = (pids: readonly number[]): number => pids.reduce((all, pid) => all + cpuMs(pid), 0);
  return {
    server: sum([cluster.server?.pid ?? 0]),
    agents: sum(agents),
    keepers: sum(keepers),
    submitters: sum([process.pid]),
  };
}

async function measured(jobs: number, places: number, runs: number): Promise<Row[]> {
  const share = places / AGENTS.length;
  const cluster = await Cluster.start({
    name: "bench",
    agents: AGENTS,
    capacity: `cpu=${share * 10}m,memory=${share * 4}MiB`,
  });
  try {
    await finishAll(cluster, 50);
    const before = spent(cluster);
    const seconds = median(await repeated(runs, async () => finishAll(cluster, jobs)));
    const after = spent(cluster);
    const shares = Object.entries(after).map(
      ([part, ms]) => `${part} ${rounded((ms - (before[part] ?? 0)) / jobs / runs)}`,
    );
    const figure = `single submits finished, ${jobs.toLocaleString("en-US")} on ${places} places`;
    return [
      row(figure, jobs / seconds, "jobs/s", { at_least: places >= 256 ? 900 : 600 }),
      { figure: "  CPU ms a job, without the job", value: shares.join(", "), goal: "", verdict: "" },
    ];
  } finally {
    await cluster.close();
  }
}

export const throughput: Bench = {
  name: "throughput",
  about: "finished /bin/true jobs per second, four agents",
  async measure({ runs, say }) {
    const rows: Row[] = [];
    for (const places of [256, 8]) {
      for (const jobs of [1_000, 5_000]) {
        say(`${jobs} jobs on ${places} places`);
        rows.push(...(await measured(jobs, places, runs)));
      }
    }
    return rows;
  },
};
