// An agent that lies, or whose disk does: whatever it says, intake makes no change of it that breaks a law. A server
// must not be brought down by what one of its nodes sends.

import { describe, expect, test } from "bun:test";
import { withoutRecord } from "../../../src/core/agent/report";
import { DEFAULT_LIMITS } from "../../../src/core/pass/limits";
import { successorUid } from "../../../src/core/fresh";
import { observe, observeInventory } from "../../../src/core/intake/observe";
import type { IntakeContext } from "../../../src/core/intake/draft";
import type { Reported, TaskReport } from "../../../src/core/model/record";
import type { State } from "../../../src/core/model/rows-state";
import type { TaskRow } from "../../../src/core/model/rows-task";
import { withChanges } from "../../../src/core/plan/changes";
import { slotKey } from "../../../src/core/model/task";
import {
  buildNode,
  buildRun,
  buildSlot,
  buildState,
  buildTask,
  buildWorkload,
  NOW_MS,
  SEED,
  uidOf,
} from "../../support/build";
import { brokenBy } from "../../support/moment";
import { failedReport, reportOf } from "../../support/reports";

const HISTORY = new Set([uidOf("ended before")]);
const context: IntakeContext = {
  now_ms: NOW_MS,
  revision: 11,
  limits: DEFAULT_LIMITS,
  seed: SEED,
  hasEnded: (uid) => HISTORY.has(uid),
  hasGrave: () => false,
  isAssigned: () => true,
};

const node = buildNode("box", { ordinal: 1 });
const other = buildNode("other", { ordinal: 2 });
const api = buildWorkload("web", "api", "s", { settings: { replicas: 3, restart: { offline: true } } });
const run = buildRun(1, "s", { state: "running" });
const granted = buildTask(api, "box", { grant_until: 2 });
const spent = buildTask(api, "box", { slot: 1, attempt: 4 });
const theirs = buildTask(api, "other", { slot: 2 });
const job = buildTask(run, "box", { observed: { state: "assigned" } });
const tasks = [granted, spent, theirs, job];
const state = buildState({
  cluster: { next_run: 2, next_ordinal: 3 },
  nodes: [node, other],
  workloads: [api],
  runs: [run],
  tasks,
  slots: tasks.map((task) => buildSlot(task)),
});
const recovering: State = { ...state, cluster: { ...state.cluster, recovering: ["box", "other"] } };

const told = (entries: readonly TaskReport[], before = state) => {
  const intake = observe(before, "box", entries, context);
  expect(brokenBy(before, intake.changes, "node box", { hasEnded: context.hasEnded })).toBeNull();
  return { ...intake, after: withChanges(before, intake.changes) };
};

test("a grant that is closed below attempts that its agent has made itself keeps their numbers", () => {
  const wide = { ...granted, grant_until: 6 };
  const [two, three] = [2, 3].map((attempt) => ({
    ...wide,
    attempt,
    uid: attempt === 2 ? successorUid(wide.uid, 2) : successorUid(successorUid(wide.uid, 2), 3),
  }));
  const living: Reported = { state: "running", pid: 9, started_age_ms: 100_000 };
  const before = withTask(wide);
  const adopted = told([reportOf(two!, living), reportOf(three!, living)], before).after;
  const closed = told([failedReport(wide)], adopted).after;
  expect(closed.slots.get(slotKey(api.uid, 0))?.attempts).toBe(6);
});

const withTask = (task: TaskRow): State => ({
  ...state,
  tasks: new Map([...tasks.filter(({ slot }) => slot !== task.slot), task].map((one) => [one.uid, one])),
  slots: new Map([...state.slots, [slotKey(api.uid, task.slot), buildSlot(task)]]),
});

