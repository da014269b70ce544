// Nodes with room for everything except cards, and more runs than cards, for testing properties of cards.

import { GIB } from "../../src/core/units";
import type { Settings } from "../../src/core/model/workload";
import { buildNode, buildRun, buildSpec, buildState, NOW_MS } from "./build";
import type { Dice } from "./random";
import { randomCards, randomGpu } from "./random-cards";
import { put, type RandomCluster } from "./random-cluster";

export function wideCluster(dice: Dice): RandomCluster {
  const nodes = Array.from({ length: 1 + dice.below(3) }, (_, n) =>
    buildNode(`n${n}`, {
      ordinal: n + 1,
      devices: randomCards(dice, `n${n}`),
      capacity: { cpu_milli: 1_000_000, memory_bytes: 10_000 * GIB },
    }),
  );
  const contacts = new Map(nodes.map((node) => [node.id, { connected: true, silent_ms: 0 }]));
  const state = buildState({ nodes });
  return { state, now_ms: NOW_MS, specs: new Map(), contacts, idle: new Map(), runs: 0, passes: 0 };
}

/** Adds a run that asks for cards. */
export function submitCards(cluster: RandomCluster, dice: Dice, settings: Partial<Settings> = {}): void {
  const run = ++cluster.runs;
  const request = { gpu: randomGpu(dice), cpu_milli: 100, memory_bytes: GIB };
  cluster.specs.set(`run ${run}`, buildSpec({ origin: "run", request }));
  const row = buildRun(run, `run ${run}`, { settings });
  put(cluster, { table: "runs", key: row.uid, row });
}
