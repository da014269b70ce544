// One pass of the planner over states of some sizes: cold (everything is to be placed) and steady (everything runs).

import { withChanges } from "../../src/core/plan/changes";
import type { Link, NodeDevice } from "../../src/core/model/device";
import { DEFAULT_LIMITS } from "../../src/core/pass/limits";
import type { State } from "../../src/core/model/rows-state";
import type { TaskRow } from "../../src/core/model/rows-task";
import { plan } from "../../src/core/plan/plan";
import { GIB } from "../../src/core/units";
import type { TaskSpec } from "../../src/core/model/workload";
import {
  buildDevice,
  buildGpu,
  buildNode,
  buildRun,
  buildSnapshot,
  buildSpec,
  buildState,
  buildWorkload,
  NOW_MS,
} from "../../test/support/build";
import { median, row, type Bench, type Row } from "./figure";

const REPLICAS = 20;
const argv = ["serve"];
const SPECS = {
  small: buildSpec({ command: { kind: "argv", argv } }),
  card: buildSpec({ command: { kind: "argv", argv }, request: { gpu: buildGpu() } }),
  pair: buildSpec({ command: { kind: "argv", argv }, request: { gpu: buildGpu({ count: 2, models: ["H100"] }) } }),
  four: buildSpec({ command: { kind: "argv", argv }, request: { gpu: buildGpu({ count: 4 }) } }),
};

/** The most passes that a bench may need; needing more is a bug. */
const PASSES = 100;
const CARDS = 8;

interface Scene {
  readonly what: string;
  readonly nodes: number;
  readonly tasks: number;
  /** The name of the spec whose resources the tasks demand. */
  readonly spec: keyof typeof SPECS;
  readonly goal: { readonly at_most?: number };
}

/** Returns eight cards as a server has them: directly linked in fours, all on one socket. */
function cardsOf(node: string): NodeDevice[] {
  const link = (at: number, other: number): Link => ({
    id: `${node}-${other}`,
    kind: at >> 2 === other >> 2 ? "nvlink" : "socket",
  });
  const all = Array.from({ length: CARDS }, (_, at) => at);
  return all.map((at) =>
    buildDevice(`${node}-${at}`, {
      index: at,
      model: "NVIDIA H100 80GB HBM3",
      memory_bytes: 80 * GIB,
      links: all.filter((other) => other !== at).map((other) => link(at, other)),
    }),
  );
}

function emptyCluster({ nodes, tasks, spec }: Scene): State {
  return buildState({
    nodes: Array.from({ length: nodes }, (_, n) =>
      buildNode(`n${n}`, {
        ordinal: n + 1,
        capacity: { cpu_milli: 64_000, memory_bytes: 256 * GIB },
        devices: spec === "small" ? [] : cardsOf(`n${n}`),
      }),
    ),
    workloads: Array.from({ length: tasks / REPLICAS }, (_, n) =>
      buildWorkload(`app${n}`, "web", spec, { settings: { replicas: REPLICAS } }),
    ),
  });
}

interface Cold {
  readonly state: State;
  /** The duration of the longest pass. */
  readonly pass_ms: number;
  readonly total_ms: number;
  readonly passes: number;
}

function placeAll(empty: State): Cold {
  let state = empty;
  let longest = 0;
  let total = 0;
  for (let pass = 1; pass <= PASSES; pass++) {
    const started = performance.now();
    // Each pass gets its own seed, as on the server, because uids are derived from the seed.
    const seed = pass.toString(16).padStart(32, "0");
    const planned = plan(buildSnapshot(state, { specs: SPECS, seed }));
    const took = performance.now() - started;
    longest = Math.max(longest, took);
    total += took;
    if (planned.ops.length === 0 && !planned.more) return { state, pass_ms: longest, total_ms: total, passes: pass };
    state = withChanges(state, planned.changes);
  }
  throw new Error(`the plan is not done after ${PASSES} passes`);
}

/** Returns the same state with every task running for an hour. */
function settled(state: State): State {
  const running = (task: TaskRow): TaskRow => ({
    ...task,
    observed: { state: "running", pid: 100, started_ms: NOW_MS - 3_600_000 },
  });
  const tasks = new Map([...state.tasks].map(([uid, task]) => [uid, running(task)] as const));
  return { ...state, tasks };
}