describe("a rogue agent", () => {
  test("makes no attempt beyond its grant", () => {
    const next = successorUid(spent.uid, 5);
    const { after, doubts } = told([failedReport(spent, next)]);
    expect([...after.tasks.keys()]).not.toContain(next);
    expect(doubts.join()).toContain("a successor of web.api.1#4 that cannot be");
    expect(after.slots.get(slotKey(api.uid, 1))?.attempts).toBe(4);
  });
  test("gives a successor the uid of no task that is known: of another node, of its own, of history", () => {
    for (const uid of [theirs.uid, job.uid, granted.uid, uidOf("ended before")]) {
      const { after } = told([failedReport(granted, uid)]);
      expect(after.tasks.get(theirs.uid)).toBe(theirs);
      expect(after.tasks.get(job.uid)).toBe(job);
      expect(after.tasks.has(granted.uid)).toBe(false);
      expect(after.slots.get(slotKey(api.uid, 0))?.attempts).toBe(2);
    }
  });
  test("gives two successors one uid", () => {
    const twin = { ...granted, uid: uidOf("twin"), slot: 4 };
    const before = {
      ...state,
      tasks: new Map([...state.tasks, [twin.uid, twin]]),
      slots: new Map([...state.slots, [slotKey(api.uid, 4), buildSlot(twin)]]),
    };
    const next = successorUid(granted.uid, 2);
    const { after } = told([failedReport(granted, next), failedReport(twin, next)], before);
    expect(after.tasks.get(next)?.slot).toBe(0);
  });
  test("makes no successor of a uid that does not follow from the attempt's", () => {
    const { after, doubts } = told([failedReport(granted, uidOf("next"))]);
    expect(after.tasks.has(uidOf("next"))).toBe(false);
    expect(doubts).toHaveLength(1);
  });
  test("names no task, and no record, with the uid of a workload, a run or a node", () => {
    for (const uid of [api.uid, run.uid, theirs.uid]) {
      const entry = { ...reportOf(granted, { state: "starting" }), uid, identity: null };
      expect(told([entry]).after.nodes.get("box")?.orphans).toEqual([]);
      const unreadable = [{ uid, name: "web.api.0", pid: 1, held: null }];
      const inventory = { boot_id: node.boot_id, applied: null, entries: [], unreadable };
      const intake = observeInventory(state, "box", inventory, context);
      expect(withChanges(state, intake.changes).nodes.get("box")?.orphans).toEqual([]);
      expect(intake.doubts).toHaveLength(1);
    }
  });
  describe("while its server recovers", () => {
    const unsealed: IntakeContext = { ...context, isAssigned: () => false };
    const stranger = { ...granted, uid: uidOf("stranger"), slot: 0, attempt: 9 };

    test("has no attempt of somebody's workload that no server has assigned to it", () => {
      const entry = reportOf(stranger, { state: "running", pid: 5, started_age_ms: 1 });
      const { changes } = observe(recovering, "box", [entry], unsealed);
      const after = withChanges(recovering, changes);
      expect(after.tasks.has(stranger.uid)).toBe(false);
      expect(after.nodes.get("box")?.orphans).toHaveLength(1);
    });
    test("ends no run by the end of a task that no server has assigned to it", () => {
      const entry = { ...failedReport({ ...job, uid: uidOf("made up") }) };
      const succeeded = { ...entry, reported: { ...entry.reported, state: "succeeded" as const } } as TaskReport;
      const { changes, doubts } = observe(recovering, "box", [succeeded], unsealed);
      expect(changes).toEqual([]);
      expect(doubts[0]).toContain("which no server has assigned to it");
    });
    test("takes no run number away", () => {
      const entry = reportOf({ ...job, uid: uidOf("made up"), run: 900 }, { state: "starting" });
      const inventory = { boot_id: node.boot_id, applied: null, entries: [entry], unreadable: [] };
      const { changes } = observeInventory(recovering, "box", inventory, unsealed);
      expect(withChanges(recovering, changes).cluster.next_run).toBe(2);
    });
  });
  test("calls its orphans what it likes: only a name that a server has signed counts as proven", () => {
    const stranger = { ...granted, uid: uidOf("stranger"), owner_uid: uidOf("gone"), app: "old" };
    const entry: TaskReport = { ...reportOf(stranger, { state: "starting" }), name: "web.api.1" };
    const orphansWith = (isAssigned: IntakeContext["isAssigned"]): unknown => {
      const { changes } = observe(state, "box", [entry], { ...context, isAssigned });
      return withChanges(state, changes).nodes.get("box")?.orphans;
    };
    const orphan = { uid: stranger.uid, pid: null, held: entry.held };
    expect(orphansWith(() => true)).toEqual([{ ...orphan, name: "old.api.0", project: "lab" }]);
    expect(orphansWith((_node, _entry, scope) => scope !== "name")).toEqual([{ ...orphan, name: "web.api.1" }]);
  });
  test("ends a task once, whatever it says of it afterwards", () => {
    const running: Reported = { state: "running", pid: 5, started_age_ms: 1 };
    const { changes } = told([failedReport(granted), failedReport(granted), reportOf(granted, running)]);
    expect(changes.filter(({ table }) => table === "ended_tasks")).toHaveLength(1);
  });
  test("has its word about other nodes' tasks dropped", () => {
    expect(told([failedReport(theirs)]).changes).toEqual([]);
  });
  test("is adopted with numbers that can be, while its server recovers", () => {
    const stranger = { ...granted, uid: uidOf("stranger"), slot: 0, attempt: 9, grant_until: 1 };
    const running: Reported = { state: "running", pid: 5, started_age_ms: 1 };
    const { after } = told([reportOf(stranger, running)], recovering);
    expect(after.tasks.get(stranger.uid)).toMatchObject({ attempt: 9, grant_until: 9 });
    const huge = { ...stranger, attempt: Number.MAX_SAFE_INTEGER };
    const kept = told([reportOf(huge, running)], recovering).after;
    expect(kept.tasks.has(huge.uid)).toBe(false);
    expect(kept.nodes.get("box")?.orphans.map(({ uid }) => uid)).toEqual([huge.uid]);
  });
  test("uses no run numbers up with one that no cluster comes to", () => {
    const entry = reportOf({ ...job, uid: uidOf("stranger"), run: Number.MAX_SAFE_INTEGER }, { state: "starting" });
    const inventory = { boot_id: node.boot_id, applied: null, entries: [entry], unreadable: [] };
    const { changes } = observeInventory(recovering, "box", inventory, context);
    expect(withChanges(recovering, changes).cluster.next_run).toBe(2);
  });
});

