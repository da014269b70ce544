// Submit to the first instruction of the job, by the job's own clock: over the API to a fresh server and to a warm one,
// and by `orch run -d` as a whole process; and the steps of that way, with the time that each takes.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "../../src/wire/client";
import { Cluster } from "../../test/support/cluster";
import { median, percentile, repeated, row, type Bench, type Row } from "./figure";
import { Watched } from "./watched";

const COLD = 100;
const WARM = 300;
const TYPED = 50;

/** The job says when it begins. What its own start costs is in the figure: `date` is a process like any other. */
const command = ["date", "+%s%N"];
const JOB = { command, resources: { cpu: "10m", memory: "4MiB" }, workdir: "/" };

const wall = (): number => performance.timeOrigin + performance.now();

/** Returns what a run has printed, once it has ended. Nothing is asked while it begins. */
async function printed(client: Client, watched: Watched, ended: Set<number>, run: number): Promise<number> {
  if (!ended.has(run)) await watched.until(() => ended.has(run), 20_000, `run ${run} to end`);
  let text = "";
  for await (const bytes of (await client.logs(String(run))).bytes) text += new TextDecoder().decode(bytes);
  return Number(text.slice(0, 13)) + Number(text.slice(13, 19)) / 1e6;
}

/** Submits jobs one after the other. Returns how long each takes to its first instruction, in ms. */
async function measured(
  cluster: Cluster,
  times: number,
  submit: () => Promise<number>,
  each: (at: number, whole: number) => void = () => undefined,
): Promise<number[]> {
  const client = cluster.client();
  const watched = await Watched.open(client);
  const ended = new Set<number>();
  watched.each((event) => {
    if (event.kind === "run" && event.run.finished_ms !== null) ended.add(event.run.run);
  });
  const took = await repeated(times, async () => {
    const at = wall();
    const run = await submit();
    const whole = (await printed(client, watched, ended, run)) - at;
    each(at, whole);
    return whole;
  });
  await watched.close();
  return took;
}

const byApi = (client: Client) => async (): Promise<number> =>
  (await client.run({ name: null, project: null, job: JOB, wait_for_nodes: false })).run;

/**
 * Measures the steps of warm jobs, from their submission on. The parts note them in one file, one job after the other.
 */
async function steps(): Promise<Row[]> {
  const file = join(tmpdir(), `orch-trace-${process.pid}`);
  const cluster = await Cluster.start({ name: "bench", agents: ["n1"], env: { ORCH_TRACE: file } });
  try {
    const submit = byApi(cluster.client());
    await measured(cluster, COLD, submit);
    const took = new Map<string, number[]>();
    const fresh = (): Promise<number> => {
      writeFileSync(file, "");
      return submit();
    };
    await measured(cluster, COLD, fresh, (at, whole) => {
      let before = at;
      const noted = readFileSync(file, "utf8").split("\n").slice(0, -1);
      const until = noted.findIndex((line) => line.endsWith("keeper: begun"));
      for (const line of noted.slice(0, until + 1)) {
        const [ms = "0", ...step] = line.split(" ");
        took.getOrInsertComputed(step.join(" "), () => []).push(Number(ms) - before);
        before = Number(ms);
      }
      took.getOrInsertComputed("job: begins", () => []).push(at + whole - before);
    });
    return [...took].map(([step, times]) => row(`  step: ${step}, p50`, median(times), "ms"));
  } finally {
    await cluster.close();
    rmSync(file, { force: true });
  }
}

export const first: Bench = {
  name: "first",
  about: "submit to the first instruction of the job, by the job's own clock",
  async measure({ runs }) {
    const cold: number[] = [];
    const warm: number[] = [];
    const typed: number[] = [];
    const took: number[] = [];
    for (let n = 0; n < runs; n++) {
      const cluster = await Cluster.start({ name: "bench", agents: ["n1"] });
      const submit = byApi(cluster.client());
      try {
        cold.push(...(await measured(cluster, COLD, submit)));
        warm.push(...(await measured(cluster, WARM, submit)));
        const small = ["--cpu", "10m", "--memory", "4MiB", "--workdir", "/"];
        const type = async (): Promise<number> => {
          const started = performance.now();
          const out = await cluster.ok("run", "-d", ...small, "--", ...command);
          took.push(performance.now() - started);
          return Number(out);
        };
        typed.push(...(await measured(cluster, TYPED, type)));
      } finally {
        await cluster.close();
      }
    }
    return [
      row("submit → first instruction, API, warm, p50", percentile(warm, 0.5), "ms", { at_most: 3 }),
      row("submit → first instruction, API, warm, p99", percentile(warm, 0.99), "ms", { at_most: 10 }),
      row("the same, first 100 jobs of a fresh server, p50", percentile(cold, 0.5), "ms", { at_most: 8 }),
      row("orch run -d, the whole process, p50", percentile(took, 0.5), "ms", { at_most: 20 }),
      row("orch run -d → first instruction, p50", percentile(typed, 0.5), "ms"),
      ...(await steps()),
    ];
  },
};
