// Finished jobs per second through the whole path: request, plan, agent, process, report, commit. Room is refilled when
// an end arrives, so that few places must not mean waiting for a tick.

import type { Cluster } from "../../test/support/cluster";
import { cpuMs } from "../../test/support/processes";
import { concurrently, median, repeated, rounded, row, type Bench, type Row } from "./figure";
import { SMALL, spent, startPlaces } from "./spent";
import { Watched } from "./watched";

const SUBMITTERS = 16;
const DEADLINE_MS = 300_000;
const JOB = { command: ["/bin/true"], resources: SMALL };

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

const used = (cluster: Cluster): Record<string, number> => ({ ...spent(cluster), submitters: cpuMs(process.pid) });

async function measured(jobs: number, places: number, runs: number): Promise<Row[]> {
  const cluster = await startPlaces(places);
  try {
    await finishAll(cluster, 50);
    const before = used(cluster);
    const seconds = median(await repeated(runs, async () => finishAll(cluster, jobs)));
    const after = used(cluster);
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
