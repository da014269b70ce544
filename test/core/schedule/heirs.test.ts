// Heirs: who becomes one and of whom, what they hold and when, and how they are taken back.

import { describe, expect, test } from "bun:test";
import { freshArray } from "../../../src/core/model/array";
import { isHeir, tookKey } from "../../../src/core/model/heirs";
import { identityIn } from "../../../src/core/model/new-task";
import type { Reported } from "../../../src/core/model/record";
import type { NodeRow } from "../../../src/core/model/rows-node";
import type { State } from "../../../src/core/model/rows-state";
import type { RunRow } from "../../../src/core/model/rows-work";
import type { TaskRow } from "../../../src/core/model/rows-task";
import { fullName, isWanted } from "../../../src/core/model/task";
import { observe } from "../../../src/core/intake/observe";
import { DEFAULT_LIMITS } from "../../../src/core/pass/limits";
import type { Plan } from "../../../src/core/pass/snapshot";
import { withChanges } from "../../../src/core/plan/changes";
import { plan } from "../../../src/core/plan/plan";
import { SECOND_MS, type Ms } from "../../../src/core/units";
import {
  buildNode,
  buildRun,
  buildSnapshot,
  buildSpec,
  buildState,
  buildTask,
  NOW_MS,
  uidOf,
} from "../../support/build";
import { brokenBy } from "../../support/moment";
import { buildUser } from "../../support/users";

const core = { cpu_milli: 1_000, memory_bytes: 1 };
const specs = {
  s: buildSpec({ request: core }),
  wide: buildSpec({ request: { ...core, cpu_milli: 2_000 } }),
  huge: buildSpec({ request: { ...core, cpu_milli: 99_000 } }),
};

const box = (part: Partial<NodeRow> = {}): NodeRow => ({
  ...buildNode("box", {
    capacity: { cpu_milli: 2_000, memory_bytes: 1_000 },
    facts: { takes_heirs: true, takes_arrays: true },
  }),
  ...part,
});

/** Two runs that have both cores of a node, for `ran_ms`, and others that wait. */
function busy(waiting: readonly RunRow[], { ran_ms = 100, node = box() }: { ran_ms?: Ms; node?: NodeRow } = {}): State {
  const running = [1, 2].map((n) => buildRun(n, "s", { name: "true", state: "running", started_ms: NOW_MS - ran_ms }));
  return buildState({
    cluster: { next_run: 100 },
    nodes: [node],
    runs: [...running, ...waiting],
    tasks: running.map((run) =>
      buildTask(run, "box", {
        promised: core,
        created_ms: NOW_MS - ran_ms,
        observed: { state: "running", pid: 1, started_ms: NOW_MS - ran_ms },
      }),
    ),
    users: [buildUser("alice")],
  });
}

const queued = (n: number, spec = "s", part: Parameters<typeof buildRun>[2] = {}): RunRow =>
  buildRun(n, spec, { name: "true", ...part });

const [KEY] = [...busy([]).tasks.values()].map(tookKey);

interface Asked {
  readonly now_ms?: Ms;
  readonly took_ms?: Ms | null;
}

function planned(state: State, { now_ms = NOW_MS, took_ms = 50 }: Asked = {}): Plan {
  const took = took_ms === null ? {} : { took: new Map([[KEY ?? "", took_ms]]) };
  return plan({ ...buildSnapshot(state, { specs, now_ms, seed: uidOf(`seed ${state.cluster.revision}`) }), ...took });
}

function committed(before: State, changes: Plan["changes"], actor = "plan"): State {
  expect(brokenBy(before, changes, actor)).toBeNull();
  const after = withChanges(before, changes);
  return { ...after, cluster: { ...after.cluster, revision: before.cluster.revision + 1 } };
}

const after = (state: State, asked?: Asked): State => committed(state, planned(state, asked).changes);

/** The heirs of a state, each with those it comes after: `5: 1 3`. */
const heirsIn = ({ tasks }: State): string[] =>
  [...tasks.values()]
    .filter((task) => isHeir(task, tasks))
    .map((task) => `${task.run}: ${task.heir_of?.map((uid) => tasks.get(uid)?.run).join(" ")}`)
    .sort();

