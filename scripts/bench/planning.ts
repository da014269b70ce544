// One pass of the planner over states of two sizes: cold (everything is to be placed) and steady (everything runs).

import { withChanges } from "../../src/core/apply";
import { DEFAULT_LIMITS } from "../../src/core/limits";
import type { State, TaskRow } from "../../src/core/model";
import { plan } from "../../src/core/plan";
import { GIB } from "../../src/core/units";
import { buildNode, buildSnapshot, buildSpec, buildState, buildWorkload, NOW_MS } from "../../test/support/build";
import { median, row, type Bench, type Row } from "./figure";

const REPLICAS = 20;
const SPECS = { small: buildSpec({ command: { kind: "argv", argv: ["serve"] } }) };
/** As many passes as it takes until nothing is left to do; more would be a bug. */
const PASSES = 100;

function emptyCluster(nodes: number, tasks: number): State {
  return buildState({
    nodes: Array.from({ length: nodes }, (_, n) =>
      buildNode(`n${n}`, { ordinal: n + 1, capacity: { cpu_milli: 64_000, memory_bytes: 256 * GIB } }),
    ),
    workloads: Array.from({ length: tasks / REPLICAS }, (_, n) =>
      buildWorkload(`app${n}`, "web", "small", { settings: { replicas: REPLICAS } }),
    ),
  });
}

interface Cold {
  readonly state: State;
  /** The longest pass, and all of them together. */
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
    // A seed of its own for each pass, as the server draws it: uids follow from it.
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

/** The same state with every task running for an hour. */
function settled(state: State): State {
  const running = (task: TaskRow): TaskRow => ({
    ...task,
    observed: { state: "running", pid: 100, started_ms: NOW_MS - 3_600_000 },
  });
  const tasks = new Map([...state.tasks].map(([uid, task]) => [uid, running(task)] as const));
  return { ...state, tasks };
}

function measured(nodes: number, tasks: number, runs: number): Row[] {
  const size = `${nodes.toLocaleString("en-US")} nodes × ${tasks.toLocaleString("en-US")} tasks`;
  const colds = Array.from({ length: runs }, () => placeAll(emptyCluster(nodes, tasks)));
  const placed = colds[0]?.state.tasks.size ?? 0;
  if (placed !== tasks) throw new Error(`${placed} of ${tasks} tasks were placed`);
  const state = settled(colds[0]?.state ?? emptyCluster(nodes, tasks));
  const steady = Array.from({ length: runs * 5 }, () => {
    const started = performance.now();
    const { ops } = plan(buildSnapshot(state, { specs: SPECS, now_ms: NOW_MS + DEFAULT_LIMITS.stable_ms }));
    const took = performance.now() - started;
    if (ops.length > 0) throw new Error(`a steady state gives ${ops.length} operations: ${JSON.stringify(ops[0])}`);
    return took;
  });
  const passes = colds[0]?.passes ?? 0;
  return [
    row(`plan ${size}, cold: longest pass`, median(colds.map(({ pass_ms }) => pass_ms)), "ms"),
    row(`plan ${size}, cold: all ${passes} passes`, median(colds.map(({ total_ms }) => total_ms)), "ms"),
    row(`plan ${size}, steady pass`, median(steady), "ms", tasks >= 10_000 ? { at_most: 10 } : {}),
  ];
}

export const planning: Bench = {
  name: "planning",
  about: "one pass of the planner, cold and steady",
  measure: async ({ runs }) => Promise.resolve([...measured(100, 1_000, runs), ...measured(1_000, 10_000, runs)]),
};
