// What earlier passes have tried in vain changes no decision, and lets a bounded pass come to everything that waits.

import { describe, expect, test } from "bun:test";
import { DEFAULT_LIMITS } from "../../../src/core/pass/limits";
import type { NodeRow } from "../../../src/core/model/rows-node";
import type { RunRow } from "../../../src/core/model/rows-work";
import type { TaskSpec } from "../../../src/core/model/workload";
import type { Plan, Snapshot } from "../../../src/core/pass/snapshot";
import { plan } from "../../../src/core/plan/plan";
import { GIB } from "../../../src/core/units";
import {
  buildDevice,
  buildGpu,
  buildNode,
  buildRequest,
  buildRun,
  buildSpec,
  buildState,
  buildWorkload,
  NOW_MS,
} from "../../support/build";
import { diceOf, type Dice } from "../../support/random";
import {
  end,
  live,
  put,
  randomCluster,
  randomSpec,
  snapshotOf,
  type RandomCluster,
} from "../../support/random-cluster";

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
    for (let seed = 1; seed <= 50; seed++) spared += liveThrough(seed, randomCluster);
    expect(spared).toBeGreaterThan(200);
  }, 60_000);

  test("changes none of those about company and ports either", () => {
    let spared = 0;
    for (let seed = 1; seed <= 60; seed++) spared += liveThrough(seed, sociableCluster);
    expect(spared).toBeGreaterThan(1_000);
  }, 60_000);

  test("has company and ports in it: what waits is searched for again only where something has changed", () => {
    const port = { name: "http", target: null, published: 80, bind: "cluster" as const };
    const { cluster, limits } = crowd(50, 0, 1_000_000);
    const request = buildRequest({ cpu_milli: 2_000, memory_bytes: GIB });
    cluster.specs.set("port", buildSpec({ request, ports: [port] }));
    cluster.specs.set("follows", buildSpec({ request, place: { together_with: ["leads"] } }));
    cluster.specs.set("alone", buildSpec({ request, place: { apart_from: ["leads"] } }));
    cluster.specs.set("leads", buildSpec({ request }));
    for (let app = 0; app < 20; app++) {
      for (const name of ["port", "alone", "leads", "follows"]) {
        const row = buildWorkload(`app${app}`, name, name);
        put(cluster, { table: "workloads", key: row.uid, row });
      }
    }
    const first = plan({ ...snapshotOf(cluster), limits });
    expect(first.blocked).toHaveLength(80);
    const second = plan(after({ ...snapshotOf(cluster), limits: { ...limits, node_checks: 0 } }, first));
    expect(second.blocked.map(({ name, summary }) => `${name} ${summary}`)).toEqual(
      first.blocked.map(({ name, summary }) => `${name} ${summary}`),
    );
    expect([second.more, second.ops]).toEqual([false, []]);
    // One task ends: its node alone has more room.
    const [task] = cluster.state.tasks.values();
    if (task !== undefined) end(cluster, task, "succeeded", 0);
    expect(plan(after(snapshotOf(cluster), second)).ops.map((op) => op.op)).toContain("place");
  });

  test("is forgotten for the other agent of a machine when one is given up, with the card that it held", () => {
    const devices = [buildDevice("card")];
    const [a, b] = ["a", "b"].map((name, n) =>
      buildNode(name, { ordinal: n + 1, devices, fingerprint: "machine", boot_id: "boot" }),
    );
    const cluster = clusterOf([a, b].filter((node) => node !== undefined));
    for (const [run, host] of ["b", "a"].entries()) {
      cluster.specs.set(
        `on ${host}`,
        buildSpec({ request: buildRequest({ gpu: buildGpu() }), place: { hosts: [host] } }),
      );
      const row = buildRun(run + 1, `on ${host}`);
      put(cluster, { table: "runs", key: row.uid, row });
    }
    const first = plan(snapshotOf(cluster));
    expect(first.blocked.map(({ name }) => name)).toEqual(["2"]);
    put(cluster, ...first.changes);
    const second = plan(after(snapshotOf(cluster), first));
    put(cluster, { table: "nodes", key: "b", row: null });
    const third = plan(after(snapshotOf(cluster), second));
    expect(third.ops.flatMap((op) => (op.op === "place" ? [op.task.run] : []))).toEqual([2]);
  });

  test("is tried again by companions where there is less room, since one of them takes another card then", () => {
    const devices = [
      buildDevice("small", { model: "S", memory_bytes: 24 * GIB, index: 0 }),
      buildDevice("large", { model: "L", memory_bytes: 80 * GIB, index: 1 }),
    ];
    const held = [0, 1].map((index) => buildDevice(`held-${index}`, { model: "S", memory_bytes: 24 * GIB, index }));
    const cluster = clusterOf([buildNode("n", { devices }), buildNode("busy", { ordinal: 2, devices: held })]);
    cluster.specs.set("holds", buildSpec({ request: buildRequest({ gpu: buildGpu({ count: 2, models: ["S"] }) }) }));
    const holds = buildRun(9, "holds", { settings: { priority: 2 } });
    put(cluster, { table: "runs", key: holds.uid, row: holds });
    const share = (gib: number) => buildRequest({ gpu: buildGpu({ share_bytes: gib * GIB }) });
    // By itself the leader takes a part of the smaller card, which its follower needs whole.
    cluster.specs.set("leads", buildSpec({ request: share(10) }));
    const whole = buildRequest({ gpu: buildGpu({ models: ["S"] }) });
    cluster.specs.set("follows", buildSpec({ request: whole, place: { together_with: ["leads"] } }));
    for (const name of ["leads", "follows"]) {
      const row = buildWorkload("app", name, name, { settings: { priority: 1 } });
      put(cluster, { table: "workloads", key: row.uid, row });
    }
    cluster.specs.set("opens", buildSpec({ request: share(40) }));
    const opens = buildRun(1, "opens");
    put(cluster, { table: "runs", key: opens.uid, row: opens });
    const first = plan(snapshotOf(cluster));
    const placed = ({ ops }: Plan): string[] => ops.flatMap((op) => (op.op === "place" ? [op.task.workload] : []));
    expect(placed(first)).toEqual(["job-9", "job-1"]);
    put(cluster, ...first.changes);
    expect(placed(plan(after(snapshotOf(cluster), first)))).toEqual(["leads", "follows"]);
  });

  test("is not searched again: 900 requests wait on 50 nodes, and a steady pass looks at nothing", () => {
    const { cluster, limits } = crowd(50, 900, 1_000_000);
    const first = plan({ ...snapshotOf(cluster), limits });
    expect(first.tried?.failures.size).toBe(900);
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

/** Lives through 25 passes, each of which decides as one that remembers nothing. Returns how much was not searched. */
function liveThrough(seed: number, made: (dice: Dice) => RandomCluster): number {
  const dice = diceOf(seed);
  const cluster = made(dice);
  let before: Plan | null = null;
  let spared = 0;
  for (let tick = 0; tick < 25; tick++) {
    const run = ++cluster.runs;
    cluster.specs.set(`run ${run}`, randomSpec(dice, "job"));
    const row = buildRun(run, `run ${run}`, { created_ms: cluster.now_ms - dice.pick([0, 3_600_000]) });
    put(cluster, { table: "runs", key: row.uid, row });
    const snapshot = snapshotOf(cluster);
    const planned: Plan = plan(after(snapshot, before));
    const { pass = 0, failures } = planned.tried ?? {};
    spared += [...(failures?.values() ?? [])].filter((last) => last < pass).length;
    expect([`seed ${seed}, tick ${tick}`, ...decided(planned)]).toEqual([
      `seed ${seed}, tick ${tick}`,
      ...decided(plan(snapshot)),
    ]);
    before = planned;
    // Some passes fail to be committed.
    if (dice.chance(0.9)) put(cluster, ...planned.changes);
    if (dice.chance(0.5)) live(cluster, dice);
  }
  return spared;
}

/** A cluster in which most workloads want to be with others or apart from them, and publish ports. */
function sociableCluster(dice: Dice): RandomCluster {
  const cluster = randomCluster(dice);
  for (const [hash, spec] of cluster.specs) {
    const ports = dice.chance(0.5) ? [{ name: "http", target: null, published: 9000, bind: "cluster" as const }] : [];
    const names = (chance: number): string[] => (dice.chance(chance) ? [`w${dice.below(3)}`] : []);
    const place = { ...spec.place, together_with: names(0.5), apart_from: names(0.3) };
    cluster.specs.set(hash, { ...spec, ports, place });
  }
  for (let n = 0; n < 8; n++) {
    const hash = `more ${n}`;
    const place = { together_with: [`w${dice.below(3)}`] };
    cluster.specs.set(hash, buildSpec({ ...randomSpec(dice, "service"), place, exclusive: false }));
    const row = buildWorkload("app", `more${n}`, hash, { settings: { replicas: 1 + dice.below(3) } });
    put(cluster, { table: "workloads", key: row.uid, row });
  }
  return cluster;
}

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
  const cluster = clusterOf(list, specs, rows.slice(0, nodes));
  put(cluster, ...plan(snapshotOf(cluster)).changes);
  for (const row of rows.slice(nodes)) put(cluster, { table: "runs", key: row.uid, row });
  return { cluster, limits: { ...DEFAULT_LIMITS, node_checks } };
}

function clusterOf(
  nodes: readonly NodeRow[],
  specs = new Map<string, TaskSpec>(),
  runs: readonly RunRow[] = [],
): RandomCluster {
  const contacts = new Map(nodes.map((node) => [node.id, { connected: true, silent_ms: 0 }]));
  const state = buildState({ nodes: [...nodes], runs: [...runs] });
  return { state, now_ms: NOW_MS, specs, contacts, idle: new Map(), runs: 0, passes: 0 };
}
