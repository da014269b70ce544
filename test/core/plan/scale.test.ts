// Which replicas go when a service is scaled down, and which numbers come back: one service in every shape.

import { describe, expect, test } from "bun:test";
import { withChanges } from "../../../src/core/plan/changes";
import { plan } from "../../../src/core/plan/plan";
import { scale, type ScaleFacts } from "../../../src/core/plan/scale";
import { isServiceUp } from "../../../src/core/plan/services";
import { begin } from "../../../src/core/pass/begin";
import type { NodeRow } from "../../../src/core/model/rows-node";
import type { SlotRow, WorkloadRow } from "../../../src/core/model/rows-work";
import type { TaskRow } from "../../../src/core/model/rows-task";
import {
  buildDevice,
  buildEnd,
  buildNode,
  buildSlot,
  buildSnapshot,
  buildSpec,
  buildState,
  buildTask,
  buildWorkload,
  NOW_MS,
} from "../../support/build";

const LIMITS = { settle_ms: 10_000, stable_ms: 60_000 };
const SPECS = { s: buildSpec() };
const NODES: readonly NodeRow[] = [
  buildNode("box"),
  buildNode("drained", { drain: { since_ms: NOW_MS, deadline_ms: null, by: "olga", reason: null } }),
  buildNode("going", { leaving: { since_ms: NOW_MS, deadline_ms: null, why: "spot", gone: false } }),
  buildNode("tainted", { taints: [{ key: "x", value: "", effect: "no_execute" }] }),
  buildNode("kept", { taints: [{ key: "x", value: "", effect: "no_schedule" }] }),
  buildNode("silent", { contact: "unreachable" }),
  buildNode("cards", { devices: [buildDevice("gpu-1", { state: "quarantined" })] }),
];
const web = (replicas: number, part: Partial<WorkloadRow> = {}): WorkloadRow => ({
  ...buildWorkload("shop", "web", "s", { settings: { replicas } }),
  ...part,
});
const long = { state: "running", pid: 1, started_ms: NOW_MS - 600_000 } as const;
const short = { state: "running", pid: 1, started_ms: NOW_MS - 4_000 } as const;

/** What a slot is served by: nothing, or one task or two, and how its slot remembers it. */
interface Served {
  readonly on?: string;
  readonly observed?: TaskRow["observed"];
  readonly desired?: TaskRow["desired"];
  readonly written_off?: TaskRow["written_off"];
  readonly streak?: number;
  readonly second?: Served;
}
type Slots = readonly (Served | null)[];

function factsOf(workload: WorkloadRow, slots: Slots, numbers = slots.map((_, slot) => slot)): ScaleFacts {
  const tasks: TaskRow[] = [];
  const rows: SlotRow[] = [];
  slots.forEach((served, n) => {
    const slot = numbers[n] ?? 0;
    const add = (one: Served, attempt: number): void => {
      const { on = "box", streak = 0, observed = long, desired = "run", written_off = null } = one;
      const promised = on === "cards" ? { devices: [{ id: "gpu-1", bytes: null }] } : {};
      const task = buildTask(workload, on, { slot, attempt, promised, observed, desired, written_off });
      tasks.push(task);
      if (streak > 0) rows.push(buildSlot(task, { streak, ends: [buildEnd(task, { exit_code: 3 })] }));
    };
    if (served !== null) add(served, 1);
    if (served?.second !== undefined) add(served.second, 2);
  });
  const state = buildState({ nodes: NODES, workloads: [workload], tasks, slots: rows });
  return { state, now_ms: NOW_MS, limits: LIMITS, spec: () => SPECS.s };
}

const fine: Served = {};

describe("of three replicas one goes:", () => {
  const table: readonly (readonly [what: string, slots: Slots, goes: string])[] = [
    ["of equal ones the highest", [fine, fine, fine], "2 highest: it has the highest number"],
    ["a pending one", [null, fine, fine], "0 pending: it is pending"],
    ["the highest pending one", [null, null, fine], "1 pending: it is pending"],
    ["one whose task was told to stop", [{ desired: "stop" }, fine, fine], "0 pending: it is pending"],
    ["one whose task was given up", [{ written_off: { at_ms: 1, why: "x" } }, fine, fine], "0 pending: it is pending"],
    [
      "one that crashes",
      [{ streak: 3, observed: short }, fine, fine],
      "0 crashing: it crashed 3× in a row, last exit code 3",
    ],
    [
      "not one that crashed and runs for long again",
      [{ streak: 3 }, fine, fine],
      "2 highest: it has the highest number",
    ],
    ["a pending one before one that crashes", [null, { streak: 3, observed: short }, fine], "0 pending: it is pending"],
    ["one on a drained node", [{ on: "drained" }, fine, fine], "0 leaving: its node is being drained"],
    ["one on a node that leaves", [{ on: "going" }, fine, fine], "0 leaving: its node is being drained"],
    ["one that a taint moves away", [{ on: "tainted" }, fine, fine], "0 leaving: tainted is tainted x:no_execute"],
    ["one whose card is bad", [{ on: "cards" }, fine, fine], "0 leaving: gpu-1 is quarantined"],
    ["not one that a taint lets stay", [{ on: "kept" }, fine, fine], "2 highest: it has the highest number"],
    ["one on a silent node", [{ on: "silent" }, fine, fine], "0 silent: its node silent is unreachable"],
    [
      "the higher one of a drained and a silent node",
      [{ on: "drained" }, { on: "silent" }, fine],
      "1 silent: its node silent is unreachable",
    ],
    [
      "one that crashes before one on a silent node",
      [{ streak: 1, observed: short }, { on: "silent" }, fine],
      "0 crashing: it crashed 1×, last exit code 3",
    ],
    ["one that has just begun", [{ observed: short }, fine, fine], "0 unsettled: it has run for 4s only"],
    [
      "one that does not run yet",
      [{ observed: { state: "assigned" } }, fine, fine],
      "0 unsettled: it does not run yet",
    ],
    [
      "one on a drained node before one that has just begun",
      [{ observed: short }, { on: "drained" }, fine],
      "1 leaving: its node is being drained",
    ],
    [
      "not one whose better attempt runs well",
      [{ on: "drained", second: fine }, fine, fine],
      "2 highest: it has the highest number",
    ],
    [
      "not one whose successor has yet to settle",
      [{ second: { observed: short } }, fine, fine],
      "2 highest: it has the highest number",
    ],
  ];
  test.each(table)("%s", (_what, slots, said) => {
    const workload = web(3);
    const { goes, without } = scale(factsOf(workload, slots), workload, 2, false);
    expect(goes.map(({ slot, why, detail }) => `${slot} ${why}: ${detail}`)).toEqual([said]);
    const slot = Number(said[0]);
    expect(goes.map(({ name }) => name)).toEqual([`shop.web.${slot}`]);
    expect(without).toEqual(slot === 2 ? null : [slot]);
  });
});

