// Chains of runs that wait for each other: a pass reads each of them a few times, however long the chain is.

import { expect, test } from "bun:test";
import type { RunRow, WorkloadRow } from "../../../src/core/model/rows-work";
import type { State } from "../../../src/core/model/rows-state";
import type { TaskRow } from "../../../src/core/model/rows-task";
import { plan } from "../../../src/core/plan/plan";
import { buildNode, buildRun, buildSnapshot, buildState, buildTask, buildWorkload } from "../../support/build";

/** A map that counts the rows that are read of it. */
class Counted<K, V> extends Map<K, V> {
  reads = 0;

  override get(key: K): V | undefined {
    this.reads++;
    return super.get(key);
  }

  override *values(): MapIterator<V> {
    for (const value of super.values()) {
      this.reads++;
      yield value;
    }
  }
}

/** Returns a state in which each read of a run, a workload or a task is counted. */
function counted(state: State): { readonly state: State; readonly reads: () => number } {
  const runs = new Counted(state.runs);
  const workloads = new Counted(state.workloads);
  const tasks = new Counted(state.tasks);
  return { state: { ...state, runs, workloads, tasks }, reads: () => runs.reads + workloads.reads + tasks.reads };
}

/** Builds runs 1 to n, each waiting for the next one, so that the last in number is the first that may start. */
function chain(n: number, first: Partial<RunRow>): RunRow[] {
  const runs = [buildRun(n, "s", first)];
  for (let run = n - 1; run > 0; run--) {
    const uid = runs.at(-1)?.uid ?? "";
    const after = [{ name: String(run + 1), uid, when: "succeeded" as const, met: null }];
    runs.push(buildRun(run, "s", { state: "waiting", after }));
  }
  return runs;
}

const LENGTH = 2_000;
/** Beginning, resolving, noting and archiving read each row a few times. */
const MOST_READS = 20 * LENGTH;

test.each([
  ["its head has failed", { state: "failed", finished_ms: 1 } as const, "failed"],
  ["its head waits for room", {}, "waiting"],
])("a chain of 2,000 runs costs its length if %s", (_, head, then) => {
  const { state, reads } = counted(buildState({ runs: chain(LENGTH, head) }));
  const { ops, blocked } = plan(buildSnapshot(state));
  const failed = ops.filter((op) => op.op === "run" && op.run.state === "failed");
  expect(failed.length).toBe(then === "failed" ? LENGTH - 1 : 0);
  expect(blocked.filter(({ summary }) => summary.includes("to succeed")).length).toBe(
    then === "failed" ? 0 : LENGTH - 1,
  );
  expect(reads()).toBeLessThan(MOST_READS);
});

test("a result that only the job remembers is found without a search for each run", () => {
  const workloads = Array.from({ length: LENGTH }, (_, n): WorkloadRow => {
    const last_run = { uid: `old-${n}`, run: n + 1, state: "succeeded" as const };
    return buildWorkload("a", `j${n}`, "s", { kind: "job", last_run });
  });
  const runs = workloads.map(({ last_run }, n) => {
    const after = [{ name: `j${n}`, uid: last_run?.uid ?? "", when: "succeeded" as const, met: null }];
    return buildRun(10_000 + n, "s", { state: "waiting", after });
  });
  const { state, reads } = counted(buildState({ workloads, runs }));
  const { ops } = plan(buildSnapshot(state));
  expect(ops.filter((op) => op.op === "run" && op.run.state === "queued").length).toBe(LENGTH);
  expect(reads()).toBeLessThan(MOST_READS);
});

test("2,000 runs that wait for one service look at its replicas once", () => {
  const web = buildWorkload("a", "web", "s", { settings: { replicas: LENGTH } });
  const node = buildNode("n1");
  const tasks = Array.from({ length: LENGTH }, (_, slot): TaskRow => buildTask(web, "n1", { slot }));
  let looks = 0;
  const watched = tasks.map((task) => ({
    ...task,
    get written_off() {
      looks++;
      return null;
    },
  }));
  const after = [{ name: "web", uid: web.uid, when: "up" as const, met: null }];
  const runs = Array.from({ length: LENGTH }, (_, n) => buildRun(n + 1, "s", { state: "waiting", after }));
  const { ops } = plan(buildSnapshot(buildState({ nodes: [node], workloads: [web], tasks: watched, runs })));
  expect(ops.filter((op) => op.op === "run" && op.run.state === "queued").length).toBe(LENGTH);
  expect(looks).toBeLessThan(MOST_READS);
});
