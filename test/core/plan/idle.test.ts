// Idle cards: whose they are taken from, for whom, and what becomes of a run and of a replica that gave theirs back.

import { describe, expect, test } from "bun:test";
import { plan } from "../../../src/core/plan/plan";
import type { Op, Plan, Snapshot } from "../../../src/core/pass/snapshot";
import type { RunRow, SlotRow, WorkloadRow } from "../../../src/core/model/rows-work";
import type { TaskRow } from "../../../src/core/model/rows-task";
import type { NodeRow } from "../../../src/core/model/rows-node";
import type { IdleSettings } from "../../../src/core/model/workload";
import { GIB, MINUTE_MS } from "../../../src/core/units";
import {
  buildDevice,
  buildEnd,
  buildGpu,
  buildNode,
  buildPromised,
  buildRun,
  buildSlot,
  buildSnapshot,
  buildSpec,
  buildState,
  buildTask,
  buildWorkload,
} from "../../support/build";
import { printPlan } from "../../support/print-plan";

const idle = (part: Partial<IdleSettings> = {}): IdleSettings => ({
  gpu_below_percent: 5,
  for_ms: 30 * MINUTE_MS,
  action: "stop",
  only_if_wanted: true,
  ...part,
});
const card = (id: string, gb = 80) => buildDevice(id, { model: "A100", memory_bytes: gb * GIB });
const gpuSpec = (count = 1, members = 1, memory_min_bytes: number | null = null) =>
  buildSpec({
    members,
    request: {
      cpu_milli: 100,
      memory_bytes: GIB,
      disk_bytes: 0,
      gpu: buildGpu({ count, memory_min_bytes }),
      countables: {},
    },
  });
const SPECS = {
  wide: buildSpec({ ...gpuSpec(), request: { ...gpuSpec().request, cpu_milli: 900 } }),
  big: gpuSpec(1, 1, 80 * GIB),
  none: buildSpec(),
  one: gpuSpec(),
  two: gpuSpec(2),
  gang: gpuSpec(1, 2),
};

const service = (name: string, settings: Partial<WorkloadRow["settings"]> = {}) =>
  buildWorkload("recs", name, "one", { settings });
const job = (run: number, settings: Partial<RunRow["settings"]> = {}, hash = "one") =>
  buildRun(run, hash, { state: "running", settings });
const waits = (run: number, hash = "one") => buildRun(run, hash);
const on = (
  owner: WorkloadRow | RunRow,
  node: string,
  cards: readonly string[],
  part: Partial<TaskRow> = {},
): TaskRow =>
  buildTask(owner, node, { promised: buildPromised({ devices: cards.map((id) => ({ id, bytes: null })) }), ...part });

interface Given {
  readonly nodes?: readonly NodeRow[];
  readonly workloads?: readonly WorkloadRow[];
  readonly runs?: readonly RunRow[];
  readonly slots?: readonly SlotRow[];
  readonly tasks?: readonly TaskRow[];
  /** Minutes of idleness by task. */
  readonly idle?: readonly (readonly [TaskRow, number])[];
}

function snapshotOf(given: Given): Snapshot {
  const nodes = given.nodes ?? [buildNode("a", { devices: [card("g0")] })];
  const state = buildState({ ...given, nodes: [...nodes] } as never);
  const facts = Object.fromEntries((given.idle ?? []).map(([task, minutes]) => [task.uid, minutes * MINUTE_MS]));
  return buildSnapshot(state, { specs: SPECS, idle: facts });
}

const planned = (given: Given): Plan => plan(snapshotOf(given));

/** What is done to tasks and runs, in the plan's own lines. */
const done = (given: Given): string[] => {
  const snapshot = snapshotOf(given);
  return printPlan(plan(snapshot), snapshot)
    .split("\n")
    .filter((line) => /^(stop|notify|run) /.test(line));
};
const WHY = "its GPU was below 5 % for 30m";