const taskOf = ({ tasks }: State, run: number): TaskRow => {
  const found = [...tasks.values()].find((task) => task.run === run);
  if (found === undefined) throw new Error(`run ${run} has no task`);
  return found;
};

/** A state after the node has said something of a run's task. */
function told(state: State, run: number, reported: Reported): State {
  const task = taskOf(state, run);
  const entry = { uid: task.uid, name: "", identity: identityIn(task), grant_until: task.attempt, held: task.promised };
  const context = {
    now_ms: NOW_MS + 200,
    seed: uidOf(`report ${run} ${state.cluster.revision}`),
    revision: state.cluster.revision + 1,
    limits: DEFAULT_LIMITS,
    hasEnded: () => false,
    hasGrave: () => false,
    isAssigned: () => true,
  };
  const { changes } = observe(state, "box", [{ ...entry, exclusive: false, unix_user: null, reported }], context);
  return committed(state, changes, "node box");
}

const ended = (state: "succeeded" | "stopped", started_age_ms: Ms | null): Reported => ({
  state,
  started_age_ms,
  finished_age_ms: 0,
  exit_code: state === "stopped" ? null : 0,
  signal: null,
  reason: null,
  peak_memory_bytes: null,
  tail: null,
  next: null,
});

const stopsIn = ({ ops }: Plan): string[] =>
  ops.flatMap((op) => (op.op === "stop" ? `${op.task.run} ${op.stop.unbegun === true}: ${op.why}` : [])).sort();

describe("heirs are given", () => {
  const six = [3, 4, 5, 6, 7, 8].map((n) => queued(n));

  test("to the first that wait, two a place, the shortest line first, once", () => {
    const state = after(busy(six));
    expect(heirsIn(state)).toEqual(["3: 1", "4: 2", "5: 1 3", "6: 2 4"]);
    expect(planned(state).ops).toEqual([]);
  });

  const small = [queued(3)];
  const array = queued(3, "s", { array: freshArray({ first: 0, last: 9, step: 1, limit: null }) });
  const smaller = box({ capacity: { ...box().capacity, cpu_milli: 1_500 } });
  test.each([
    ["nothing is known of such runs", busy(small), { took_ms: null }],
    ["such runs take long", busy(small), { took_ms: 6 * SECOND_MS }],
    ["those that run are late", busy(small, { ran_ms: 6 * SECOND_MS }), {}],
    [
      "the agent does not know heirs",
      busy(small, { node: box({ facts: { ...box().facts, takes_heirs: false } }) }),
      {},
    ],
    [
      "the node drains",
      busy(small, { node: box({ drain: { by: "olga", since_ms: 0, deadline_ms: null, reason: null } }) }),
      {},
    ],
    ["it asks for something else", busy([queued(3, "wide")]), {}],
    ["somebody before it could use the room", busy([queued(3, "wide"), queued(4)]), {}],
    [
      "somebody more urgent could use the room",
      busy([queued(3), queued(4, "wide", { settings: { priority: 5 } })]),
      {},
    ],
    ["it is an array", busy([array]), {}],
    ["an array of its shape waits before it", busy([array, queued(4)]), {}],
    [
      "more elements of an array before it wait",
      busy([array, queued(4)], { node: box({ capacity: { ...box().capacity, cpu_milli: 3_000 } }) }),
      {},
    ],
    ["the node has become smaller", busy(small, { node: smaller }), {}],
    ["it reads an input", busy([queued(3, "s", { stdin: { sha256: uidOf("in"), bytes: 1 } })]), {}],
  ] as const)("to nobody if %s", (_what, state, asked) => {
    expect(heirsIn(after(state, asked))).toEqual([]);
  });

  test("beside what waits and could never use the room, or comes later", () => {
    expect(heirsIn(after(busy([queued(3, "huge"), queued(4), queued(5, "wide")])))).toEqual(["4: 1"]);
  });

  test("of no run that is cancelled", () => {
    const state = busy([queued(3)]);
    const [run] = [...state.runs.values()].filter((one) => one.run === 1);
    const cancel = { at_ms: NOW_MS, by: "alice" };
    const runs = new Map(state.runs).set(run?.uid ?? "", { ...(run as RunRow), cancel });
    expect(heirsIn(after({ ...state, runs }))).toEqual(["3: 2"]);
  });
});

