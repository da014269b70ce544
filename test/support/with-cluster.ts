// One cluster for one test: it is started, handed over, ended, and proven to have left nothing behind, whatever
// happens.

import { expect } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Cluster, type ClusterOptions } from "./cluster";

const TAIL = 2_000;

/** Returns the ends of all logs of a cluster's programs, for the message of a failed test. */
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
