// Cards under pressure: nodes with room for everything else, and more runs than cards. The book is kept twice.

import { describe, expect, test } from "bun:test";
import { plan } from "../../../src/core/plan/plan";
import { holdCards, holdChoices } from "../../support/card-rules";
import { printPlan } from "../../support/print-plan";
import { diceOf, type Dice } from "../../support/random";
import { cardsLive } from "../../support/random-cards";
import { end, put, snapshotOf, type RandomCluster } from "../../support/random-cluster";
import { submitCards, wideCluster } from "../../support/wide-cluster";

const SEEDS = 400;
const PASSES = 12;

/** Runs end, and others and bad luck come over the cards. */
function live(cluster: RandomCluster, dice: Dice): void {
  for (let n = dice.below(6); n > 0; n--) submitCards(cluster, dice);
  for (const task of cluster.state.tasks.values()) if (dice.chance(0.2)) end(cluster, task, "succeeded", 0);
  for (const node of cluster.state.nodes.values()) {
    const devices = cardsLive(dice, node.devices);
    if (dice.chance(0.4)) put(cluster, { table: "nodes", key: node.id, row: { ...node, devices } });
  }
  cluster.now_ms += 1_000;
}

describe("cards that are asked for by many", () => {
  test(`${SEEDS} clusters: none is promised beyond what it has, and the smallest that does is taken`, () => {
    let placed = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const dice = diceOf(seed);
      const cluster = wideCluster(dice);
      for (let pass = 0; pass < PASSES; pass++) {
        live(cluster, dice);
        const snapshot = snapshotOf(cluster);
        const planned = plan(snapshot);
        placed += planned.ops.filter(({ op }) => op === "place").length;
        const demand = (holds: boolean, what: string): void => {
          if (!holds) throw new Error(`seed ${seed}, pass ${pass}: ${what}\n${printPlan(planned, snapshot)}`);
        };
        holdChoices(snapshot, planned.ops, demand);
        put(cluster, ...planned.changes);
        holdCards(cluster.state, demand);
        demand(plan(snapshotOf(cluster)).ops.length === 0, "planning again does more");
      }
    }
    expect(placed).toBeGreaterThan(SEEDS * 5);
  }, 60_000);
});
