// Submit to the first instruction of the job, by the job's own clock: over the API to a fresh server and to a warm one,
// and by `orch run -d` as a whole process.

import { readdirSync, readFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import type { Client } from "../../src/wire/client";
import { Cluster } from "../../test/support/cluster";
import { waitUntil } from "../../test/support/wait";
import { percentile, repeated, row, type Bench } from "./figure";

const COLD = 100;
const WARM = 300;
const TYPED = 50;

/** The job says when it begins. What its own start costs is in the figure: `date` is a process like any other. */
const command = ["date", "+%s%N"];
const JOB = { command, resources: { cpu: "10m", memory: "4MiB" }, workdir: "/" };

const wall = (): number => performance.timeOrigin + performance.now();

/** Returns what the only new task of an agent has printed, once it has. */
async function printed(cluster: Cluster, known: Set<string>): Promise<number> {
  const dirs = ["tasks", "ended"].map((name) => join(cluster.dataOf("n1"), "agent", name));
  return waitUntil("the job to say when it began", () => {
    for (const dir of dirs) {
      for (const uid of existsSync(dir) ? readdirSync(dir) : []) {
        const out = join(dir, uid, "stdout");
        if (known.has(uid) || !existsSync(out)) continue;
        const [text] = /^\d{19}\n/.exec(readFileSync(out, "utf8")) ?? [];
        if (text === undefined) continue;
        known.add(uid);
        return Number(text.slice(0, 13)) + Number(text.slice(13, 19)) / 1e6;
      }
    }
    return null;
  });
}

async function submitted(cluster: Cluster, known: Set<string>, submit: () => Promise<void>): Promise<number> {
  const at = wall();
  await submit();
  return (await printed(cluster, known)) - at;
}

const byApi = (client: Client) => async (): Promise<void> => {
  await client.run({ name: null, project: null, job: JOB, wait_for_nodes: false });
};

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
      const known = new Set<string>();
      const submit = byApi(cluster.client());
      try {
        cold.push(...(await repeated(COLD, async () => submitted(cluster, known, submit))));
        warm.push(...(await repeated(WARM, async () => submitted(cluster, known, submit))));
        const small = ["--cpu", "10m", "--memory", "4MiB", "--workdir", "/"];
        const type = async (): Promise<void> => {
          const started = performance.now();
          await cluster.ok("run", "-d", ...small, "--", ...command);
          took.push(performance.now() - started);
        };
        typed.push(...(await repeated(TYPED, async () => submitted(cluster, known, type))));
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
    ];
  },
};
