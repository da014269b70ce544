// What earlier passes have tried in vain changes no decision, and lets a bounded pass come to everything that waits.

import { describe, expect, test } from "bun:test";
import { DEFAULT_LIMITS } from "../../../src/core/pass/limits";
import type { Plan, Snapshot } from "../../../src/core/pass/snapshot";
import { plan } from "../../../src/core/plan/plan";
import { GIB } from "../../../src/core/units";
import { buildNode, buildRequest, buildRun, buildSpec, buildState, NOW_MS } from "../../support/build";
import { diceOf } from "../../support/random";
import { live, put, randomCluster, randomSpec, snapshotOf, type RandomCluster } from "../../support/random-cluster";

const decided = ({ ops, queue, blocked }: Plan): readonly string[] => [
  ...ops.map((op) => JSON.stringify(op)),
  ...queue,
  ...blocked.map(({ name, summary }) => `${name} ${summary}`),
];

const after = (snapshot: Snapshot, before: Plan | null): Snapshot =>
  before === null || before.tried === null ? snapshot : { ...snapshot, tried: before.tried };

describe("what was tried in vain", () => {
  test("changes no decision, whatever happens between two passes", () => {
    let spared = 0;
    for (let seed = 1; seed <= 50; seed++) {
      const dice = diceOf(seed);
      const cluster = randomCluster(dice);
      let before: Plan | null = null;
      for (let tick = 0; tick < 25; tick++) {
        const run = ++cluster.runs;
        cluster.specs.set(`run ${run}`, randomSpec(dice, "job"));
        const row = buildRun(run, `run ${run}`, { created_ms: cluster.now_ms - dice.pick([0, 3_600_000]) });
        put(cluster, { table: "runs", key: row.uid, row });
        const snapshot = snapshotOf(cluster);
        const planned: Plan = plan(after(snapshot, before));
        spared +=
          planned.tried?.shapes
            .values()
            .filter((pass) => pass < (planned.tried?.pass ?? 0))
            .toArray().length ?? 0;
        expect([`seed ${seed}, tick ${tick}`, ...decided(planned)]).toEqual([
          `seed ${seed}, tick ${tick}`,
          ...decided(plan(snapshot)),
        ]);
        before = planned;
        // Some passes fail to be committed.
        if (dice.chance(0.9)) put(cluster, ...planned.changes);
        if (dice.chance(0.5)) live(cluster, dice);
      }
    }
    expect(spared).toBeGreaterThan(200);
  }, 60_000);

  test("is not searched again: 900 requests wait on 50 nodes, and a steady pass looks at nothing", () => {
    const { cluster, limits } = crowd(50, 900, 1_000_000);
    const first = plan({ ...snapshotOf(cluster), limits });
    expect(first.tried?.shapes.size).toBe(900);
    // The bound would stop the first search of a second pass.
    const second = plan(after({ ...snapshotOf(cluster), limits: { ...limits, node_checks: 0 } }, first));
    expect(second.blocked.map(({ name }) => name)).toEqual(first.blocked.map(({ name }) => name));
    expect(second.blocked.at(-1)?.summary).toBe(first.blocked.at(-1)?.summary ?? "");
    expect(second.more).toBe(false);
  });

  test("lets a bounded pass go on where the last one stopped, although something ends all the time", () => {
    const { cluster, limits } = crowd(10, 600, 2_000);
    cluster.specs.set("small", buildSpec({ request: buildRequest({ cpu_milli: 100, memory_bytes: GIB }) }));
    const last = buildRun(9_999, "small");
    put(cluster, { table: "runs", key: last.uid, row: last });
    let before: Plan | null = null;
    let passes = 0;
    for (; passes < 40 && (before?.ops.length ?? 0) === 0; passes++) {
      before = plan(after({ ...snapshotOf(cluster), limits }, before));
      // The node says something new after every pass, so that everything is tried there again.
      const node = cluster.state.nodes.get(`n${passes % 2}`);
      put(cluster, { table: "nodes", key: node?.id ?? "", row: node === undefined ? null : { ...node } });
    }
    expect(before?.ops.map((op) => op.op)).toContain("place");
    expect(passes).toBeGreaterThan(3);
    expect(passes).toBeLessThan(12);
  });

  test("a pass that reaches its bound and has found out nothing is followed by one a second later", () => {
    const { cluster, limits } = crowd(10, 60, 0);
    const planned = plan({ ...snapshotOf(cluster), limits });
    expect([planned.more, planned.wake_at_ms]).toEqual([false, NOW_MS + 1_000]);
  });
});

/** Nodes that are nearly full, and runs that all ask for something else, of which none fits. */
function crowd(nodes: number, runs: number, node_checks: number) {
  const list = Array.from({ length: nodes }, (_, n) => buildNode(`n${n}`, { ordinal: n + 1 }));
  const specs = new Map([["full", buildSpec({ request: buildRequest({ cpu_milli: 7_000, memory_bytes: GIB }) })]]);
  const rows = Array.from({ length: nodes }, (_, n) => buildRun(n + 1, "full"));
  for (let n = 0; n < runs; n++) {
    const request = buildRequest({ cpu_milli: 2_000 + n, memory_bytes: GIB });
    specs.set(`waits ${n}`, buildSpec({ request }));
    rows.push(buildRun(nodes + 1 + n, `waits ${n}`));
  }
  const contacts = new Map(list.map((node) => [node.id, { connected: true, silent_ms: 0 }]));
  const state = buildState({ nodes: list, runs: rows.slice(0, nodes) });
  const cluster: RandomCluster = { state, now_ms: NOW_MS, specs, contacts, idle: new Map(), runs: 0, passes: 0 };
  put(cluster, ...plan(snapshotOf(cluster)).changes);
  for (const row of rows.slice(nodes)) put(cluster, { table: "runs", key: row.uid, row });
  return { cluster, limits: { ...DEFAULT_LIMITS, node_checks } };
}
