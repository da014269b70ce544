// What reports and inventories make of what the server knows: each thing is counted once, and gone when it is over.

import { describe, expect, test } from "bun:test";
import { withoutRecord } from "../../../src/core/agent/report";
import { withChanges } from "../../../src/core/plan/changes";
import { successorUid } from "../../../src/core/fresh";
import { DEFAULT_LIMITS } from "../../../src/core/pass/limits";
import type { TaskReport } from "../../../src/core/model/record";
import type { State } from "../../../src/core/model/rows-state";
import type { TaskRow } from "../../../src/core/model/rows-task";
import type { NodeRow, Orphan } from "../../../src/core/model/rows-node";
import { observe, observeInventory } from "../../../src/core/intake/observe";
import type { IntakeContext } from "../../../src/core/intake/draft";
import { plan } from "../../../src/core/plan/plan";
import {
  buildEnd,
  buildNode,
  buildPromised,
  buildRun,
  buildSettings,
  buildSlot,
  buildSnapshot,
  buildSpec,
  buildState,
  buildTask,
  buildWorkload,
  NOW_MS,
  SEED,
} from "../../support/build";
import { failedReport, reportOf } from "../../support/reports";

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
const api = buildWorkload("recs", "api", "s", { settings: { replicas: 2, restart: { offline: true } } });
const held = buildPromised({ cpu_milli: node.capacity.cpu_milli / 2 });

const orphanOf = (uid: string, name: string): Orphan => ({ uid, name, pid: 7, held });
const nodeIn = (state: State): NodeRow => state.nodes.get(node.id) as NodeRow;

/** The state after an inventory that has only what could not be read. */
function afterUnreadable(state: State, unreadable: readonly Orphan[], hasEnded = context.hasEnded): State {
  const inventory = { boot_id: node.boot_id, applied: null, entries: [], unreadable };
  return withChanges(state, observeInventory(state, node.id, inventory, { ...context, hasEnded }).changes);
}

describe("a task that the server knows and whose record its agent cannot read", () => {
  const task = buildTask(api, "a", { promised: held });
  const before = buildState({ nodes: [node], workloads: [api], tasks: [task] });
  const state = afterUnreadable(before, [orphanOf(task.uid, "recs.api.0")]);

  test("is shown, and its place is counted once", () => {
    expect(nodeIn(state).orphans.map(({ uid, pid }) => [uid, pid])).toEqual([[task.uid, 7]]);
    const spec = buildSpec({ request: { cpu_milli: held.cpu_milli, memory_bytes: 1 } });
    const { blocked } = plan(buildSnapshot(state, { specs: { s: spec } }));
    expect(blocked).toEqual([]);
  });
  test("is a reason of its node that names it, unless it is seen to live", () => {
    expect(nodeIn(state).reason).toBeNull();
    const dead = afterUnreadable(before, [{ ...orphanOf(task.uid, "recs.api.0"), pid: null }]);
    expect(nodeIn(dead).reason).toStartWith(
      "it has records that it cannot read, so nobody knows of recs.api.0: orch cancel",
    );
    expect(dead.tasks.size).toBe(1);
  });
  test("is shown no longer once its end has come", () => {
    const { changes } = observe(state, node.id, [failedReport(task)], context);
    const after = withChanges(state, changes);
    expect(after.tasks.size).toBe(0);
    expect(nodeIn(after).orphans).toEqual([]);
  });
});

describe("a task that is gone with its agent's data directory, while another one lives on", () => {
  const service = buildTask(api, "a", { promised: held });
  const job = buildTask(api, "a", {
    uid: "e".repeat(32),
    slot: 1,
    observed: { state: "running", pid: 8, started_ms: NOW_MS - 9_000 },
  });
  const before = buildState({ nodes: [node], workloads: [api], tasks: [service, job] });

  test("has an unknown end at once: what lives on is known to be the other one", () => {
    const after = afterUnreadable(before, [orphanOf(service.uid, "recs.api.0")]);
    expect([...after.tasks.keys()]).toEqual([service.uid]);
    expect(nodeIn(after).reason).toBeNull();
  });
  test("is not hidden by a record of one that has ended either", () => {
    const over = "f".repeat(32);
    const after = afterUnreadable(before, [{ ...orphanOf(over, "recs.api.2"), pid: null }], (uid) => uid === over);
    expect([...after.tasks.keys()]).toEqual([]);
    expect(nodeIn(after).reason).toBeNull();
  });
  test("may be what nobody can name, so nothing is concluded, and the node says why", () => {
    const after = afterUnreadable(before, [orphanOf(service.uid, "recs.api.0"), orphanOf("f".repeat(32), "x")]);
    expect(after.tasks.size).toBe(2);
    expect(nodeIn(after).reason).toContain("it has records that it cannot read");
  });
});

