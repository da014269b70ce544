// The steps of a pass as values: each gives the same answer when it is asked again, and changes nothing that it reads.

import { describe, expect, test } from "bun:test";
import { begin } from "../../../src/core/pass/begin";
import { queue } from "../../../src/core/place/queue";
import { schedule } from "../../../src/core/schedule/schedule";
import { reclaimIdle } from "../../../src/core/plan/idle";
import { plan } from "../../../src/core/plan/plan";
import { reconcile } from "../../../src/core/plan/reconcile";
import {
  buildFinal,
  buildNode,
  buildRun,
  buildSnapshot,
  buildSpec,
  buildState,
  buildTask,
  buildWorkload,
  uidOf,
} from "../../support/build";
import type { SlotRow } from "../../../src/core/model/rows-work";
import { slotAfterEnd } from "../../../src/core/pass/slot";
import { DEFAULT_LIMITS } from "../../../src/core/pass/limits";
import { diceOf } from "../../support/random";
import { live, put, randomCluster, snapshotOf } from "../../support/random-cluster";

const SEEDS = 12;
const TICKS = 25;

/** Asks twice, and gives the answer if both are the same. */
function twice<T>(ask: () => T): T {
  const first = ask();
  expect(ask()).toEqual(first);
  return first;
}

test("every step answers the same when it is asked twice", () => {
  const seen = { demands: 0, waits: 0, stops: 0, placed: 0, wakes: 0 };
  for (let seed = 1; seed <= SEEDS; seed++) {
    const dice = diceOf(seed);
    const cluster = randomCluster(dice);
    for (let tick = 0; tick < TICKS; tick++) {
      const snapshot = snapshotOf(cluster);
      const { pass } = twice(() => begin(snapshot));
      const reconciled = twice(() => reconcile(pass));
      const order = twice(() => queue(reconciled.demands));
      const placed = twice(() => schedule(pass, order, reconciled));
      twice(() => reclaimIdle(pass, placed));
      seen.demands += reconciled.demands.length;
      seen.waits += reconciled.waits.length;
      seen.stops += reconciled.stopped.size;
      seen.placed += placed.placed.length;
      seen.wakes += reconciled.wake_at_ms === null ? 0 : 1;
      put(cluster, ...plan(snapshot).changes);
      live(cluster, dice);
    }
  }
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(20);
});

describe("an exclusive slot", () => {
  const spec = buildSpec({ exclusive: true });
  const db = buildWorkload("shop", "db", "spec", { settings: { replicas: 2 } });
  const waiting = (
    name: string,
    runs: ReturnType<typeof buildRun>[] = [],
    said: { project?: string } = { project: db.project },
    slots: SlotRow[] = [],
  ): string[] => {
    const node = buildNode("a", { orphans: [{ uid: uidOf(name), name, pid: 4, held: null, ...said }] });
    const state = buildState({ nodes: [node], workloads: runs.length === 0 ? [db] : [], runs, slots });
    const { blocked } = plan(buildSnapshot(state, { specs: { spec } }));
    return blocked.flatMap((one) => (one.summary.startsWith(`waits for ${name} on a`) ? [one.name] : []));
  };
  const CASES: readonly (readonly [orphan: string, waits: readonly string[]])[] = [
    ["shop.db.0", ["shop.db.0"]],
    ["shop.db.1#3", ["shop.db.1"]],
    ["shop.db.0.1#2", ["shop.db.0"]],
    ["shop.db.10", []],
    ["shop.db2.0", []],
    ["stray", []],
  ];
  test.each(CASES)("with an orphan %s on a node makes %j wait", (orphan, waits) =>
    expect(waiting(orphan)).toEqual([...waits]),
  );
  test("of a run waits for an orphan of that run alone", () => {
    expect(waiting("7#2", [buildRun(7, "spec"), buildRun(71, "spec")])).toEqual(["7"]);
    expect(waiting("7.1", [buildRun(7, "spec")])).toEqual(["7"]);
  });
  test("waits for no orphan of another project, and for none that only its node calls so", () => {
    expect(waiting("shop.db.0", [], { project: "other" })).toEqual([]);
    expect(waiting("shop.db.0", [], {})).toEqual([]);
    expect(waiting("7", [buildRun(7, "spec")], {})).toEqual([]);
  });
  test("waits for an orphan whose record cannot be read, on the node that had its attempt", () => {
    const had = (node: string): SlotRow[] => {
      const task = buildTask(db, node);
      return [slotAfterEnd(null, task, buildFinal({ state: "lost" }), db.settings, DEFAULT_LIMITS)];
    };
    expect(waiting("shop.db.0#2", [], {}, had("a"))).toEqual(["shop.db.0"]);
    expect(waiting("shop.db.0#2", [], {}, had("b"))).toEqual([]);
  });
});
