// Drains by people and nodes that say that they leave: which one counts, when stops begin, what is said of the rest.

import { describe, expect, test } from "bun:test";
import { drainingOf, dueAt, goneDueAt, isDraining, leftOn, sayDraining } from "../../../src/core/pass/drain";
import { plan } from "../../../src/core/plan/plan";
import type { Blocked, Plan } from "../../../src/core/pass/snapshot";
import type { NodeRow } from "../../../src/core/model/rows-node";
import {
  buildNode,
  buildRun,
  buildSnapshot,
  buildSpec,
  buildState,
  buildTask,
  buildWorkload,
  NOW_MS,
} from "../../support/build";

const drain = (part: Partial<NonNullable<NodeRow["drain"]>> = {}): Pick<NodeRow, "drain"> => ({
  drain: { since_ms: NOW_MS, deadline_ms: null, by: "olga", reason: "new fan", ...part },
});
const leaving = (deadline_ms: number | null, gone = true): Pick<NodeRow, "leaving"> => ({
  leaving: { since_ms: NOW_MS, deadline_ms, gone, why: "spot notice" },
});

describe("a node", () => {
  const CASES: readonly (readonly [
    what: string,
    node: NodeRow,
    by: string | null,
    final: boolean | null,
    at: number | null,
  ])[] = [
    ["to be used", buildNode("a"), null, null, null],
    ["that people drain", buildNode("a", drain({ deadline_ms: 50 })), "olga", false, 50],
    ["that leaves", buildNode("a", leaving(50_000)), "a", true, 35_000],
    ["that leaves sooner than its drain ends", buildNode("a", { ...drain(), ...leaving(50_000) }), "a", true, 35_000],
    ["whose drain ends first", buildNode("a", { ...drain({ deadline_ms: 9 }), ...leaving(50_000) }), "olga", false, 9],
    ["that leaves when nothing runs there", buildNode("a", leaving(null, false)), "a", false, null],
    ["that leaves and is not gone then", buildNode("a", leaving(50_000, false)), "a", false, 50_000],
  ];
  for (const [what, node, by, final, at] of CASES) {
    test(what, () => {
      const draining = drainingOf(node, 10_000);
      expect([draining?.by ?? null, draining?.final ?? null]).toEqual([by, final]);
      expect(isDraining(node)).toBe(by !== null);
      expect(dueAt(node, 10_000)).toBe(at);
    });
  }
  describe("with two deadlines near each other", () => {
    // The drain ends first. The machine goes 15 s later, and what runs there has to be over 5 s before that.
    const both = buildNode("a", { ...drain({ deadline_ms: 100_000 }), ...leaving(115_000) });
    const GRACES: readonly (readonly [grace_ms: number, by: string, at: number])[] = [
      [0, "olga", 100_000],
      [9_999, "olga", 100_000],
      [10_000, "a", 100_000],
      [30_000, "a", 80_000],
    ];
    test.each(GRACES)("a task with a grace of %i ms stops for the one whose stop begins first", (grace_ms, by, at) => {
      expect(drainingOf(both, grace_ms)?.by).toBe(by);
      expect(dueAt(both, grace_ms)).toBe(at);
    });
    test("the machine's own deadline stays known", () => {
      expect(goneDueAt(both, 0)).toBe(110_000);
      expect(goneDueAt(buildNode("a", drain({ deadline_ms: 9 })), 0)).toBeNull();
      expect(goneDueAt(buildNode("a", leaving(50_000, false)), 0)).toBeNull();
    });
    test("a daemon stops last, and in time for the machine's end", () => {
      const each = buildWorkload("recs", "each", "spec", { kind: "daemon" });
      const node = (gone_ms: number): NodeRow =>
        buildNode("a", { ...drain({ deadline_ms: NOW_MS - 60_000 }), ...leaving(NOW_MS + gone_ms) });
      const job = buildRun(7, "spec", { state: "running" });
      const stop = { why: "drained", signal: "TERM", grace_ms: 99_000, at_ms: NOW_MS - 60_000 };
      const ends = buildTask(job, "a", { desired: "stop", stop });
      const planned = (gone_ms: number): Plan => {
        const tasks = [ends, buildTask(each, "a", { slot: node(gone_ms).ordinal })];
        const state = buildState({ nodes: [node(gone_ms)], workloads: [each], runs: [job], tasks });
        return plan(buildSnapshot(state, { specs: { spec: buildSpec() } }));
      };
      const before_ms = each.settings.stop.grace_ms + 5_000;
      expect(planned(before_ms + 1)).toMatchObject({ ops: [], wake_at_ms: NOW_MS + 1 });
      expect(planned(before_ms).ops).toMatchObject([{ op: "stop", task: { kind: "daemon" } }]);
    });
    test("what is left is told of the deadline that ends it", () => {
      const long = buildRun(7, "spec", { state: "running", settings: { stop: { signal: "TERM", grace_ms: 30_000 } } });
      const node = buildNode("a", { ...drain({ deadline_ms: NOW_MS + 60_000 }), ...leaving(NOW_MS + 75_000) });
      const state = buildState({ nodes: [node], runs: [long], tasks: [buildTask(long, "a")] });
      expect(leftOn(state, node, [], NOW_MS).map(({ why }) => why)).toEqual(["runs at most 1m15s more"]);
    });
  });
  test("is not drained by the word alone: whoever drains it is named in its drain", () => {
    const node = buildNode("a", { intent: "draining" });
    expect([isDraining(node), drainingOf(node), sayDraining(node)]).toEqual([false, null, null]);
  });
  test("says who keeps it free, and why", () => {
    expect(sayDraining(buildNode("a"))).toBeNull();
    expect(sayDraining(buildNode("a", drain()))).toBe("is being drained by olga: new fan");
    expect(sayDraining(buildNode("a", drain({ reason: null })))).toBe("is being drained by olga");
    expect(sayDraining(buildNode("a", { ...drain(), ...leaving(1) }))).toBe("is about to leave: spot notice");
  });
});