describe("a task whose agent says that it was stopped before it began", () => {
  const said = withoutRecord("", "drained", "no");
  const endOf = (observed: TaskRow["observed"]): unknown => {
    const task = buildTask(api, "a", { observed });
    const state = buildState({ nodes: [node], workloads: [api], tasks: [task] });
    const { changes } = observe(state, node.id, [{ ...said, uid: task.uid }], context);
    return changes.find(({ table }) => table === "ended_tasks")?.row;
  };
  test("has an unknown end if the agent had reported that it ran", () => {
    const ran = { state: "running", pid: 7, started_ms: NOW_MS - 9_000 } as const;
    expect(endOf(ran)).toMatchObject({
      observed: { state: "unknown", started_ms: NOW_MS - 9_000, cause: "no_record" },
    });
  });
  test("is stopped otherwise", () => {
    expect(endOf({ state: "assigned" })).toMatchObject({ observed: { state: "stopped" } });
  });
});

test("an orphan that turns out to be the successor of a known task is none any more", () => {
  const task = buildTask(api, "a", { grant_until: 4 });
  const next = successorUid(task.uid, 2);
  const orphans = [orphanOf(next, "recs.api.0#2"), orphanOf("f".repeat(32), "other")];
  const state = buildState({ nodes: [{ ...node, orphans }], workloads: [api], tasks: [task] });
  const after = withChanges(state, observe(state, node.id, [failedReport(task, next)], context).changes);
  expect([...after.tasks.keys()]).toEqual([next]);
  expect(nodeIn(after).orphans.map(({ name }) => name)).toEqual(["other"]);
});

test("an attempt that its agent begins later is awaited as long as the agent says, and no longer than can be", () => {
  const task = buildTask(api, "a", { grant_until: 4 });
  const state = buildState({ nodes: [node], workloads: [api], tasks: [task] });
  const waits = (starts_in_ms: number): number[] => {
    const report = failedReport(task, successorUid(task.uid, 2), starts_in_ms);
    const { slots } = withChanges(state, observe(state, node.id, [report], context).changes);
    return [...slots.values()].map(({ not_before_ms }) => not_before_ms - NOW_MS);
  };
  expect(waits(3_700)).toEqual([3_700]);
  expect(waits(10 ** 9)).toEqual([1.2 * api.settings.restart.backoff_max_ms]);
});

describe("an attempt that its agent made under a grant, while the record of the one before cannot be read", () => {
  const task = buildTask(api, "a", { promised: held, grant_until: 4 });
  const state = buildState({ nodes: [node], workloads: [api], tasks: [task] });
  const running = (uid: string, attempt: number): TaskReport =>
    reportOf({ ...task, uid, attempt }, { state: "running", pid: 9, started_age_ms: 0 });
  const third = successorUid(successorUid(task.uid, 2), 3);

  test("is that slot's task, since its uid follows from the one before", () => {
    const after = withChanges(state, observe(state, node.id, [running(third, 3)], context).changes);
    expect(after.tasks.get(third)).toMatchObject({ attempt: 3, owner_uid: api.uid, desired: "run" });
    expect(nodeIn(after).orphans).toEqual([]);
    expect(after.slots.get(`${api.uid}/0`)?.attempts).toBe(4);
  });
  test("is given up and told to stop where the one before is", () => {
    const left = { at_ms: NOW_MS, why: "a has been silent" };
    const given = { ...task, desired: "stop", written_off: left } as const;
    const over = buildState({ nodes: [node], workloads: [api], tasks: [given] });
    const after = withChanges(over, observe(over, node.id, [running(third, 3)], context).changes);
    expect(after.tasks.get(third)).toMatchObject({ desired: "stop", written_off: left });
  });
  test("is an orphan with a number beyond the grant, or with another uid", () => {
    const beyond = successorUid(successorUid(third, 4), 5);
    for (const report of [running(beyond, 5), running("e".repeat(32), 3)]) {
      const after = withChanges(state, observe(state, node.id, [report], context).changes);
      expect(after.tasks.has(report.uid)).toBe(false);
      expect(nodeIn(after).orphans.map(({ uid }) => uid)).toEqual([report.uid]);
    }
  });
});

