// What golden files cannot show of a plan: its rows, its cost, its bounds, and how it explains what is placed.

import { describe, expect, test } from "bun:test";
import { withChanges } from "../../../src/core/plan/changes";
import { contact } from "../../../src/core/pass/contact";
import { explainPlaced } from "../../../src/core/why/explain";
import type { Contact } from "../../../src/core/model/lifecycle";
import { DEFAULT_LIMITS } from "../../../src/core/pass/limits";
import type { TaskRow } from "../../../src/core/model/rows-task";
import { plan } from "../../../src/core/plan/plan";
import type { Op } from "../../../src/core/pass/snapshot";
import { taskName } from "../../../src/core/model/task";
import {
  buildDevice,
  buildEnd,
  buildGpu,
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
  uidOf,
} from "../../support/build";
import { GIB } from "../../../src/core/units";
import type { GpuRequest } from "../../../src/core/model/workload";
import { parseCluster } from "../../support/cluster-text";

const placed = (ops: readonly Op[]): TaskRow[] => ops.flatMap((op) => (op.op === "place" ? [op.task] : []));

describe("the cost of a pass", () => {
  const SPECS = { four: buildSpec({ origin: "run", request: { cpu_milli: 4_000 } }) };
  const nodes = [1, 2, 3, 4].map((n) => buildNode(`n${n}`));

  test("five thousand equal runs are looked at once, and share one answer", () => {
    const runs = Array.from({ length: 5_008 }, (_, n) => buildRun(n + 1, "four"));
    const first = plan(buildSnapshot(buildState({ nodes, runs }), { specs: SPECS, limits: { node_checks: 60 } }));
    expect(placed(first.ops)).toHaveLength(8);
    expect(first.more).toBe(false);
    expect(first.blocked).toHaveLength(5_000);
    expect(new Set(first.blocked.map(({ nodes: verdicts }) => verdicts)).size).toBe(1);
  });

  test("a pass that reaches its bound says so, and the next ones do the rest", () => {
    const specs = Object.fromEntries(
      Array.from({ length: 40 }, (_, n) => [`s${n}`, buildSpec({ request: { cpu_milli: 10 + n } })]),
    );
    let state = buildState({ nodes, runs: Array.from({ length: 40 }, (_, n) => buildRun(n + 1, `s${n}`)) });
    let passes = 0;
    for (let more = true; more && passes < 20; passes++) {
      const planned = plan(buildSnapshot(state, { specs, limits: { node_checks: 50 }, seed: uidOf(`pass ${passes}`) }));
      state = withChanges(state, planned.changes);
      more = planned.more;
    }
    expect(passes).toBeGreaterThan(1);
    expect(state.tasks.size).toBe(40);
  });

  test("a pass at its bound that has found out something is followed at once, by one that comes further", () => {
    const specs = Object.fromEntries(
      Array.from({ length: 40 }, (_, n) => [`s${n}`, buildSpec({ request: { cpu_milli: 90_000 + n } })]),
    );
    const state = buildState({ nodes, runs: Array.from({ length: 40 }, (_, n) => buildRun(n + 1, `s${n}`)) });
    const { more, wake_at_ms } = plan(buildSnapshot(state, { specs, limits: { node_checks: 50 } }));
    expect({ more, wake_at_ms }).toEqual({ more: true, wake_at_ms: NOW_MS + 15_000 });
  });
});

