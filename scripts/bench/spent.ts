// Four agents that share a number of places for small jobs, and the CPU time that each part of orch uses there. Other
// load on the machine changes CPU time less than wall time.

import { Cluster } from "../../test/support/cluster";
import { cpuMs, processesOf } from "../../test/support/processes";

const AGENTS = ["n1", "n2", "n3", "n4"];

/** What a job holds that `/bin/true` does. */
export const SMALL = { cpu: "10m", memory: "4MiB" } as const;

/** Starts a cluster that has this many places for small jobs in all. */
export const startPlaces = async (places: number): Promise<Cluster> => {
  const share = places / AGENTS.length;
  return Cluster.start({ name: "bench", agents: AGENTS, capacity: `cpu=${share * 10}m,memory=${share * 4}MiB` });
};

export type Part = "server" | "agents" | "keepers";

/** Returns the CPU time in ms that each part has used so far. */
export function spent(cluster: Cluster): Readonly<Record<Part, number>> {
  const keepers = AGENTS.flatMap((name) =>
    processesOf(cluster.dataOf(name))
      .filter(({ command }) => /\bkeeper\b/.test(command))
      .map(({ pid }) => pid),
  );
  const sum = (pids: readonly number[]): number => pids.reduce((all, pid) => all + cpuMs(pid), 0);
  return {
    server: sum([cluster.server?.pid ?? 0]),
    agents: sum(AGENTS.map((name) => cluster.agent(name).pid)),
    keepers: sum(keepers),
  };
}
