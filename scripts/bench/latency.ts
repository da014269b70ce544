// Submit to running: how long an idle cluster takes from the request to a process that runs, one job after another.

import { Cluster } from "../../test/support/cluster";
import { percentile, repeated, row, type Bench } from "./figure";
import { Watched } from "./watched";

const JOBS_A_RUN = 60;
const WARM_UP = 10;
const JOB = { name: null, project: null, job: { command: ["sleep", "60"] }, wait_for_nodes: false };

export const latency: Bench = {
  name: "latency",
  about: "submit to running of a process on an idle cluster",
  async measure({ runs }) {
    const cluster = await Cluster.start({ name: "bench", agents: ["n1"] });
    const client = cluster.client();
    const watched = await Watched.open(client);
    const seen: number[] = [];
    try {
      await repeated(WARM_UP + runs * JOBS_A_RUN, async (n) => {
        const started = performance.now();
        let run = -1;
        const early = new Set<number>();
        const running = watched.until(
          (event) => {
            if (event.kind !== "task" || event.task.state !== "running" || event.task.run === null) return false;
            early.add(event.task.run);
            return event.task.run === run || run === -1;
          },
          10_000,
          "the job to run",
        );
        ({ run } = await client.run(JOB));
        const at = await running;
        if (!early.has(run)) throw new Error(`another job than ${run} began to run`);
        if (n >= WARM_UP) seen.push(at - started);
        const gone = watched.until(
          (event) => event.kind === "run" && event.run.run === run && event.run.state === "cancelled",
          20_000,
          "the job to end",
        );
        await client.cancel(run);
        await gone;
      });
    } finally {
      await watched.close();
      await cluster.close();
    }
    return [
      row(`submit → running, as a watcher sees it, p50 (n=${seen.length})`, percentile(seen, 0.5), "ms", {
        at_most: 15,
      }),
      row("submit → running, p99", percentile(seen, 0.99), "ms"),
    ];
  },
};
