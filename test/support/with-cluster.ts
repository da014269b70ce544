// One cluster for one test: it is started, handed over, ended, and proven to have left nothing behind, whatever
// happens.

import { expect } from "bun:test";
import { Cluster, type ClusterOptions } from "./cluster";
import { logsOf } from "./logs";

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
