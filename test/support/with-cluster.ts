// One cluster for one test: started, handed over, ended, and proven to have left nothing behind, whatever happened.

import { expect } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Cluster, type ClusterOptions } from "./cluster";

const TAIL = 2_000;

/** The ends of all logs of a cluster's programs: what one wants to see when a test has failed. */
function logsOf(dir: string): string {
  const logs = readdirSync(dir).filter((name) => name.endsWith(".log"));
  return logs.map((name) => `--- ${name}\n${readFileSync(join(dir, name), "utf8").slice(-TAIL)}`).join("\n");
}

export async function withCluster(options: ClusterOptions, body: (cluster: Cluster) => Promise<void>): Promise<void> {
  const cluster = await Cluster.start(options);
  try {
    await body(cluster);
  } catch (error) {
    console.error(logsOf(cluster.dir));
    throw error;
  } finally {
    expect(await cluster.close()).toEqual([]);
  }
}
