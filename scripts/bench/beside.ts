// How long a read waits while others submit: a process of its own asks, one question after the other.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pinnedTls } from "../../src/wire/pinned";
import { Cluster } from "../../test/support/cluster";
import { concurrently, median, percentile, repeated, row, type Bench, type Row } from "./figure";

const SECONDS = 4;
const PATH = "/v1/runs?limit=1";
const JOB = { command: ["/bin/true"], resources: { cpu: "10m", memory: "4MiB" } };

interface Asked {
  readonly p50: number;
  readonly p99: number;
}

/** Asks from a second process for some seconds. */
async function asked(cluster: Cluster): Promise<Asked> {
  const file = (name: string): string => readFileSync(join(cluster.data, "server", name), "utf8").trim();
  const argv = [process.execPath, import.meta.path, cluster.url, file("admin.token"), file("certificate.pem")];
  const child = Bun.spawn(argv, { stdout: "pipe", stderr: "inherit" });
  const [out, code] = await Promise.all([new Response(child.stdout).text(), child.exited]);
  if (code !== 0) throw new Error(`the asking process ended with ${code}`);
  return JSON.parse(out) as Asked;
}

async function beside(cluster: Cluster, submitters: number): Promise<Asked> {
  const client = cluster.client();
  let over = false;
  const submitting = concurrently(submitters, submitters, async () => {
    while (!over) await client.run({ name: null, project: null, job: JOB, wait_for_nodes: false });
  });
  try {
    return await asked(cluster);
  } finally {
    over = true;
    await submitting;
  }
}

export const besideSubmits: Bench = {
  name: "beside",
  about: "how long a read takes while 16 and 64 connections submit",
  async measure({ runs, say }) {
    const rows: Row[] = [];
    for (const submitters of [16, 64]) {
      say(`${submitters} submitters`);
      const cluster = await Cluster.start({ name: "bench", agents: ["n1", "n2"], capacity: "cpu=80m,memory=32MiB" });
      try {
        const found = await repeated(runs, async () => beside(cluster, submitters));
        const what = `GET ${PATH} beside ${submitters} that submit`;
        rows.push(row(`${what}, p50`, median(found.map(({ p50 }) => p50)), "ms"));
        rows.push(row(`${what}, p99`, median(found.map(({ p99 }) => p99)), "ms", { at_most: 10 }));
      } finally {
        await cluster.close();
      }
    }
    return rows;
  },
};

if (import.meta.main) {
  const [url = "", token = "", certificate = ""] = process.argv.slice(2);
  const tls = pinnedTls(certificate);
  const until = performance.now() + SECONDS * 1000;
  const took: number[] = [];
  while (performance.now() < until) {
    const began = performance.now();
    const answer = await fetch(`${url}${PATH}`, { headers: { authorization: `Bearer ${token}` }, tls });
    await answer.arrayBuffer();
    if (!answer.ok) throw new Error(`${PATH}: ${answer.status}`);
    took.push(performance.now() - began);
  }
  const later = took.slice(Math.floor(took.length / 10));
  console.log(JSON.stringify({ p50: percentile(later, 0.5), p99: percentile(later, 0.99) }));
}