describe("an heir", () => {
  test("holds nothing before its turn, and its room from the end of the one before it on", () => {
    const one = after(busy([queued(3)]));
    expect(heirsIn(one)).toEqual(["3: 1"]);
    const turned = told(one, 1, ended("succeeded", 100));
    expect(heirsIn(turned)).toEqual([]);
    const more = { ...turned, runs: new Map(turned.runs).set(uidOf("run 4"), queued(4)) };
    // Both cores are taken: by 2, and by 3 whose turn it is.
    expect(planned(more, { took_ms: null }).ops.filter(({ op }) => op === "place")).toEqual([]);
    expect(heirsIn(after(more))).toEqual(["4: 3"]);
  });

  test("waits for the one before the one that was taken out of its line", () => {
    const state = after(busy([3, 4, 5].map((n) => queued(n))));
    expect(heirsIn(state)).toEqual(["3: 1", "4: 2", "5: 1 3"]);
    const run = state.runs.get(uidOf("run 3")) as RunRow;
    const cancelled = after({
      ...state,
      runs: new Map(state.runs).set(run.uid, { ...run, cancel: { at_ms: NOW_MS, by: "alice" } }),
    });
    const out = told(cancelled, 3, ended("stopped", null));
    expect([...out.tasks.values()].filter((task) => isHeir(task, out.tasks)).map(fullName)).toHaveLength(2);
    expect(planned(out).ops.filter(({ op }) => op === "place")).toEqual([]);
  });
});

describe("an heir is taken back", () => {
  const state = after(busy([queued(3)]));

  test("when the one before it runs on, and costs its run nothing", () => {
    const late = { now_ms: NOW_MS + 5 * SECOND_MS };
    expect(planned(state).wake_at_ms).toBe(NOW_MS - 100 + 5 * SECOND_MS);
    const back = planned(state, late);
    expect(stopsIn(back)).toEqual(["3 true: its turn has not come: true (run 1) still runs"]);
    const stopped = committed(state, back.changes);
    expect(planned(stopped, late).ops).toEqual([]);
    const free = told(stopped, 3, ended("stopped", null));
    expect(free.slots.get(`${uidOf("run 3")}/0`)).toMatchObject({ rejected: 0, failed: 0, not_before_ms: 0, ends: [] });
    expect(planned(free, late).blocked.map(({ kind }) => kind)).toEqual(["queued"]);
  });

  test("when its node gives its work away", () => {
    const nodes = new Map([["box", box({ drain: { by: "olga", since_ms: 0, deadline_ms: null, reason: null } })]]);
    expect(stopsIn(planned({ ...state, nodes }))).toEqual([
      "3 true: its turn has not come: its node takes no new tasks",
    ]);
  });

  test("when something more urgent waits for the room", () => {
    const urgent = queued(4, "wide", { settings: { priority: 5 } });
    const runs = new Map(state.runs).set(urgent.uid, urgent);
    expect(stopsIn(planned({ ...state, runs }))).toEqual([
      "3 true: its turn has not come: what is more urgent waits for the room",
    ]);
  });

  test("in vain once it has begun: it counts as before, and is cancelled as any other", () => {
    const late = { now_ms: NOW_MS + 5 * SECOND_MS };
    const stopped = after(state, late);
    expect(isWanted(taskOf(stopped, 3))).toBe(false);
    const begun = told(told(stopped, 1, ended("succeeded", 100)), 3, { state: "running", pid: 7, started_age_ms: 0 });
    expect(isWanted(taskOf(begun, 3))).toBe(true);
    expect(planned(begun, late).ops.filter(({ op }) => op === "stop")).toEqual([]);
    const run = begun.runs.get(uidOf("run 3")) as RunRow;
    const runs = new Map(begun.runs).set(run.uid, { ...run, cancel: { at_ms: NOW_MS, by: "alice" } });
    expect(stopsIn(planned({ ...begun, runs }, late))).toEqual(["3 false: cancelled by alice"]);
  });
});

test("nothing becomes an heir of what a restart of its node has ended", () => {
  const restarted = box({ boot_id: "another boot" });
  expect(heirsIn(after(busy([queued(5)])))).not.toEqual([]);
  expect(heirsIn(after(busy([queued(5)], { node: restarted })))).toEqual([]);
});
