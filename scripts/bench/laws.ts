// Measures what the laws of the committed state cost: for a pass that places as many tasks as one may, and for a report
// of one task, in a cluster of 1,000 nodes and 10,000 tasks.

import { breachOf, isSkipped, sayBreach } from "../../src/core/laws/laws";
import type { Change, State } from "../../src/core/model/rows-state";
import type { TaskRow } from "../../src/core/model/rows-task";
import { DEFAULT_LIMITS } from "../../src/core/pass/limits";
import { withChanges } from "../../src/core/plan/changes";
import { plan } from "../../src/core/plan/plan";
import { GIB } from "../../src/core/units";
import { layerOver } from "../../src/store/draft";
import { buildNode, buildSnapshot, buildSpec, buildState, buildWorkload, NOW_MS } from "../../test/support/build";
import { median, row, type Bench } from "./figure";

const [NODES, TASKS, REPLICAS] = [1_000, 10_000, 20];
const SPECS = { s: buildSpec({ command: { kind: "argv", argv: ["serve"] } }) };
const seedOf = (n: number): string => n.toString(16).padStart(32, "0");

/** A cluster whose last 1,000 tasks are still to be placed. */
function almostFull(): State {
  const nodes = Array.from({ length: NODES }, (_, n) =>
    buildNode(`n${n}`, { ordinal: n + 1, capacity: { cpu_milli: 64_000, memory_bytes: 256 * GIB } }),
  );
  const workloads = Array.from({ length: TASKS / REPLICAS }, (_, n) =>
    buildWorkload(`app${n}`, "web", "s", { settings: { replicas: REPLICAS } }),
  );
  let state = buildState({ nodes, workloads });
  for (let n = 1; state.tasks.size + DEFAULT_LIMITS.placements < TASKS; n++)
    state = withChanges(state, plan(buildSnapshot(state, { specs: SPECS, seed: seedOf(n) })).changes);
  const runs = (task: TaskRow): TaskRow => ({
    ...task,
    observed: { state: "running", pid: 100, started_ms: NOW_MS - 3_600_000 },
  });
  return { ...state, tasks: new Map([...state.tasks].map(([uid, task]) => [uid, runs(task)])) };
}

/** Some passes are looked at more closely than others. */
const meanOf = (all: readonly number[]): number => all.reduce((sum, one) => sum + one, 0) / all.length;

/** Holds a transaction against the laws as the store does; gives the time that it took. */
function held(before: State, changes: readonly Change[], actor: string): number {
  const layer = layerOver(before);
  for (const change of changes) layer.put(change);
  const cluster = { ...before.cluster, revision: before.cluster.revision + 1 };
  const after = Object.create(layer.state, { cluster: { value: cluster } }) as State;
  const began = performance.now();
  if (isSkipped(actor, layer.changes.size, cluster.revision)) return performance.now() - began;
  const facts = { hasEnded: () => false, thorough: false };
  const breach = breachOf({ actor, before, after, changes: layer.changes.values(), ...facts });
  const took = performance.now() - began;
  if (breach !== null) throw new Error(sayBreach(breach, actor));
  return took;
}

export const laws: Bench = {
  name: "laws",
  about: "what the laws of the committed state cost a pass and a report",
  measure: async ({ runs }) => {
    const state = almostFull();
    const passes: number[] = [];
    const checks: number[] = [];
    for (let n = 0; n < runs * 16; n++) {
      const began = performance.now();
      const { changes } = plan(buildSnapshot(state, { specs: SPECS, seed: seedOf(1_000 + n) }));
      passes.push(performance.now() - began);
      const cluster = { ...state.cluster, revision: state.cluster.revision + n };
      checks.push(held({ ...state, cluster }, changes, "plan"));
    }
    const [task] = state.tasks.values();
    if (task === undefined) throw new Error("the cluster is empty");
    const stopping: TaskRow = { ...task, observed: { state: "stopping", pid: 100, started_ms: NOW_MS } };
    const change: Change = { table: "tasks", key: task.uid, row: stopping };
    const reports = Array.from({ length: runs * 100 }, () => held(state, [change], `node ${task.node_id}`));
    const where = "1,000 nodes × 10,000 tasks";
    return Promise.resolve([
      row(`plan ${where}, a pass that places 1,000`, median(passes), "ms"),
      row(`laws ${where}, held against that pass, on average`, meanOf(checks), "ms"),
      row(`laws ${where}, held against a report of one task`, median(reports), "ms"),
    ]);
  },
};
