// Nodes whose labels, taints or pool change under what runs there: nothing stops for it, except by `no_execute`.

import { describe, expect, test } from "bun:test";
import { withChanges } from "../../../src/core/plan/changes";
import { plan } from "../../../src/core/plan/plan";
import type { Op } from "../../../src/core/pass/snapshot";
import type { NodeRow } from "../../../src/core/model/rows-node";
import type { RunRow, SlotRow, WorkloadRow } from "../../../src/core/model/rows-work";
import type { State } from "../../../src/core/model/rows-state";
import type { TaskRow } from "../../../src/core/model/rows-task";
import { taskName } from "../../../src/core/model/task";
import type { Taint } from "../../../src/core/model/workload";
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
} from "../../support/build";

const ZONED = buildSpec({ place: { labels: [{ key: "zone", op: "in", values: ["a"] }] } });
const SPECS = {
  s: buildSpec(),
  zoned: ZONED,
  tolerant: buildSpec({ place: { tolerate: [{ key: "x", value: null }] } }),
};
const moving: Taint = { key: "x", value: "", effect: "no_execute" };

const said = (ops: readonly Op[]): string[] =>
  ops.flatMap((op) => ("task" in op ? [`${op.op} ${taskName(op.task)} on ${op.task.node_id}: ${op.why}`] : []));

function planOf(parts: {
  nodes: readonly NodeRow[];
  workloads?: readonly WorkloadRow[];
  runs?: readonly RunRow[];
  slots?: readonly SlotRow[];
  tasks: readonly TaskRow[];
}): { readonly said: string[]; readonly state: State } {
  const state = buildState(parts);
  const { ops, changes } = plan(buildSnapshot(state, { specs: SPECS }));
  return { said: said(ops), state: withChanges(state, changes) };
}

describe("a node that a daemon no longer matches", () => {
  const daemon = buildWorkload("a", "d", "zoned", { kind: "daemon" });
  const node = buildNode("n", { labels: { zone: "b" } });
  const task = buildTask(daemon, "n", { slot: node.ordinal });

  test.each([
    ["labels", node],
    ["a taint", buildNode("n", { labels: { zone: "a" }, taints: [{ key: "x", value: "", effect: "no_schedule" }] })],
    ["its pool", buildNode("n", { labels: { zone: "a" }, pool: "other" })],
  ])("by %s keeps the task to its end, and gets no other one", (_, changed) => {
    expect(planOf({ nodes: [changed], workloads: [daemon], tasks: [task] }).said).toEqual([]);
    expect(planOf({ nodes: [changed], workloads: [daemon], tasks: [] }).said).toEqual([]);
  });

  test("begins nothing there any more: an attempt between two starts is stopped, if its node is heard", () => {
    const observed = { state: "preparing", prepared: false, reason: "waits for its restart back-off" } as const;
    const waits = { ...task, observed };
    expect(planOf({ nodes: [node], workloads: [daemon], tasks: [waits] }).said).toEqual([
      `stop a.d.${node.ordinal} on n: n no longer matches, and it does not run`,
    ]);
    const matching = buildNode("n", { labels: { zone: "a" } });
    expect(planOf({ nodes: [matching], workloads: [daemon], tasks: [waits] }).said).toEqual([]);
    const silent = buildSnapshot(buildState({ nodes: [node], workloads: [daemon], tasks: [waits] }), {
      specs: SPECS,
      silent_ms: { n: 60_000 },
    });
    expect(said(plan(silent).ops)).toEqual([]);
    const web = buildWorkload("a", "w", "zoned");
    expect(planOf({ nodes: [node], workloads: [web], tasks: [{ ...buildTask(web, "n"), observed }] }).said).toEqual([
      "stop a.w.0 on n: n no longer matches, and it does not run",
    ]);
  });

  test("stops a task of an older version, since the present one does not want this node", () => {
    const next = { ...daemon, version: 2 };
    expect(planOf({ nodes: [node], workloads: [next], tasks: [task] }).said).toEqual([
      `stop a.d.${node.ordinal} on n: n does not match version 2`,
    ]);
  });

  test("still stops it when it is drained", () => {
    const drained = { ...node, drain: { since_ms: NOW_MS, by: "olga", reason: null, deadline_ms: null } };
    expect(planOf({ nodes: [drained], workloads: [daemon], tasks: [task] }).said).toEqual([
      `stop a.d.${node.ordinal} on n: n is being drained`,
    ]);
  });
});