describe("a run whose card is idle", () => {
  const lazy = job(1, { idle: idle() });
  const task = on(lazy, "a", ["g0"]);

  test("is cancelled, with the reason, for one who waits for a card", () => {
    expect(done({ runs: [lazy, waits(2)], tasks: [task], idle: [[task, 31]] })).toEqual([
      `stop 1 v1 on a: ${WHY}, and job-2 (run 2) waits for a card`,
      `run 1 running: ${WHY}, and job-2 (run 2) waits for a card`,
    ]);
    const { ops } = planned({ runs: [lazy, waits(2)], tasks: [task], idle: [[task, 31]] });
    const run = ops.find((op): op is Extract<Op, { op: "run" }> => op.op === "run")?.run;
    expect(run?.cancel).toEqual({ at_ms: expect.any(Number) as number, by: "idle reclaim" });
  });
  const KEPT: (readonly [what: string, given: Given])[] = [
    ["while nobody waits", { runs: [lazy], tasks: [task], idle: [[task, 60]] }],
    ["while it is not idle for long enough", { runs: [lazy, waits(2)], tasks: [task], idle: [[task, 29]] }],
    ["while it is used, or nobody can say", { runs: [lazy, waits(2)], tasks: [task] }],
    [
      "while the one who waits could not have the card",
      { runs: [lazy, waits(2, "two")], tasks: [task], idle: [[task, 60]] },
    ],
    ["while the one who waits wants no card", { runs: [lazy, waits(2, "none")], tasks: [task], idle: [[task, 60]] }],
    [
      "without asking for it",
      { runs: [job(1), waits(2)], tasks: [on(job(1), "a", ["g0"])], idle: [[on(job(1), "a", ["g0"]), 60]] },
    ],
    [
      "while a card is about to be free",
      {
        nodes: [buildNode("a", { devices: [card("g0"), card("g1")] })],
        runs: [lazy, waits(2), job(3)],
        tasks: [
          task,
          on(job(3), "a", ["g1"], { desired: "stop", stop: { why: "x", signal: "TERM", grace_ms: 1, at_ms: 1 } }),
        ],
        idle: [[task, 60]],
      },
    ],
  ];
  const busy = on(job(3, {}, "none"), "a", [], { promised: buildPromised({ cpu_milli: 900 }) });
  const heir = on(job(4, {}, "none"), "a", [], {
    promised: busy.promised,
    heir_of: [busy.uid],
    observed: { state: "assigned" },
    desired: "stop",
    stop: { why: "x", signal: "TERM", grace_ms: 1, at_ms: 1, unbegun: true },
  });
  const small = buildNode("a", { devices: [card("g0")] });
  const full: Given = {
    nodes: [{ ...small, capacity: { ...small.capacity, cpu_milli: 1_000 } }],
    runs: [lazy, waits(2, "wide"), job(3, {}, "none"), job(4, {}, "none")],
    tasks: [task, busy, heir],
    idle: [[task, 60]],
  };
  KEPT.push(["while it would not be enough: an heir that is taken back has no room to give", full]);
  test.each(KEPT)("keeps it %s", (_what, given) =>
    expect(done(given).filter((line) => line.startsWith("stop 1 "))).toEqual([]),
  );
  test("gives it back to nobody where that is asked for", () => {
    const always = job(1, { idle: idle({ only_if_wanted: false }) });
    const held = on(always, "a", ["g0"]);
    expect(done({ runs: [always], tasks: [held], idle: [[held, 31]] })).toEqual([
      `stop 1 v1 on a: ${WHY}`,
      `run 1 running: ${WHY}`,
    ]);
  });
  test("makes the plan look again when its time has come", () => {
    const { wake_at_ms } = planned({ runs: [lazy], tasks: [task], idle: [[task, 29.9]] });
    expect(wake_at_ms).toBe(snapshotOf({}).now_ms + 6_000);
  });
});

describe("of several that are idle", () => {
  const nodes = [buildNode("a", { devices: [card("g0"), card("g1")] })];
  const first = job(1, { idle: idle() });
  const second = job(2, { idle: idle() });
  const tasks = [on(first, "a", ["g0"]), on(second, "a", ["g1"])];
  const both = [
    [tasks[0]!, 40],
    [tasks[1]!, 50],
  ] as const;
  const stopped = (given: Given): string[] =>
    done({ nodes, tasks, idle: both, ...given })
      .filter((line) => line.startsWith("stop"))
      .map((line) => line.slice(0, 6));

  test("the one that is so for longest goes, and no more than are needed", () => {
    expect(stopped({ runs: [first, second, waits(3)] })).toEqual(["stop 2"]);
    expect(stopped({ runs: [first, second, waits(3), waits(4)] })).toEqual(["stop 2", "stop 1"]);
  });
  test("all go whose cards one needs together", () => {
    expect(stopped({ runs: [first, second, waits(3, "two")] })).toEqual(["stop 2", "stop 1"]);
  });
  test("one whose card would not do is left alone, however long it is idle", () => {
    const unlike = [buildNode("a", { devices: [card("g0", 40), card("g1", 80)] })];
    const idleFor = [
      [tasks[0]!, 60],
      [tasks[1]!, 31],
    ] as const;
    expect(stopped({ nodes: unlike, idle: idleFor, runs: [first, second, waits(3, "big")] })).toEqual(["stop 2"]);
  });
  test("none goes for another that has been stopped for the same one", () => {
    const stop = { why: "x", signal: "TERM", grace_ms: 1, at_ms: 1 };
    const ending = [tasks[0]!, { ...tasks[1]!, desired: "stop" as const, stop }];
    expect(stopped({ runs: [first, second, waits(3)], tasks: ending })).toEqual([]);
  });
  test("a gang goes as a whole, once all of its cards are idle", () => {
    const gang = job(1, { idle: idle() }, "gang");
    const two = [buildNode("a", { devices: [card("g0")] }), buildNode("b", { devices: [card("g1")] })];
    const members = [on(gang, "a", ["g0"]), on(gang, "b", ["g1"], { member: 1 })];
    const given = { nodes: two, runs: [gang, waits(2)], tasks: members };
    expect(stopped({ ...given, idle: [[members[0]!, 40]] })).toEqual([]);
    const all = done({
      ...given,
      idle: [
        [members[0]!, 40],
        [members[1]!, 31],
      ],
    });
    expect(all).toContain("stop 1.1 v1 on b: its 2 GPUs were below 5 % for 30m, and job-2 (run 2) waits for a card");
    expect(all.filter((line) => line.startsWith("stop")).length).toBe(2);
  });
});

