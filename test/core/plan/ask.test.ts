// A run whose newest attempt has an end that nobody knows: it asks a person, is tried again, or fails, as its job says.

import { describe, expect, test } from "bun:test";
import type { TaskEnd } from "../../../src/core/model/rows-work";
import type { OnUnknownEnd } from "../../../src/core/model/workload";
import { slotAfterEnd } from "../../../src/core/pass/slot";
import { DEFAULT_LIMITS } from "../../../src/core/pass/limits";
import { plan } from "../../../src/core/plan/plan";
import {
  buildEnd,
  buildFinal,
  buildNode,
  buildRun,
  buildSettings,
  buildSlot,
  buildSnapshot,
  buildSpec,
  buildState,
  buildTask,
  NOW_MS,
} from "../../support/build";

const run = buildRun(7, "s", { state: "running" });
const members = [0, 1].map((member) => buildTask(run, "n1", { member }));
const first = members[0]!;
const unknown = { state: "unknown", exit_code: null, reason: "its keeper died", started_ms: NOW_MS - 60_000 } as const;

/** The plan of a run after its newest attempt has ended so. */
function planned(
  ends: readonly TaskEnd[],
  more: { policy?: OnUnknownEnd; lost?: number; failed?: number; retries?: number } = {},
) {
  const { policy, lost = 0, failed = 0, retries = 0 } = more;
  const settings = { ...run.settings, retries, ...(policy === undefined ? {} : { on_unknown_end: policy }) };
  const slot = buildSlot(first, { ends, lost, failed });
  const state = buildState({ nodes: [buildNode("n1"), buildNode("n2")], runs: [{ ...run, settings }], slots: [slot] });
  const made = plan(buildSnapshot(state, { specs: { s: buildSpec({ members: ends.length }) } }));
  return {
    blocked: made.blocked,
    placed: made.ops.filter(({ op }) => op === "place").length,
    run: made.ops.find((op) => op.op === "run")?.run,
  };
}

describe("a run whose end nobody knows", () => {
  test("asks a person, with what is known and the commands that decide, and is not placed", () => {
    const { blocked, placed, run: row } = planned([buildEnd(first, unknown)]);
    expect(placed).toBe(0);
    expect(blocked).toMatchObject([
      {
        summary: "waits for a person: nobody knows how it ended on n1, began 1m ago: its keeper died",
        smallest_changes: [
          { changes: ["orch retry 7 runs it again"], outcome: null },
          { changes: ["orch settle 7 --as succeeded (or failed) takes it as over"], outcome: null },
        ],
        smallest_change: "orch retry 7 runs it again, or orch settle 7 --as succeeded (or failed) takes it as over",
      },
    ]);
    expect(row).toMatchObject({ state: "running", exit_code: null });
    expect(row?.reason).toStartWith(
      "waits for a person: nobody knows how it ended on n1: its keeper died; orch retry 7",
    );
  });
  test("asks once for all members of a gang, and names those that it is about", () => {
    const stopped = buildEnd(members[1]!, { state: "stopped", exit_code: null, signal: "TERM" });
    const { blocked } = planned([buildEnd(first, unknown), stopped]);
    expect(blocked.map(({ summary }) => summary)).toEqual([
      "waits for a person: nobody knows how it ended on n1, began 1m ago: its keeper died",
    ]);
    const both = planned(members.map((task) => buildEnd(task, unknown)));
    expect(both.blocked[0]?.summary).toContain(
      "member 0 on n1, began 1m ago, member 1 on n1, began 1m ago: its keeper",
    );
  });
  test("does not ask where a member is known to have failed", () => {
    const failed = buildEnd(members[1]!, { exit_code: 3 });
    const ends = [buildEnd(first, unknown), failed];
    expect(planned(ends, { failed: 1 }).run).toMatchObject({ state: "failed", exit_code: 3 });
    expect(planned(ends, { failed: 1, retries: 1 }).placed).toBe(2);
  });
  test("is tried again by its own policy, as often as a loss would be", () => {
    expect(planned([buildEnd(first, unknown)], { policy: "retry", lost: 2 }).placed).toBe(1);
    expect(planned([buildEnd(first, unknown)], { policy: "retry", lost: 3 }).run).toMatchObject({
      state: "failed",
      reason: "lost 3 times, last: its keeper died",
    });
  });
  test("fails by its own policy", () => {
    expect(planned([buildEnd(first, unknown)], { policy: "fail" }).run).toMatchObject({
      state: "failed",
      exit_code: null,
      cause: "result_unknown",
      reason: "nobody knows how it ended: its keeper died",
    });
  });
  test.each([
    ["again", { placed: 1 }],
    ["succeeded", { run: { state: "succeeded", exit_code: null, reason: "alice has said that it succeeded" } }],
    ["failed", { run: { state: "failed", exit_code: null, reason: "alice has said that it failed" } }],
  ] as const)("follows a person's word: %s", (as, then) => {
    expect(planned([buildEnd(first, { ...unknown, settled: { as, by: "alice" } })])).toMatchObject(then);
  });
});

describe("an unknown end in the counts of a slot", () => {
  const final = buildFinal({ state: "unknown", exit_code: null });
  const counted = (policy: OnUnknownEnd | null, kind: "run" | "service" = "run"): unknown => {
    const settings = buildSettings(policy === null ? {} : { on_unknown_end: policy });
    const task = kind === "run" ? first : { ...first, kind };
    const { lost, failed, ends } = slotAfterEnd(null, task, final, settings, DEFAULT_LIMITS);
    return { lost, failed, state: ends[0]?.state };
  };
  test("is a loss for a policy that tries again and for services, and none where a person decides", () => {
    expect(counted("retry")).toEqual({ lost: 1, failed: 0, state: "unknown" });
    expect(counted(null, "service")).toEqual({ lost: 1, failed: 0, state: "unknown" });
    for (const policy of [null, "ask", "fail"] as const)
      expect(counted(policy)).toEqual({ lost: 0, failed: 0, state: "unknown" });
  });
});