test("a drain moves what its agent only holds back after a crash", () => {
  const drained = buildNode("n", { drain: { since_ms: NOW_MS, by: "olga", reason: null, deadline_ms: null } });
  const web = buildWorkload("a", "w", "s");
  const observed = { state: "preparing", prepared: false, reason: null } as const;
  const task = { ...buildTask(web, "n", { attempt: 3 }), observed };
  const crashed = { ...task, attempt: 2 };
  const due = (rest_ms: number) =>
    buildSlot(crashed, { streak: 2, ends: [buildEnd(crashed)], not_before_ms: NOW_MS + rest_ms });
  const plans = (rest_ms: number): string[] =>
    planOf({ nodes: [drained, buildNode("free")], workloads: [web], tasks: [task], slots: [due(rest_ms)] }).said;
  expect(plans(9_000)).toEqual(["stop a.w.0#3 on n: n is being drained, and it does not run"]);
  expect(plans(-1)).toEqual([expect.stringContaining("place a.w.0#4 on free")]);
});

describe("a taint with the effect no_execute", () => {
  const [tainted, free] = [buildNode("n", { taints: [moving] }), buildNode("free")];
  const web = buildWorkload("a", "web", "s");
  const why = "n is tainted x:no_execute";

  test("stops a daemon's task", () => {
    const daemon = buildWorkload("a", "d", "s", { kind: "daemon" });
    const task = buildTask(daemon, "n", { slot: tainted.ordinal });
    expect(planOf({ nodes: [tainted], workloads: [daemon], tasks: [task] }).said).toEqual([
      `stop a.d.${tainted.ordinal} on n: ${why}`,
    ]);
  });

  test("gives a replica its successor first, and stops it when that one is up", () => {
    const task = buildTask(web, "n");
    const { said: first, state } = planOf({ nodes: [tainted, free], workloads: [web], tasks: [task] });
    expect(first).toEqual([`place a.web.0#2 on free: ${why}`]);
    const tasks = [...state.tasks.values()].map((one) => ({ ...one, observed: task.observed }));
    expect(planOf({ nodes: [tainted, free], workloads: [web], tasks }).said).toEqual([
      "stop a.web.0 on n: replaced by a.web.0#2",
    ]);
  });

  test("leaves a replica where it is while there is no other place, and says why nothing comes", () => {
    const tasks = [buildTask(web, "n")];
    const { blocked } = plan(
      buildSnapshot(buildState({ nodes: [tainted], workloads: [web], tasks }), { specs: SPECS }),
    );
    expect(planOf({ nodes: [tainted], workloads: [web], tasks }).said).toEqual([]);
    expect(blocked.map(({ summary }) => summary)).toEqual([expect.stringContaining("tainted x")]);
  });

  test("stops a job's attempt, which goes on elsewhere and has not failed", () => {
    const run = buildRun(1, "s", { state: "running" });
    const task = buildTask(run, "n");
    const { said: first, state } = planOf({ nodes: [tainted, free], runs: [run], tasks: [task] });
    expect(first).toEqual([`stop 1 on n: ${why}`]);
    expect([...state.slots.values()].map(({ failed }) => failed)).toEqual([0]);
  });

  test("leaves alone what tolerates it", () => {
    const daemon = buildWorkload("a", "d", "tolerant", { kind: "daemon" });
    const service = buildWorkload("a", "t", "tolerant");
    const run = buildRun(1, "tolerant", { state: "running" });
    const tasks = [buildTask(daemon, "n", { slot: tainted.ordinal }), buildTask(service, "n"), buildTask(run, "n")];
    expect(planOf({ nodes: [tainted], workloads: [daemon, service], runs: [run], tasks }).said).toEqual([]);
  });
});