describe("what is left on a draining node", () => {
  const api = buildWorkload("recs", "api", "spec", { settings: { replicas: 3 } });
  const each = buildWorkload("recs", "each", "spec", { kind: "daemon" });
  const run = buildRun(7, "spec", { state: "running" });
  const on = (owner: Parameters<typeof buildTask>[0], part: Parameters<typeof buildTask>[2] = {}) =>
    buildTask(owner, "a", part);
  const stop = { why: "scaled to 0", signal: "TERM", grace_ms: 10_000, at_ms: NOW_MS - 3_000 };
  const orphan = { uid: "ef".repeat(16), name: "old.api.0", pid: 4, held: null };

  function left(
    part: Partial<NodeRow>,
    tasks: ReturnType<typeof buildTask>[],
    blocked: readonly Blocked[] = [],
  ): string[] {
    const node = buildNode("a", part);
    const state = buildState({ nodes: [node, buildNode("b")], workloads: [api, each], runs: [run], tasks });
    return leftOn(state, node, blocked, NOW_MS).map(({ name, kind, why }) => `${name} (${kind}): ${why}`);
  }
  const waits: Blocked = {
    name: "recs.api.0",
    owner_uid: api.uid,
    version: api.version,
    slot: 0,
    kind: "queued",
    summary: "waits: 0 of 2 nodes fit",
    smallest_change: null,
    smallest_changes: [],
    changes: [],
    nodes: [{ node: "b", checks: [] }],
  };

  test("says of a successor in its back-off that it waits for that, and not for another place", () => {
    const back_off = { ...waits, summary: "crashed 2× in a row, last exit code 1; starts again in 9s", nodes: [] };
    expect(left(drain(), [on(api)], [back_off])).toEqual([
      "recs.api.0 (service): stays until its successor runs: crashed 2× in a row, last exit code 1; starts again in 9s",
    ]);
  });
  test("says of one that waits for its turn whom it comes after", () => {
    expect(left(drain(), [on(api, { slot: 1 })], [waits])).toEqual([
      "recs.api.1 (service): moves after recs.api.0: waits: 0 of 2 nodes fit",
    ]);
  });
  test("says of each task what it waits for", () => {
    const moved = on(api, { slot: 1 });
    const next = buildTask(api, "b", { slot: 1, attempt: 2, observed: { state: "starting" } });
    const tasks = [on(api), moved, next, on(api, { slot: 2, desired: "stop", stop }), on(each, { slot: 1 }), on(run)];
    expect(left({ ...drain(), orphans: [orphan] }, tasks, [waits])).toEqual([
      "7 (job): runs to its end; a deadline would end it sooner: orch node drain --deadline",
      "old.api.0 (orphan): no server knows it; to end it: orch stop a/efefefefef",
      "recs.api.0 (service): stays for want of another place: 0 of 2 nodes fit",
      "recs.api.1 (service): stays until recs.api.1#2 runs well on b",
      "recs.api.2 (service): stops since 3s: scaled to 0",
      "recs.each.1 (daemon): a daemon stops last",
    ]);
  });
  test("has a time limit where there is a deadline", () => {
    expect(left(drain({ deadline_ms: NOW_MS + 90_000 }), [on(api), on(run)], [waits])).toEqual([
      "7 (job): runs at most 1m30s more",
      "recs.api.0 (service): stays for want of another place: 0 of 2 nodes fit; runs at most 1m30s more",
    ]);
    expect(left(drain({ deadline_ms: NOW_MS - 1 }), [on(run)])).toEqual(["7 (job): its deadline has come"]);
  });
  test("is nothing where nothing runs", () => expect(left(drain(), [])).toEqual([]));
});
