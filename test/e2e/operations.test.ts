// What one small job costs in operations, wherever it runs: a change that makes its way longer fails here. A machine
// that is slow or busy changes none of these numbers.

import { expect, test } from "bun:test";
import { Watched } from "../../scripts/bench/watched";
import { Cluster } from "../support/cluster";
import { counted, PARTS, type Operations, type Part } from "../support/operations";

const JOBS = 20;
const SMALL = { cpu: "10m", memory: "4MiB" };

/**
 * The most operations a job: a quarter more than one job needs, since heartbeats and the end of the job before may fall
 * into the count.
 */
const BUDGET: Readonly<Record<Part, Operations>> = {
  server: { syncs: 3.4, files: 0, messages: 9, message_bytes: 7_000, processes: 0, moves: 0 },
  agent: { syncs: 1.25, files: 4.25, messages: 4.5, message_bytes: 4_000, processes: 0, moves: 0 },
  keeper: { syncs: 1.25, files: 10.25, messages: 2.5, message_bytes: 450, processes: 1, moves: 0 },
};

const strace = Bun.which("strace");
const title = "the way of a job is no longer than it was";

test.skipIf(strace === null)(
  strace === null ? `${title} (skipped: strace is not installed (Debian: strace))` : title,
  async () => {
    const cluster = await Cluster.start({ name: "operations", agents: ["n1"] });
    const client = cluster.client();
    const watched = await Watched.open(client);
    const submit = (command: string[]) =>
      client.run({ name: null, project: null, job: { command, resources: SMALL }, wait_for_nodes: false });
    const runOne = async (): Promise<void> => {
      let run = -1;
      const over = new Set<number>();
      const ended = watched.until(
        (event) => {
          if (event.kind === "run" && event.run.finished_ms !== null) over.add(event.run.run);
          return over.has(run);
        },
        20_000,
        "the job to end",
      );
      ({ run } = await submit(["/bin/true"]));
      await ended;
    };
    try {
      // The keeper stays as long as it has a task.
      const { run } = await submit(["sleep", "1000"]);
      for (let n = 0; n < 3; n++) await runOne();
      const found = await counted(cluster, "n1", async () => {
        for (let n = 0; n < JOBS; n++) await runOne();
      });
      await client.cancel(run);
      const over = PARTS.flatMap((part) =>
        Object.entries(BUDGET[part]).flatMap(([name, most]) => {
          const each = found[part][name as keyof Operations] / JOBS;
          return each > most ? [`${part}: ${each} ${name} a job, at most ${most}`] : [];
        }),
      );
      expect(over).toEqual([]);
      expect(found.keeper.processes).toBe(JOBS);
    } finally {
      await watched.close();
      expect(await cluster.close()).toEqual([]);
    }
  },
  120_000,
);
