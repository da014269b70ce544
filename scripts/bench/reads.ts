// API reads per second: a process of its own asks over kept connections while the server has some work to show.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pinnedTls } from "../../src/wire/pinned";
import { Cluster } from "../../test/support/cluster";
import { median, repeated, row, type Bench, type Row } from "./figure";

const WIDTH = 32;
const SECONDS = 3;
const PATHS = ["/v1/health", "/v1/nodes", "/v1/tasks?limit=100", "/v1/runs?all=true&limit=100"];
const REPLICAS = 20;
const APP =
  "app: bench\nservices:\n  web:\n    command: [sleep, '86400']\n" +
  `    replicas: ${REPLICAS}\n    resources: { cpu: 10m, memory: 4MiB }\n`;

/** Sends requests from a second process for some seconds and returns the answers per second. */
async function asked(url: string, token: string, certificate: string, path: string): Promise<number> {
  const argv = [process.execPath, import.meta.path, url, token, certificate, path];
  const child = Bun.spawn(argv, { stdout: "pipe", stderr: "inherit" });
  const [out, code] = await Promise.all([new Response(child.stdout).text(), child.exited]);
  if (code !== 0) throw new Error(`the asking process ended with ${code}`);
  return Number(out);
}

async function ask(url: string, token: string, certificate: string, path: string): Promise<number> {
  const tls = pinnedTls(certificate);
  const until = performance.now() + SECONDS * 1000;
  let answers = 0;
  await Promise.all(
    Array.from({ length: WIDTH }, async () => {
      while (performance.now() < until) {
        const answer = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` }, tls });
        await answer.arrayBuffer();
        if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
        answers++;
      }
    }),
  );
  return answers / SECONDS;
}

export const reads: Bench = {
  name: "reads",
  about: "API reads per second, 32 kept connections from a second process",
  async measure({ runs }) {
    const cluster = await Cluster.start({ name: "bench", agents: ["n1", "n2"] });
    try {
      await cluster.apply(APP);
      await cluster.until(
        "the service to run",
        (tasks) => tasks.filter(({ state }) => state === "running").length === REPLICAS,
      );
      const file = (name: string): string => readFileSync(join(cluster.data, "server", name), "utf8").trim();
      const [token, certificate] = [file("admin.token"), file("certificate.pem")];
      const rows: Row[] = [];
      for (const path of PATHS) {
        const rates = await repeated(runs, async () => asked(cluster.url, token, certificate, path));
        rows.push(row(`GET ${path}`, median(rates), "reads/s"));
      }
      return rows;
    } finally {
      await cluster.close();
    }
  },
};

if (import.meta.main) {
  const [url = "", token = "", certificate = "", path = ""] = process.argv.slice(2);
  console.log(await ask(url, token, certificate, path));
}