test("an agent that has no record of an attempt does not say which of its granted numbers it has used", () => {
  const task = buildTask(api, "a", { grant_until: 4 });
  const state = buildState({ nodes: [node], workloads: [api], tasks: [task] });
  const report = withoutRecord(task.uid, "it was scaled down", "no");
  const after = withChanges(state, observe(state, node.id, [report], context).changes);
  expect(after.tasks.size).toBe(0);
  expect([...after.slots.values()].map(({ attempts }) => attempts)).toEqual([4]);
});

test("a late success of a gang's member hides no question, though the newer attempt's other member still lives", () => {
  const run = buildRun(3, "x", { state: "running" });
  const at = (attempt: number, member: number): TaskRow => buildTask(run, "a", { attempt, member });
  const old = { ...at(1, 0), written_off: { at_ms: NOW_MS, why: "its node was silent" } };
  const ends = [buildEnd(at(2, 0), { state: "unknown", exit_code: null })];
  const slots = [buildSlot(at(2, 0), { attempts: 2, ends })];
  const state = buildState({ nodes: [node], runs: [run], tasks: [old, at(2, 1)], slots });
  const entry = failedReport(old);
  const succeeded = { ...entry, reported: { ...entry.reported, state: "succeeded", exit_code: 0 } } as TaskReport;
  const after = withChanges(state, observe(state, node.id, [succeeded], context).changes);
  expect([...after.slots.values()].map((slot) => slot.ends)).toEqual([ends]);
});

test("a restored server takes in how an attempt ended that its copy is too old to know", () => {
  const run = buildRun(3, "x", { state: "running" });
  const newer = buildTask(run, "a", { attempt: 2 });
  const known = buildState({ nodes: [node], runs: [run] });
  const after = (recovering: string[] | null): State => {
    const state = { ...known, cluster: { ...known.cluster, recovering } };
    return withChanges(state, observe(state, node.id, [failedReport(newer)], context).changes);
  };
  const [slot] = after([node.id]).slots.values();
  expect(slot).toMatchObject({ owner_uid: run.uid, failed: 1, attempts: 2, ends: [{ uid: newer.uid, attempt: 2 }] });
  // A server that was not restored knows all that it has assigned.
  expect(after(null).slots.size).toBe(0);
});

describe("an exclusive slot", () => {
  const db = buildWorkload("shop", "db", "x", { settings: buildSettings({ replicas: 1 }) });
  const specs = { x: buildSpec({ exclusive: true }) };
  const stateWith = (name: string): State =>
    buildState({
      nodes: [
        { ...node, orphans: [{ ...orphanOf("f".repeat(32), name), held: null, project: db.project }] },
        buildNode("b"),
      ],
      workloads: [db],
    });

  test.each(["shop.db.0", "shop.db.0#3"])(
    "waits while an orphan lives that is called %s, and says what to do",
    (name) => {
      const { ops, blocked } = plan(buildSnapshot(stateWith(name), { specs }));
      expect(ops).toEqual([]);
      expect(blocked).toMatchObject([
        { name: "shop.db.0", kind: "queued", summary: expect.stringContaining(`waits for ${name} on a, which lives`) },
      ]);
      expect(blocked[0]?.smallest_change).toContain("orch stop a/ffffffffff");
    },
  );
  test.each(["shop.db.01", "shop.db2.0", "shop.db.1#2"])("does not care for one that is called %s", (name) => {
    const { ops } = plan(buildSnapshot(stateWith(name), { specs }));
    expect(ops.map(({ op }) => op)).toEqual(["place"]);
  });
});

/** Tasks that count how often all of them are looked through. */
class CountedTasks extends Map<string, TaskRow> {
  looks = 0;
  override values(): MapIterator<TaskRow> {
    this.looks++;
    return super.values();
  }
  override [Symbol.iterator](): MapIterator<[string, TaskRow]> {
    this.looks++;
    return super[Symbol.iterator]();
  }
}

test("many ends of slots with granted numbers look through all tasks once", () => {
  const COUNT = 300;
  const rows = Array.from({ length: COUNT }, (_, slot) => buildTask(api, "a", { slot, attempt: 1, grant_until: 4 }));
  const slots = rows.map((row) => ({ ...buildSlot(row), attempts: 4 }));
  const tasks = new CountedTasks(rows.map((row) => [row.uid, row]));
  const state = { ...buildState({ nodes: [node], workloads: [api], slots }), tasks };
  expect(tasks.size).toBe(COUNT);
  const { changes } = observe(
    state,
    node.id,
    rows.map((row) => failedReport(row)),
    context,
  );
  expect(changes.filter(({ table }) => table === "ended_tasks")).toHaveLength(COUNT);
  expect(tasks.looks).toBe(1);
});
