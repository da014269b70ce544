// Finished jobs per second through the whole path: request, plan, agent, process, report, commit. Room is refilled when
// an end arrives, so that few places must not mean waiting for a tick.

import { Cluster } from "../../test/support/cluster";
import { concurrently, median, repeated, row, type Bench, type Row } from "./figure";
import { Watched } from "./watched";

const AGENTS = ["n1", "n2", "n3", "n4"];
const SUBMITTERS = 64;
const DEADLINE_MS = 300_000;
const JOB = { command: ["/bin/true"], resources: { cpu: "10m", memory: "4MiB" } };

/** From the first request to the last end that a watcher hears of; seconds. */
async function finishAll(cluster: Cluster, jobs: number): Promise<number> {
  const client = cluster.client();
  const watched = await Watched.open(client);
  const ended = new Set<number>();
  const all = watched.until((event) => {
    if (event.kind === "run" && event.run.finished_ms !== null) {
      const { run, state, reason } = event.run;
      if (state !== "succeeded") throw new Error(`run ${run} ${state}: ${reason}`);
      ended.add(run);
    }
    return ended.size === jobs;
  }, DEADLINE_MS, `${jobs} jobs to finish`);
  const started = performance.now();
  await concurrently(jobs, SUBMITTERS, async () => {
    await client.run({ name: null, project: null, job: JOB, wait_for_nodes: false });
  });
  const seconds = (await all - started) / 1000;
  await watched.close();
  return seconds;
}

async function rate(jobs: number, places: number, runs: number): Promise<number> {
  const share = places / AGENTS.length;
  const cluster = await Cluster.start({ name: "bench", agents: AGENTS,
    capacity: `cpu=${share * 10}m,memory=${share * 4}MiB` });
  try {
    await finishAll(cluster, 50);
    return jobs / median(await repeated(runs, async () => finishAll(cluster, jobs)));
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
        const figure = `finished jobs, ${jobs.toLocaleString("en-US")} on ${places} places`;
        rows.push(row(figure, await rate(jobs, places, runs), "jobs/s", { at_least: 500 }));
      }
    }
    return rows;
  },
};