function measured(scene: Scene, runs: number): Row[] {
  const { tasks, what, goal } = scene;
  const colds = Array.from({ length: runs }, () => placeAll(emptyCluster(scene)));
  const placed = colds[0]?.state.tasks.size ?? 0;
  if (placed !== tasks) throw new Error(`${placed} of ${tasks} tasks were placed`);
  const state = settled(colds[0]?.state ?? emptyCluster(scene));
  const steady = Array.from({ length: runs * 5 }, () => {
    const started = performance.now();
    const { ops } = plan(buildSnapshot(state, { specs: SPECS, now_ms: NOW_MS + DEFAULT_LIMITS.stable_ms }));
    const took = performance.now() - started;
    if (ops.length > 0) throw new Error(`a steady state gives ${ops.length} operations: ${JSON.stringify(ops[0])}`);
    return took;
  });
  const passes = colds[0]?.passes ?? 0;
  return [
    row(`plan ${what}, cold: longest pass`, median(colds.map(({ pass_ms }) => pass_ms)), "ms"),
    row(`plan ${what}, cold: all ${passes} passes`, median(colds.map(({ total_ms }) => total_ms)), "ms"),
    row(`plan ${what}, steady pass`, median(steady), "ms", goal),
  ];
}

/** Measures a pass in which every card is held and runs of three kinds wait: the pass gives a reason for each node. */
function waiting(scene: Scene, runs: number): Row {
  const full = settled(placeAll(emptyCluster(scene)).state);
  const specs = ["card", "pair", "four"] as const;
  const rows = Array.from({ length: 300 }, (_, n) => buildRun(n + 1, specs[n % specs.length] ?? "card"));
  const state = { ...full, runs: new Map(rows.map((run) => [run.uid, run])) };
  const took = Array.from({ length: runs * 5 }, () => {
    const started = performance.now();
    const { blocked } = plan(buildSnapshot(state, { specs: SPECS, now_ms: NOW_MS + DEFAULT_LIMITS.stable_ms }));
    if (blocked.length !== rows.length) throw new Error(`${blocked.length} of ${rows.length} runs wait`);
    return performance.now() - started;
  });
  return row(`plan ${scene.what}, steady, and 300 runs wait`, median(took), "ms");
}

/**
 * Measures a pass in which many different requests wait: the first pass that meets them, and one after a job has ended.
 */
function crowd(runs: number): Row[] {
  const [nodes, requests] = [50, 900];
  const specs: Record<string, TaskSpec> = {
    full: buildSpec({ request: { cpu_milli: 7_500, memory_bytes: 30 * GIB } }),
  };
  const rows = Array.from({ length: nodes }, (_, n) => buildRun(n + 1, "full"));
  const state = buildState({
    nodes: Array.from({ length: nodes }, (_, n) => buildNode(`n${n}`, { ordinal: n + 1 })),
    runs: rows,
  });
  const full = settled(withChanges(state, plan(buildSnapshot(state, { specs })).changes));
  for (let n = 0; n < requests; n++)
    specs[`waits ${n}`] = buildSpec({ request: { cpu_milli: 1_000 + n, memory_bytes: GIB } });
  const waiting = Array.from({ length: requests }, (_, n) => buildRun(nodes + 1 + n, `waits ${n}`));
  const crowded = { ...full, runs: new Map([...full.runs, ...waiting.map((run) => [run.uid, run] as const)]) };
  const snapshot = buildSnapshot(crowded, { specs, now_ms: NOW_MS + DEFAULT_LIMITS.stable_ms });
  const took = (pass: () => ReturnType<typeof plan>): number => {
    const started = performance.now();
    const { blocked, tried } = pass();
    if (blocked.length !== requests || tried === null)
      throw new Error(`${blocked.length} of ${requests} requests wait`);
    return performance.now() - started;
  };
  const { tried } = plan(snapshot);
  const first = Array.from({ length: runs * 5 }, () => took(() => plan(snapshot)));
  const steady = Array.from({ length: runs * 5 }, () =>
    took(() => plan(tried === null ? snapshot : { ...snapshot, tried })),
  );
  return [
    row(`plan ${nodes} nodes, ${requests} different requests wait: the first pass`, median(first), "ms", {
      at_most: 20,
    }),
    row(`plan ${nodes} nodes, ${requests} different requests wait: a later pass`, median(steady), "ms", {
      at_most: 20,
    }),
  ];
}

const SCENES: readonly Scene[] = [
  { what: "100 nodes × 1,000 tasks", nodes: 100, tasks: 1_000, spec: "small", goal: {} },
  { what: "1,000 nodes × 10,000 tasks", nodes: 1_000, tasks: 10_000, spec: "small", goal: { at_most: 10 } },
  { what: "1,000 nodes × 4,000 pairs of cards", nodes: 1_000, tasks: 4_000, spec: "pair", goal: {} },
];
const FULL: Scene = { what: "1,000 nodes × 8,000 cards", nodes: 1_000, tasks: 8_000, spec: "card", goal: {} };

export const planning: Bench = {
  name: "planning",
  about: "one pass of the planner, cold and steady, without and with cards",
  measure: async ({ runs }) =>
    Promise.resolve([
      ...[...SCENES, FULL].flatMap((scene) => measured(scene, runs)),
      waiting(FULL, runs),
      ...crowd(runs),
    ]),
};
