// Whether memory grows for ever: a quarter of an hour of steady work on every path, with the slope of each part's
// resident memory after the first third, in which caches and heaps fill.

import { pause } from "../../src/os/clock";
import type { Client } from "../../src/wire/client";
import { Cluster } from "../../test/support/cluster";
import { memoryOf, processesOf } from "../../test/support/processes";
import { row, type Bench, type Row } from "./figure";

const MINUTES = 15;
const MS_A_MINUTE = 60_000;
const MB = 1e6;
const EVERY_MS = 5_000;
/** Jobs a second. */
const RATE = 20;

const JOB = { command: ["sh", "-c", "echo one line"], resources: { cpu: "10m", memory: "4MiB" } };

interface Sample {
  readonly at_min: number;
  readonly rss_mb: number;
}

/** Returns the slope of the least-squares line through the samples, in MB an hour. */
function slope(samples: readonly Sample[]): number {
  const mean = (of: (sample: Sample) => number): number =>
    samples.reduce((sum, one) => sum + of(one), 0) / samples.length;
  const x = mean(({ at_min }) => at_min);
  const y = mean(({ rss_mb }) => rss_mb);
  const up = samples.reduce((sum, { at_min, rss_mb }) => sum + (at_min - x) * (rss_mb - y), 0);
  const across = samples.reduce((sum, { at_min }) => sum + (at_min - x) ** 2, 0);
  return (up / across) * 60;
}

const submit = async (client: Client): Promise<number> =>
  (await client.run({ name: null, project: null, job: JOB, wait_for_nodes: false })).run;

/** Opens a watch, and leaves it when the first change has come. The caller makes that change. */
async function glance(client: Client): Promise<void> {
  const watch = new AbortController();
  for await (const event of client.watch(undefined, watch.signal)) if (event.kind !== "resync") break;
  watch.abort();
}

/** Submits jobs, reads lists and logs, and opens and leaves watches until told to stop. Returns how many jobs. */
async function work(client: Client, stop: AbortSignal): Promise<number> {
  let jobs = 0;
  while (!stop.aborted) {
    const glanced = jobs % 20 === 19 ? glance(client) : null;
    const run = await submit(client);
    jobs++;
    if (glanced !== null) {
      await Promise.all([client.tasks({ all: true, limit: 100 }), client.runs({ limit: 100 }), client.nodes()]);
      const { bytes } = await client.logs(`${run - 10}`);
      for await (const chunk of bytes) if (chunk.length === 0) break;
      await submit(client);
      await glanced;
    }
    await pause(1000 / RATE, stop);
  }
  return jobs;
}

async function sampled(pids: ReadonlyMap<string, number>, say: (line: string) => void): Promise<Map<string, Sample[]>> {
  const samples = new Map<string, Sample[]>([...pids.keys()].map((name) => [name, []]));
  const started = performance.now();
  for (let n = 0, at_min = 0; at_min < MINUTES; n++) {
    await pause(EVERY_MS);
    at_min = (performance.now() - started) / MS_A_MINUTE;
    for (const [name, pid] of pids) samples.get(name)?.push({ at_min, rss_mb: memoryOf(pid).rss_bytes / MB });
    const now = [...samples].map(([name, all]) => `${name} ${all.at(-1)?.rss_mb.toFixed(0)} MB`).join(", ");
    if (n % 12 === 0) say(`${at_min.toFixed(0)} min: ${now}`);
  }
  return samples;
}

async function measure({ say }: { say(line: string): void }): Promise<Row[]> {
  const cluster = await Cluster.start({ name: "bench", agents: ["n1", "n2"] });
  const stop = new AbortController();
  try {
    const client = cluster.client();
    const working = work(client, stop.signal);
    // The keeper is there from the first task on.
    await cluster.until("a job to end", (tasks) => tasks.some(({ state }) => state === "succeeded"));
    const keeper = processesOf(cluster.dir).find(({ command }) => /\bkeeper\b/.test(command));
    const pids = new Map([
      ["server", cluster.server?.pid ?? 0],
      ["agent", cluster.agent("n1").pid],
      ...(keeper === undefined ? [] : ([["keeper", keeper.pid]] as const)),
    ]);
    const samples = await sampled(pids, say);
    stop.abort();
    const jobs = await working;
    return [...samples].map(([name, all]) => {
      const late = all.filter(({ at_min }) => at_min > MINUTES / 3);
      return row(`${name}: slope of RSS over ${MINUTES} min, ${jobs} jobs`, slope(late), "MB/h");
    });
  } finally {
    stop.abort();
    await cluster.close();
  }
}

export const memorySlope: Bench = {
  name: "slope",
  about: `growth of memory over ${MINUTES} minutes of steady work (only when named: it takes that long)`,
  named: true,
  measure,
};
