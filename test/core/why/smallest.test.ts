// Every change that is named as the way out of a wait does what it says: the plan with it places the slot, or leaves it
// waiting for room alone. Tried on slots that wait in clusters that live by chance.

import { describe, expect, test } from "bun:test";
import { formatBytes, formatCpu } from "../../../src/core/format";
import type { Blocked, NamedChange, Snapshot } from "../../../src/core/pass/snapshot";
import { plan } from "../../../src/core/plan/plan";
import { slotKey } from "../../../src/core/model/task";
import { sayChange } from "../../../src/core/why/ways";
import { readCpu, readSize } from "../../../src/spec/grammar/units";
import { diceOf, type Dice } from "../../support/random";
import { live, put, randomCluster, randomSpec, snapshotOf, type RandomCluster } from "../../support/random-cluster";
import { submitCards, wideCluster } from "../../support/wide-cluster";
import { buildGpu, buildRun } from "../../support/build";
import { GIB } from "../../../src/core/units";

const CASES = 2_000;
const TICKS = 12;

describe("the smallest change", () => {
  test(`${CASES} slots that wait: what is named does what it says`, () => {
    const met = { named: 0, runs: 0, waits: 0, gangs: 0, ports: 0, company: 0, shares: 0, links: 0, silent: 0 };
    for (let seed = 1; met.named < CASES; seed++) {
      const dice = diceOf(seed);
      const wide = dice.chance(0.3);
      const cluster = wide ? wideCluster(dice) : randomCluster(dice);
      for (let tick = 0; tick < TICKS; tick++) {
        if (wide) submitCards(cluster, dice);
        else if (dice.chance(0.5)) submit(cluster, dice);
        hold(cluster, seed, met);
        live(cluster, dice);
      }
    }
    expect(met).toMatchObject({ named: met.runs + met.waits });
    for (const [what, count] of Object.entries(met)) expect(`${what} ${count > 10}`).toBe(`${what} true`);
  }, 120_000);
});

function submit(cluster: RandomCluster, dice: Dice): void {
  const run = ++cluster.runs;
  cluster.specs.set(`run ${run}`, randomSpec(dice, "job"));
  const row = buildRun(run, `run ${run}`);
  put(cluster, { table: "runs", key: row.uid, row });
}

type Met = Record<"named" | "runs" | "waits" | "gangs" | "ports" | "company" | "shares" | "links" | "silent", number>;

function hold(cluster: RandomCluster, seed: number, met: Met): void {
  let planned = plan(snapshotOf(cluster));
  for (let passes = 0; planned.ops.length > 0 && passes < 5; passes++) {
    put(cluster, ...planned.changes);
    planned = plan(snapshotOf(cluster));
  }
  if (planned.ops.length > 0) return;
  for (const blocked of planned.blocked) {
    if (blocked.nodes.length === 0) continue;
    if (blocked.changes.length === 0) met.silent++;
    else met.named++;
    const parts = blocked.changes.map(({ changes, outcome }) => ({ outcome, of: changes }));
    const spare = parts.filter(({ of }) =>
      parts.some((less) => less.outcome === "runs" && less.of !== of && less.of.every((one) => of.includes(one))),
    );
    expect(spare).toEqual([]);
    for (const change of blocked.changes) {
      const says = `seed ${seed}: ${blocked.name}: ${blocked.summary}: ${sayChange(change)}`;
      expect(`${says}: ${outcomeOf(cluster, blocked, change)}`).toBe(`${says}: ${change.outcome}`);
      holdText(change);
    }
    count(cluster, blocked, met);
  }
}

/** Plans with the changed request in place of the one that waits. */
function outcomeOf(cluster: RandomCluster, { owner_uid, slot }: Blocked, { spec, outcome }: NamedChange): string {
  const snapshot = snapshotOf(cluster);
  const { state } = snapshot;
  const [runs, workloads] = [new Map(state.runs), new Map(state.workloads)];
  const run = runs.get(owner_uid);
  if (run !== undefined) runs.set(owner_uid, { ...run, spec_hash: "changed" });
  const workload = workloads.get(owner_uid);
  if (workload !== undefined) workloads.set(owner_uid, { ...workload, spec_hash: "changed" });
  const changed: Snapshot = {
    ...snapshot,
    state: { ...state, runs, workloads },
    spec: (hash) => (hash === "changed" ? spec : snapshot.spec(hash)),
  };
  const { ops, blocked } = plan(changed);
  const left = blocked.find((one) => slotKey(one.owner_uid, one.slot) === slotKey(owner_uid, slot));
  // Another slot of the workload may find room first, or have found it without the change.
  if (outcome === "waits" && left !== undefined) return left.kind === "queued" ? "waits" : `never: ${left.summary}`;
  // With all slots of a service changed, one that would have waited beside the others may run.
  if (outcome === "waits" && run === undefined) return "waits";
  // An exclusive slot that moves is placed once its old attempt has ended.
  const moves = ops.some((op) => op.op === "stop" && op.task.owner_uid === owner_uid && op.task.slot === slot);
  if (moves || ops.some((op) => op.op === "place" && op.task.owner_uid === owner_uid)) return "runs";
  return `${left?.kind}: ${left?.summary}`;
}

/** What is named can be typed, and means what was planned. */
function holdText(change: NamedChange): void {
  const text = sayChange(change);
  const { request } = change.spec;
  const memory_bytes = text.includes("of memory") ? (request.memory_bytes ?? GIB) : GIB;
  expect(readSize(formatBytes(memory_bytes))).toMatchObject({ value: memory_bytes });
  const cpu_milli = text.includes("core") ? (request.cpu_milli ?? 100) : 100;
  expect(readCpu(formatCpu(cpu_milli))).toMatchObject({ value: cpu_milli });
  const { count: cards, linked, share_bytes = GIB } = request.gpu ?? buildGpu({ count: 1 });
  expect(cards).toBeGreaterThan(0);
  expect(linked === "demanded" && cards === 1).toBe(false);
  expect(Number.isInteger(share_bytes)).toBe(true);
}

function count(cluster: RandomCluster, blocked: Blocked, met: Met): void {
  const { runs, workloads } = cluster.state;
  const hash = (runs.get(blocked.owner_uid) ?? workloads.get(blocked.owner_uid))?.spec_hash ?? "";
  const spec = cluster.specs.get(hash);
  const [first] = blocked.changes;
  if (first === undefined || spec === undefined) return;
  met[first.outcome]++;
  if (spec.members > 1) met.gangs++;
  if (spec.ports.length > 0) met.ports++;
  if (spec.place.together_with.length + spec.place.apart_from.length > 0) met.company++;
  if (spec.request.gpu?.share_bytes !== undefined) met.shares++;
  if (spec.request.gpu?.linked === "demanded") met.links++;
}