describe("what an adopted attempt is", () => {
  const lies = {
    project: "alice-secret",
    user: "alice",
    app: "bank",
    workload: "vault",
    kind: "job",
    run: 1,
    version: 99,
    spec_hash: "nope",
  } as const;
  const second = { ...granted, ...lies, uid: successorUid(granted.uid, 2), attempt: 2, grant_until: 1_000_000 };
  const entry = reportOf(second, { state: "running", pid: 5, started_age_ms: 1 });
  const place: IntakeContext = { ...context, isAssigned: (_node, _entry, scope) => scope === "place" };
  const taken = (before: State, facts: IntakeContext) =>
    withChanges(before, observe(before, "box", [entry], facts).changes).tasks.get(second.uid);
  const { project, user, app, workload, kind, run: none, version, spec_hash } = granted;
  const true_ones = { project, user, app, workload, kind, run: none, version, spec_hash };

  test("comes from the attempt whose grant covers it", () => {
    expect(taken(state, context)).toMatchObject({ ...true_ones, attempt: 2, grant_until: 2 });
  });
  test("comes from the workload in a restored server; version and spec from what is signed", () => {
    const before: State = { ...recovering, tasks: new Map() };
    expect(taken(before, place)).toMatchObject(true_ones);
    expect(taken(before, context)).toMatchObject({ ...true_ones, version: 99, spec_hash: "nope" });
  });
  test("raises the next run number only if the number is signed", () => {
    const strange = reportOf({ ...job, uid: uidOf("stranger"), run: 900 }, { state: "starting" });
    const inventory = { boot_id: node.boot_id, applied: null, entries: [strange], unreadable: [] };
    const { changes } = observeInventory(recovering, "box", inventory, place);
    expect(withChanges(recovering, changes).cluster.next_run).toBe(2);
  });
});

describe("a slot that another node has now", () => {
  const first = buildTask(api, "box", { grant_until: 4 });
  const { after: closed } = told([failedReport(first)], withTask(first));
  const { after: unsaid } = told([withoutRecord(first.uid, "it was scaled down", "no")], withTask(first));
  const replaced = (before: State, attempt: number): State => {
    const slot = before.slots.get(slotKey(api.uid, 0)) ?? buildSlot(first);
    const now = buildTask(api, "other", { attempt, grant_until: attempt + 5 });
    return {
      ...before,
      tasks: new Map([...before.tasks, [now.uid, now]]),
      slots: new Map([...before.slots, [slot.key, { ...slot, attempts: attempt + 5 }]]),
    };
  };
  const phantom = (attempt: number): TaskReport => {
    let { uid } = first;
    for (let n = 2; n <= attempt; n++) uid = successorUid(uid, n);
    return reportOf({ ...first, uid, attempt, grant_until: attempt }, { state: "running", pid: 5, started_age_ms: 1 });
  };

  test.each([2, 3, 7])("is not taken back by attempt %d of the node that has told its own one's end", (attempt) => {
    const { after } = told([phantom(attempt)], replaced(closed, 2));
    expect(after.tasks.has(phantom(attempt).uid)).toBe(false);
  });
  test("gets an attempt back only within the grant of an end about which its agent could say nothing", () => {
    expect(told([phantom(3)], replaced(unsaid, 5)).after.tasks.has(phantom(3).uid)).toBe(true);
    expect(told([phantom(5)], replaced(unsaid, 5)).after.tasks.has(phantom(5).uid)).toBe(false);
  });
});

