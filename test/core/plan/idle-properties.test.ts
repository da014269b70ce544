// Idle cards under pressure: who is stopped had asked for it and was in somebody's way, and planning comes to rest.

import { describe, expect, test } from "bun:test";
import { RECLAIMED_BY } from "../../../src/core/plan/idle";
import { plan } from "../../../src/core/plan/plan";
import type { Plan } from "../../../src/core/pass/snapshot";
import { printPlan } from "../../support/print-plan";
import { diceOf, type Dice } from "../../support/random";
import { end, put, snapshotOf, type RandomCluster } from "../../support/random-cluster";
import { holdIdle, idleLives, randomIdle } from "../../support/random-idle";
import { submitCards, wideCluster } from "../../support/wide-cluster";

const SEEDS = 300;
const PASSES = 16;
const TICK_MS = 5_000;

/** Runs come, begin, use their cards or not, and end: by themselves, or as they are told. */
function live(cluster: RandomCluster, dice: Dice): void {
  for (let n = dice.below(4); n > 0; n--) submitCards(cluster, dice, randomIdle(dice));
  for (const task of cluster.state.tasks.values()) {
    if (task.desired === "stop") end(cluster, task, "stopped", null);
    else if (task.observed.state !== "running") {
      const observed = { state: "running" as const, pid: 1, started_ms: cluster.now_ms };
      put(cluster, { table: "tasks", key: task.uid, row: { ...task, observed } });
    } else if (dice.chance(0.05)) end(cluster, task, "succeeded", 0);
  }
  cluster.now_ms += TICK_MS;
  idleLives(dice, cluster.idle, cluster.state.tasks.values(), TICK_MS);
}

function tellOnce(cluster: RandomCluster, { ops }: Plan): void {
  for (const op of ops) {
    const fact = op.op === "notify" ? cluster.idle.get(op.task.uid) : undefined;
    if (op.op === "notify" && fact !== undefined) cluster.idle.set(op.task.uid, { ...fact, told: true });
  }
}

describe("idle cards among many who wait", () => {
  test(`${SEEDS} clusters: only who asked for it gives cards back, and only for somebody`, () => {
    const seen = { wanted: 0, told: 0 };
    for (let seed = 1; seed <= SEEDS; seed++) {
      const dice = diceOf(seed);
      const cluster = wideCluster(dice);
      for (let pass = 0; pass < PASSES; pass++) {
        live(cluster, dice);
        const snapshot = snapshotOf(cluster);
        const planned = plan(snapshot);
        const demand = (holds: boolean, what: string): void => {
          if (!holds) throw new Error(`seed ${seed}, pass ${pass}: ${what}\n${printPlan(planned, snapshot)}`);
        };
        for (const op of planned.ops) {
          if (op.op === "stop") holdIdle(snapshot, op.task, op.why, planned.blocked.length > 0, demand);
          if (op.op === "run" && op.run.cancel?.by === RECLAIMED_BY && op.why.endsWith(" waits for a card"))
            seen.wanted++;
          if (op.op === "notify") seen.told++;
        }
        put(cluster, ...planned.changes);
        tellOnce(cluster, planned);
        demand(plan(snapshotOf(cluster)).ops.length === 0, "planning again does more");
      }
    }
    expect(seen.wanted).toBeGreaterThan(SEEDS / 3);
    expect(seen.told).toBeGreaterThan(SEEDS / 3);
  }, 60_000);
});