describe("several numbers", () => {
  const mixed: Slots = [{ on: "silent" }, { streak: 2, observed: short }, fine, null, fine];
  test.each([
    [4, [3], [3]],
    [3, [3, 1], [1, 3]],
    [2, [3, 1, 0], [0, 1, 3]],
    [1, [3, 1, 0, 4], [0, 1]],
    [0, [3, 1, 0, 4, 2], null],
  ])("down to %d: %p go", (replicas, goes, without) => {
    const workload = web(5);
    const scaled = scale(factsOf(workload, mixed), workload, replicas, false);
    expect(scaled.goes.map(({ slot }) => slot)).toEqual(goes);
    expect(scaled.without).toEqual(without);
  });
  test("go without a reason of each where all go", () => {
    const workload = web(2);
    const { goes } = scale(factsOf(workload, [fine, fine]), workload, 0, false);
    expect(new Set(goes.map(({ detail }) => detail))).toEqual(new Set(["none is wanted"]));
  });
  test("go from a service that has gaps", () => {
    const workload = web(3, { without: [0, 2] });
    const scaled = scale(factsOf(workload, [fine, null, fine], [1, 3, 4]), workload, 2, false);
    expect(scaled).toMatchObject({ goes: [{ name: "shop.web.3", slot: 3 }], without: [0, 2, 3] });
  });
  test.each([
    [2, [0, 2]],
    [3, [2]],
    [4, null],
    [6, null],
  ])("come back to %d replicas, the lowest first", (replicas, without) => {
    const workload = web(2, { without: [0, 2] });
    expect(scale(factsOf(workload, []), workload, replicas, false)).toEqual({ without, goes: [] });
  });
});

test("an exclusive service keeps 0 to N - 1, whatever state they are in, also where it had gaps before", () => {
  const workload = web(3);
  const scaled = scale(factsOf(workload, [null, { on: "silent" }, fine]), workload, 2, true);
  expect(scaled).toMatchObject({ without: null, goes: [{ slot: 2, why: "highest" }] });
  const gaps = web(2, { without: [0] });
  const closed = scale(factsOf(gaps, [fine, fine], [1, 2]), gaps, 2, true);
  expect([closed.without, closed.goes.map(({ slot }) => slot)]).toEqual([null, [2]]);
});

describe("a service with gaps", () => {
  const workload = web(2, { without: [1] });
  const planned = (tasks: readonly TaskRow[], of = workload): string[] => {
    const state = buildState({ nodes: [buildNode("box")], workloads: [of], tasks });
    const { ops, changes } = plan(buildSnapshot(state, { specs: SPECS }));
    const after = plan(buildSnapshot(withChanges(state, changes), { specs: SPECS })).ops;
    return [...ops, ...after].flatMap((op) => ("task" in op ? [`${op.op} ${op.task.slot}: ${op.why}`] : []));
  };
  const task = (slot: number, of = workload): TaskRow => buildTask(of, "box", { slot, observed: long });

  test("is kept at those that it has", () => {
    expect(planned([task(0), task(2)])).toEqual([]);
    expect(planned([])).toEqual(["place 0: new", "place 2: new"]);
  });
  test("stops what runs in one, and above", () => {
    expect(planned([task(0), task(1), task(2), task(3)])).toEqual(["stop 1: scaled to 2", "stop 3: scaled to 2"]);
    // As many tasks as replicas, and one is in the wrong slot.
    expect(planned([task(0), task(1)])).toEqual(["stop 1: scaled to 2", "place 2: new"]);
  });
  test("is up when those are", () => {
    const isUp = (tasks: readonly TaskRow[]): boolean => {
      const state = buildState({ nodes: [buildNode("box")], workloads: [workload], tasks });
      return isServiceUp(begin(buildSnapshot(state, { specs: SPECS })).pass, workload);
    };
    expect([isUp([task(0), task(2)]), isUp([task(0), task(1)]), isUp([task(0)])]).toEqual([true, false, false]);
  });
});