test("slots forget no grant of another attempt while inventories are awaited", () => {
  const adopted = { ...granted, grant_until: 6 };
  const before: State = {
    ...recovering,
    tasks: new Map([[adopted.uid, adopted]]),
    slots: new Map([[slotKey(api.uid, 0), buildSlot(adopted)]]),
  };
  const later: TaskRow = { ...granted, uid: uidOf("later"), attempt: 2, grant_until: 7 };
  const { after } = told([failedReport(later)], before);
  expect(after.slots.get(slotKey(api.uid, 0))?.attempts).toBe(6);
});

// ---- anything at all

/** A seeded generator of numbers in [0, 1). */
function dice(seed: number): () => number {
  let at = seed >>> 0;
  return () => {
    at = (at + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(at ^ (at >>> 15), at | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function lie(roll: () => number): TaskReport {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(roll() * list.length)] as T;
  const uids = [...tasks.map(({ uid }) => uid), uidOf("ended before"), uidOf("a"), uidOf("b")];
  const like = pick(tasks);
  const told_of: TaskRow = {
    ...like,
    uid: pick(uids),
    owner_uid: pick([like.owner_uid, api.uid, run.uid, uidOf("nobody")]),
    slot: pick([0, 1, 2, 7]),
    member: pick([0, 0, 1]),
    attempt: pick([0, 1, 2, 5, Number.MAX_SAFE_INTEGER]),
    grant_until: pick([0, 1, 3, 9]),
    run: pick([null, 1, 7, Number.MAX_SAFE_INTEGER]),
  };
  const end = { started_age_ms: pick([null, 5]), finished_age_ms: 1, exit_code: 1, signal: null, reason: null };
  const reported = pick<Reported>([
    { state: "preparing", prepared: roll() < 0.5, reason: null },
    { state: "starting" },
    { state: "running", pid: 4, started_age_ms: 9 },
    { state: "stopping", pid: null, started_age_ms: null },
    ...(["succeeded", "failed", "stopped", "rejected", "gone"] as const).map((how) => ({
      state: how,
      ...end,
      peak_memory_bytes: null,
      tail: null,
      next: pick([null, { uid: pick(uids), starts_in_ms: 0 }]),
    })),
  ]);
  const entry = reportOf(told_of, reported);
  return { ...entry, identity: pick([entry.identity, entry.identity, null]), held: pick([entry.held, null]) };
}

test("no report and no inventory, whatever it holds, breaks a law", () => {
  for (let seed = 1; seed <= 2_000; seed++) {
    const roll = dice(seed);
    let now = roll() < 0.5 ? state : recovering;
    const ended = new Set(HISTORY);
    for (let n = 0; n < 4; n++) {
      const entries = Array.from({ length: 1 + Math.floor(roll() * 5) }, () => lie(roll));
      const facts = { ...context, hasEnded: (uid: string) => ended.has(uid) };
      const unreadable = roll() < 0.3 ? [{ uid: theirs.uid, name: "web.api.2", pid: 1, held: theirs.promised }] : [];
      const inventory = { boot_id: roll() < 0.5 ? node.boot_id : "boot-2", applied: null, entries, unreadable };
      const { changes } =
        roll() < 0.5 ? observe(now, "box", entries, facts) : observeInventory(now, "box", inventory, facts);
      expect({
        seed,
        broken: brokenBy(now, changes, "node box", { hasEnded: facts.hasEnded, thorough: false }),
      }).toEqual({ seed, broken: null });
      for (const change of changes) if (change.table === "ended_tasks") ended.add(change.key);
      now = withChanges(now, changes);
    }
  }
});