describe("agents of one machine that both tell of a card", () => {
  const card = buildDevice("GPU-1", { memory_bytes: 80 * GIB });
  const nodes = ["n1", "n2"].map((name) => buildNode(name, { boot_id: "same", devices: [{ ...card, state_ms: 0 }] }));
  const planned = (gpu: Partial<GpuRequest>, members = 1, boots = nodes): number => {
    const spec = buildSpec({ origin: "run", members, request: { cpu_milli: 100, gpu: buildGpu(gpu) } });
    const runs = [1, 2, 3].map((n) => buildRun(n, "one"));
    return placed(plan(buildSnapshot(buildState({ nodes: boots, runs }), { specs: { one: spec } })).ops).length;
  };

  test("give it away once, whole or in shares", () => {
    expect(planned({})).toBe(1);
    expect(planned({ share_bytes: 40 * GIB })).toBe(2);
    const apart = nodes.map((node) => ({ ...node, boot_id: node.name }));
    expect(planned({}, 1, apart)).toBe(2);
  });

  test("are not both taken for a gang", () => expect(planned({}, 2)).toBe(0));

  test("count what the other's tasks hold", () => {
    const spec = buildSpec({ origin: "run", request: { cpu_milli: 100, gpu: buildGpu({}) } });
    const [first] = placed(
      plan(buildSnapshot(buildState({ nodes, runs: [buildRun(1, "one")] }), { specs: { one: spec } })).ops,
    );
    if (first === undefined) throw new Error("nothing was placed");
    const runs = [buildRun(1, "one", { state: "running" }), buildRun(2, "one")];
    const again = plan(buildSnapshot(buildState({ nodes, runs, tasks: [first] }), { specs: { one: spec } }));
    expect(placed(again.ops)).toEqual([]);
  });
});

describe("the rows of a plan", () => {
  const a = buildNode("a");

  test("a placed task has its slot's next number, its node's boot and the commit's revision", () => {
    const api = buildWorkload("recs", "api", "s", { settings: { restart: { offline: true } } });
    const ended = buildTask(api, "a", { attempt: 3 });
    const slot = buildSlot(ended, { ends: [buildEnd(ended)], streak: 1 });
    const { ops, changes } = plan(buildSnapshot(buildState({ nodes: [a], workloads: [api], slots: [slot] })));
    expect(placed(ops)).toMatchObject([
      {
        attempt: 4,
        grant_until: 9,
        boot_id: a.boot_id,
        assigned_revision: 11,
        unix_user: "alice",
        created_ms: NOW_MS,
        desired: "run",
        observed: { state: "assigned" },
      },
    ]);
    expect(changes.map((change) => change.table)).toEqual(["tasks", "slots", "events"]);
  });

  test("uids follow the seed, and no two things get the same one", () => {
    const api = buildWorkload("recs", "api", "s", { settings: { replicas: 50 } });
    const snapshot = buildSnapshot(buildState({ nodes: [a], workloads: [api] }));
    const { ops, changes } = plan(snapshot);
    const ids = [
      ...placed(ops).map((task) => task.uid),
      ...changes.flatMap((change) => (change.table === "events" ? [change.key] : [])),
    ];
    expect(new Set(ids).size).toBe(100);
    expect(ids.every((id) => /^[0-9a-f]{32}$/.test(id) && id.endsWith(SEED.slice(8)))).toBe(true);
    const again = plan(snapshot);
    expect([again.ops, again.changes]).toEqual([ops, changes]);
  });

  test("a job remembers the newest of its runs, whichever ends first", () => {
    const prep = buildWorkload("recs", "prep", "s", { kind: "job" });
    const of = { app: "recs", app_uid: prep.app_uid, workload_uid: prep.uid, name: "recs.prep" };
    const runs = [
      buildRun(7, "s", { ...of, state: "running" }),
      buildRun(6, "s", of),
      buildRun(5, "s", { ...of, state: "running" }),
    ];
    const done = (run: number, state: "succeeded" | "failed") => {
      const task = buildTask(runs.find((row) => row.run === run) ?? prep, "a");
      return buildSlot(task, { ends: [buildEnd(task, { state })], failed: state === "failed" ? 1 : 0 });
    };
    const state = buildState({ nodes: [a], workloads: [prep], runs, slots: [done(7, "succeeded"), done(5, "failed")] });
    const after = withChanges(state, plan(buildSnapshot(state)).changes);
    expect(after.workloads.get(prep.uid)?.last_run).toMatchObject({ run: 7, state: "succeeded" });
    expect([...after.runs.values()].map((run) => [run.run, run.state])).toEqual([[6, "running"]]);
  });

  test("a failed run has the code, signal, cause and reason of the member that failed first", () => {
    const run = buildRun(1, "gang", { state: "running", started_ms: NOW_MS - 9_000 });
    const [first, second] = [0, 1].map((member) => buildTask(run, "a", { member })) as [TaskRow, TaskRow];
    const ends = [
      buildEnd(first, { exit_code: null, signal: "KILL", at_ms: NOW_MS - 1_000 }),
      buildEnd(second, { exit_code: 137, cause: "out_of_memory", reason: "out of memory", at_ms: NOW_MS - 2_000 }),
    ];
    const state = buildState({ nodes: [a], runs: [run], slots: [buildSlot(first, { ends, failed: 1 })] });
    const { ops } = plan(buildSnapshot(state, { specs: { gang: buildSpec({ members: 2 }) } }));
    expect(ops).toMatchObject([
      {
        op: "run",
        run: {
          state: "failed",
          exit_code: 137,
          signal: null,
          cause: "out_of_memory",
          reason: "member 1: out of memory",
          finished_ms: NOW_MS - 1_000,
        },
      },
      { op: "archive" },
    ]);
  });
});

