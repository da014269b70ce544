// Ends that a restored server hears of: what its copy does not know is asked about, and nothing runs again by itself.

import { describe, expect, test } from "bun:test";
import type { IntakeContext } from "../../../src/core/intake/draft";
import { observe, observeInventory } from "../../../src/core/intake/observe";
import type { TaskReport } from "../../../src/core/model/record";
import type { State } from "../../../src/core/model/rows-state";
import type { TaskRow } from "../../../src/core/model/rows-task";
import { DEFAULT_LIMITS } from "../../../src/core/pass/limits";
import { withChanges } from "../../../src/core/plan/changes";
import { plan } from "../../../src/core/plan/plan";
import {
  buildEnd,
  buildNode,
  buildRun,
  buildSlot,
  buildSnapshot,
  buildSpec,
  buildState,
  buildTask,
  buildWorkload,
  NOW_MS,
  SEED,
} from "../../support/build";
import { reportOf } from "../../support/reports";

const context: IntakeContext = {
  now_ms: NOW_MS,
  revision: 11,
  limits: DEFAULT_LIMITS,
  seed: SEED,
  hasEnded: () => false,
  hasGrave: () => false,
  isAssigned: () => true,
};

const node = buildNode("a");
const run = buildRun(3, "x", { state: "running" });
const attempt = (n: number, part: Partial<TaskRow> = {}): TaskRow => buildTask(run, "a", { attempt: n, ...part });
const RUNNING = { state: "running", pid: 7, started_ms: NOW_MS - 9_000 } as const;

/** What an agent tells of a task that was cancelled. `began`: its process was running then. */
const stopped = (task: TaskRow, began = true): TaskReport =>
  reportOf(task, {
    state: "stopped",
    reason: "cancelled by admin",
    started_age_ms: began ? 5_000 : null,
    finished_age_ms: 1_000,
    exit_code: began ? 0 : null,
    signal: null,
    peak_memory_bytes: null,
    tail: null,
    next: null,
  });

const UNKNOWN = {
  state: "unknown",
  exit_code: null,
  signal: null,
  cause: "result_unknown",
  reason: "it was stopped by an order that the restored copy does not know: cancelled by admin",
} as const;

type Copy = Parameters<typeof buildState>[0];
const restored = (copy: Copy): State =>
  buildState({ nodes: [node], runs: [run], cluster: { recovering: [node.id] }, ...copy });

const after = (state: State, ...entries: readonly TaskReport[]): State =>
  entries.reduce((before, entry) => withChanges(before, observe(before, node.id, [entry], context).changes), state);

/** What the plan does once all nodes were heard. */
function planned(state: State): { placed: number; waits: string | undefined } {
  const heard = { ...state, cluster: { ...state.cluster, recovering: null } };
  const { ops, blocked } = plan({ ...buildSnapshot(heard, { specs: { x: buildSpec() } }), now_ms: NOW_MS + 600_000 });
  return { placed: ops.filter(({ op }) => op === "place").length, waits: blocked[0]?.summary };
}

const asks = (state: State, what: string): void =>
  expect(planned(state)).toEqual({ placed: 0, waits: expect.stringContaining(what) });

describe("a job's attempt that was stopped by an order which the copy does not have", () => {
  test("is asked about, if the copy knows it as running", () => {
    const state = after(restored({ tasks: [attempt(1, { observed: RUNNING })] }), stopped(attempt(1)));
    expect([...state.slots.values()][0]?.ends).toMatchObject([{ attempt: 1, ...UNKNOWN }]);
    asks(state, "nobody knows how it ended on a, began");
  });
  test("is asked about, if the copy does not know it, and its run asked before", () => {
    const ends = [buildEnd(attempt(1), { state: "unknown", exit_code: null, reason: "its keeper died" })];
    const state = after(restored({ slots: [buildSlot(attempt(1), { ends })] }), stopped(attempt(2)));
    expect([...state.slots.values()][0]?.ends).toMatchObject([{ attempt: 2, ...UNKNOWN }]);
    asks(state, UNKNOWN.reason);
  });
  test("is asked about, if it was still stopping when the server was restored", () => {
    const stopping = reportOf(attempt(1), { state: "stopping", pid: 7, started_age_ms: 5_000 });
    const adopted = after(restored({}), stopping);
    const heard = { ...adopted, cluster: { ...adopted.cluster, recovering: null } };
    asks(after(heard, stopped(attempt(1))), UNKNOWN.reason);
  });
  test("is stopped, if the copy has the order", () => {
    const stop = { why: "drained", signal: "TERM", grace_ms: 1, at_ms: NOW_MS };
    const known = attempt(1, { observed: RUNNING, desired: "stop", stop });
    const state = after(restored({ tasks: [known] }), stopped(attempt(1)));
    expect([...state.slots.values()][0]?.ends).toMatchObject([{ state: "stopped", exit_code: 0 }]);
    expect(planned(state).placed).toBe(1);
  });
  test("is stopped, if it never began: it is placed again", () => {
    const state = after(
      restored({ tasks: [attempt(1, { observed: { state: "assigned" } })] }),
      stopped(attempt(1), false),
    );
    expect(planned(state).placed).toBe(1);
  });
  test("is stopped, if it is a replica of a service", () => {
    const api = buildWorkload("recs", "api", "x");
    const replica = buildTask(api, "a", { observed: RUNNING });
    const state = after(restored({ runs: [], workloads: [api], tasks: [replica] }), stopped(replica));
    expect([...state.slots.values()][0]?.ends).toMatchObject([{ state: "stopped" }]);
    expect(planned(state).placed).toBe(1);
  });
});

describe("an attempt that was stopped before it began, of which the copy does not know", () => {
  test("answers no question about the attempt before", () => {
    const ends = [buildEnd(attempt(1), { state: "unknown", exit_code: null, reason: "its keeper died" })];
    const state = after(restored({ slots: [buildSlot(attempt(1), { ends })] }), stopped(attempt(2), false));
    expect([...state.slots.values()]).toMatchObject([{ attempts: 2, ends }]);
    asks(state, "its keeper died");
  });
  test("hides none that comes later", () => {
    const first = attempt(1, { observed: RUNNING });
    const state = after(restored({ tasks: [first] }), stopped(attempt(2), false));
    const applied = { timeline: "t", revision: 10, since: 0 };
    const inventory = { boot_id: node.boot_id, applied, entries: [], unreadable: [] };
    const heard = withChanges(state, observeInventory(state, node.id, inventory, context).changes);
    expect([...heard.slots.values()]).toMatchObject([{ attempts: 2, ends: [{ attempt: 1, state: "unknown" }] }]);
    asks(heard, "its node has no record of it");
  });
  test("does not keep its run from being tried again, where the job says so", () => {
    const retried = { ...run, settings: { ...run.settings, on_unknown_end: "retry" as const } };
    const ends = [buildEnd(attempt(1), { state: "unknown", exit_code: null })];
    const slots = [buildSlot(attempt(1), { ends })];
    const state = after(restored({ runs: [retried], slots }), stopped(attempt(2), false));
    expect(planned(state).placed).toBe(1);
  });
});