describe("a replica whose card is idle", () => {
  const lazy = service("api", { idle: idle() });
  const task = on(lazy, "a", ["g0"]);

  test("is stopped for another, never for one of its own", () => {
    expect(done({ workloads: [lazy], runs: [waits(2)], tasks: [task], idle: [[task, 31]] })).toEqual([
      `stop recs.api.0 v1 on a: ${WHY}, and job-2 (run 2) waits for a card`,
    ]);
    const two = service("api", { idle: idle(), replicas: 2 });
    const own = on(two, "a", ["g0"]);
    expect(done({ workloads: [two], tasks: [own], idle: [[own, 31]] })).toEqual([]);
  });
  const end = {
    ...buildEnd(task, { state: "stopped", exit_code: null }),
    reason: `${WHY}, and job-2 (run 2) waits`,
    idle: true,
  };
  const gave = buildSlot(task, { ends: [end] });

  test("leaves its slot empty afterwards, with the reason and the way back", () => {
    const { ops, blocked } = planned({ workloads: [lazy], slots: [gave] });
    expect(ops).toEqual([]);
    expect(blocked[0]).toMatchObject({
      name: "recs.api.0",
      summary: expect.stringMatching(
        /^was stopped .* ago: its GPU was below 5 % for 30m, and job-2 \(run 2\) waits$/,
      ) as string,
      smallest_change: "orch restart recs.api",
    });
  });
  test("comes back with a new version, without the setting, and once its slot is cleared", () => {
    const places = (given: Given): number => planned(given).ops.filter((op) => op.op === "place").length;
    expect(places({ workloads: [{ ...lazy, version: 2 }], slots: [gave] })).toBe(1);
    expect(places({ workloads: [service("api")], slots: [gave] })).toBe(1);
    expect(places({ workloads: [lazy], slots: [{ ...gave, ends: [] }] })).toBe(1);
    expect(places({ workloads: [lazy], slots: [gave] })).toBe(0);
  });
});

describe("one who wants to be told", () => {
  const tells = job(1, { idle: idle({ action: "notify" }) });
  const task = on(tells, "a", ["g0"]);
  const given: Given = { runs: [tells, waits(2)], tasks: [task], idle: [[task, 31]] };

  test("is told while somebody waits, and keeps the card", () => {
    expect(done(given)).toEqual([`notify 1 v1 on a: ${WHY}, and job-2 (run 2) waits for a card`]);
    expect(planned(given).changes.filter(({ table }) => table === "tasks" || table === "runs")).toEqual([]);
    const events = planned(given).changes.flatMap((change) => (change.table === "events" ? [change.row] : []));
    expect(events.map(({ verb, object, detail }) => [verb, object, detail])).toEqual([
      ["idle", "1", `${WHY}, and job-2 (run 2) waits for a card`],
    ]);
    expect(done({ ...given, runs: [tells] })).toEqual([]);
  });
  test("is told for all members of a gang at once, so that no later pass tells it again", () => {
    const members = ["g0", "g1"].map((card, member) => ({ ...on(tells, "a", [card]), member, uid: `${member}` }));
    const gang: Given = { ...given, tasks: members, idle: members.map((one) => [one, 31] as const) };
    const [op] = planned(gang).ops.filter((one) => one.op === "notify");
    expect(op?.uids).toEqual(["0", "1"]);
  });
  test("is told once a spell", () => {
    const snapshot = snapshotOf(given);
    const told = { ...snapshot, idle: new Map([[task.uid, { idle_ms: 31 * MINUTE_MS, told: true }]]) };
    expect(plan(told).ops).toEqual([]);
    expect(done({ ...given, runs: [tells, waits(2), waits(3)] })).toHaveLength(1);
  });
});