describe("contact", () => {
  const cases: [before: Contact, connected: boolean, silent_s: number, after: Contact][] = [
    ["connected", true, 0, "connected"],
    ["connected", true, 14, "connected"],
    ["connected", true, 15, "unreachable"],
    ["connected", false, 14, "connected"],
    ["connected", false, 15, "unreachable"],
    ["connected", false, 300, "lost"],
    ["unreachable", false, 5, "unreachable"],
    ["unreachable", true, 0, "connected"],
    ["unreachable", false, 300, "lost"],
    ["lost", false, 5, "lost"],
    ["lost", false, 20, "lost"],
    ["lost", true, 0, "connected"],
  ];
  for (const [before, connected, silent_s, after] of cases) {
    test(`${before}, ${connected ? "with" : "without"} a connection, silent for ${silent_s} s, is ${after}`, () => {
      const snapshot = buildSnapshot(buildState({ nodes: [buildNode("a", { contact: before })] }));
      const contacts = new Map([["a", { connected, silent_ms: silent_s * 1_000 }]]);
      const { nodes, ops } = contact({ ...snapshot, contacts });
      expect(nodes.get("a")?.node.contact).toBe(after);
      expect(ops).toHaveLength(before === after ? 0 : 1);
      expect(nodes.get("a")?.usable).toBe(connected && after === "connected");
    });
  }

  test("after a server start a node is as silent as the server has listened, and nothing is placed on it", () => {
    const state = buildState({ nodes: [buildNode("a")], runs: [buildRun(1, "s")] });
    const young = plan(buildSnapshot(state, { silent_ms: { a: null }, listening_ms: 3_000 }));
    expect(young.ops).toEqual([]);
    expect(young.blocked[0]?.summary).toBe("waits: 0 of 1 node fits: 1 is not connected yet");
    const old = plan(
      buildSnapshot(state, { silent_ms: { a: null }, listening_ms: DEFAULT_LIMITS.unreachable_after_ms }),
    );
    expect(old.ops).toMatchObject([{ op: "node", node: { contact: "unreachable", contact_ms: NOW_MS } }]);
  });
});

describe("explaining what is placed", () => {
  test("shows every node that would do, its own first when it is the best, and why", () => {
    const nodes = [
      buildNode("a"),
      buildNode("b", { capacity: { cpu_milli: 4_000 } }),
      buildNode("c", { devices: [buildDevice("x")] }),
      buildNode("d", { taints: [{ key: "team", value: "x", effect: "no_schedule" }] }),
    ];
    const run = buildRun(1, "s", { state: "running" });
    const task = buildTask(run, "b", { promised: { cpu_milli: 1_000 } });
    const snapshot = buildSnapshot(buildState({ nodes, runs: [run], tasks: [task] }), {
      specs: { s: buildSpec({ origin: "run" }) },
    });
    const { scores } = explainPlaced(snapshot, task);
    expect(scores.map(({ node }) => node)).toEqual(["b", "a", "c"]);
    expect(scores[2]?.parts["keep_cards"]).toBeLessThan(0);
    for (const { total, parts } of scores)
      expect(total).toBeCloseTo(Object.values(parts).reduce((sum, part) => sum + part, 0));
  });

  describe("of cards", () => {
    const explained = (text: string, name: string): ReturnType<typeof explainPlaced> => {
      const { state, snapshot } = parseCluster(text);
      const task = [...state.tasks.values()].find((one) => taskName(one) === name);
      return explainPlaced(snapshot, task ?? buildTask(buildRun(9, "s"), "a"));
    };
    const whys = (text: string): string[] => explained(text, "1").devices.map(({ id, why }) => `${id}: ${why}`);

    test("says why each would be taken now", () => {
      const node = "node a gpu=RTX_3090:24GB*3,H100:80GB\nlink nvlink a-RTX_3090-1 a-RTX_3090-2\n";
      expect(whys(`${node}run 1 running gpu=1\ntask 1 on=a devices=a-RTX_3090-0`)).toEqual([
        "a-RTX_3090-0: smallest fit, 24 GB, connected with no other",
      ]);
      expect(whys(`${node}run 1 running gpu=2\ntask 1 on=a devices=a-RTX_3090-1,a-RTX_3090-2`)).toEqual([
        "a-RTX_3090-1: smallest fit, 24 GB, directly linked with the others",
        "a-RTX_3090-2: smallest fit, 24 GB, directly linked with the others",
      ]);
      expect(whys(`${node}run 1 running gpu=1 share=8GB\ntask 1 on=a devices=a-RTX_3090-0@8GB`)).toEqual([
        "a-RTX_3090-0: no shared card has room, so that this one is shared now, 16 GB left of 24 GB",
      ]);
    });
    test("says what has changed since, where another would be taken or it would not be", () => {
      const run = "run 1 running gpu=1\ntask 1 on=a devices=a-H100-0";
      expect(whys(`node a gpu=H100:80GB,T4:16GB\n${run}`)).toEqual([
        "a-H100-0: did best when the task was placed; now a-T4-0 would",
      ]);
      expect(whys(`node a gpu=H100:80GB\ncard a-H100-0 is=quarantined reason=XID_79\n${run}`)).toEqual([
        "a-H100-0: did best when the task was placed; now a-H100-0 is quarantined: XID 79",
      ]);
      expect(whys(`node a gpu=T4:16GB\n${run}`)).toEqual([
        "a-H100-0: did best when the task was placed; the node does not show it any more",
      ]);
    });

    test("compares nodes by what they would give", () => {
      const text = `
node big gpu=H100:80GB
node small gpu=T4:16GB
node pair gpu=T4:16GB*2
link nvlink pair-T4-0 pair-T4-1
node used gpu=T4:16GB*2
link nvlink used-T4-0 used-T4-1
run 1 running gpu=1 cpu=1 memory=1GiB
run 2 running gpu=1 cpu=1 memory=1GiB
task 1 on=small devices=small-T4-0
task 2 on=used devices=used-T4-0
`;
      const { scores } = explained(text, "1");
      expect(scores.map(({ node }) => node)).toEqual(["used", "small", "pair", "big"]);
      expect(scores.map(({ parts }) => parts["break_group"] ?? 0)).toEqual([0, 0, -2, 0]);
    });
    test("compares nodes for connected cards and for shares", () => {
      const linked = `
node apart gpu=T4:16GB*2
node socket gpu=T4:16GB*2
link socket socket-T4-0 socket-T4-1
node switch gpu=T4:16GB*2
link switch switch-T4-0 switch-T4-1
node direct gpu=T4:16GB*2
link xgmi direct-T4-0 direct-T4-1
run 1 running gpu=2 cpu=1 memory=1GiB
task 1 on=direct devices=direct-T4-0,direct-T4-1
`;
      expect(explained(linked, "1").scores.map(({ node }) => node)).toEqual(["direct", "switch", "socket", "apart"]);
      const shared = `
node fresh gpu=T4:16GB
node shared gpu=H100:80GB
run 1 running gpu=1 share=4GB cpu=1 memory=1GiB
run 2 running gpu=1 share=4GB cpu=1 memory=1GiB
task 1 on=shared devices=shared-H100-0@4GB
task 2 on=shared devices=shared-H100-0@4GB
`;
      const { scores } = explained(shared, "1");
      expect(scores.map(({ node, parts }) => [node, parts["open_card"] ?? 0])).toEqual([
        ["shared", 0],
        ["fresh", -50],
      ]);
    });
  });
});
