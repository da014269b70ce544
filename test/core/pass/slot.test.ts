// How ends count: streaks, back-off, grants taken back, and what a gang's members add up to.

import { describe, expect, test } from "bun:test";
import { DEFAULT_LIMITS } from "../../../src/core/pass/limits";
import type { TaskFinal } from "../../../src/core/model/end";
import type { SlotRow } from "../../../src/core/model/rows-work";
import type { TaskRow } from "../../../src/core/model/rows-task";
import { sayCrashes } from "../../../src/core/pass/crashes";
import { backoffMs, emptySlot, lastCrash, slotAfterEnd, slotAfterPlace } from "../../../src/core/pass/slot";
import {
  buildEnd,
  buildFinal,
  buildRun,
  buildSettings,
  buildSlot,
  buildTask,
  buildWorkload,
  NOW_MS,
} from "../../support/build";

const service = buildWorkload("recs", "api", "s");
const job = buildRun(1, "s");
const { restart } = buildSettings();
const settings = buildSettings();

const after = (slot: SlotRow | null, task: TaskRow, end: Partial<TaskFinal>, ran_ms = 0): SlotRow =>
  slotAfterEnd(slot, task, buildFinal({ started_ms: NOW_MS - ran_ms, ...end }), settings, DEFAULT_LIMITS);

test("a late success of one member hides no question about a newer attempt of its gang", () => {
  const member = (attempt: number, at: number): TaskRow => buildTask(job, `box${at}`, { attempt, member: at });
  const unknown = [0, 1].map((at) => buildEnd(member(2, at), { state: "unknown", exit_code: null }));
  const asked = buildSlot(member(2, 0), { attempts: 2, ends: unknown });
  expect(after(asked, member(1, 0), { state: "succeeded", exit_code: 0 }).ends).toEqual(unknown);
  // Of the newer attempt only member 0 has ended so far, and the other one lives.
  const half = buildSlot(member(2, 0), { attempts: 2, ends: unknown.slice(0, 1) });
  const done = buildFinal({ state: "succeeded", exit_code: 0 });
  const late = slotAfterEnd(half, member(1, 0), done, settings, DEFAULT_LIMITS, [member(2, 1)]);
  expect(late.ends).toEqual(unknown.slice(0, 1));
  // Of a job with one task the first success wins, whatever a person was asked meanwhile.
  const alone = buildSlot(member(2, 0), { attempts: 2, ends: unknown.slice(0, 1) });
  expect(after(alone, member(1, 0), { state: "succeeded", exit_code: 0 }).ends).toMatchObject([{ state: "succeeded" }]);
});

describe("back-off", () => {
  test("the first crash restarts at once, later ones double up to the maximum, 20 % more or less", () => {
    expect(backoffMs(restart, 1, "a")).toBe(0);
    for (const [streak, ms] of [
      [2, 1_000],
      [3, 2_000],
      [4, 4_000],
      [8, 60_000],
      [5_000, 60_000],
    ] as const) {
      for (const uid of ["a", "b", "c", "d"]) {
        expect(backoffMs(restart, streak, uid)).toBeGreaterThanOrEqual(ms * 0.8);
        expect(backoffMs(restart, streak, uid)).toBeLessThanOrEqual(ms * 1.2);
      }
    }
  });
  test("two tasks that crash together do not restart together, and one waits the same each time it is asked", () => {
    expect(backoffMs(restart, 9, "a")).not.toBe(backoffMs(restart, 9, "b"));
    const [once, again] = [backoffMs(restart, 9, "a"), backoffMs(restart, 9, "a")];
    expect(again).toBe(once);
  });
});

describe("the slot after an end", () => {
  test("crashes add up, and a long run begins a new streak", () => {
    const first = after(null, buildTask(service, "a"), {});
    expect(first).toMatchObject({ streak: 1, failed: 1, attempts: 1, not_before_ms: NOW_MS });
    const second = after({ ...first, attempts: 2 }, buildTask(service, "a", { attempt: 2 }), {
      state: "succeeded",
      exit_code: 0,
    });
    expect(second).toMatchObject({ streak: 2, failed: 1, ends: [{ attempt: 2 }] });
    expect(second.ends).toHaveLength(1);
    expect(second.not_before_ms).toBeGreaterThan(NOW_MS);
    const third = after(
      { ...second, attempts: 3 },
      buildTask(service, "a", { attempt: 3 }),
      {},
      DEFAULT_LIMITS.stable_ms,
    );
    expect(third).toMatchObject({ streak: 1, not_before_ms: NOW_MS });
  });
  test("a later stop or loss keeps how the last crash ended, until the next crash", () => {
    const crashed = after(null, buildTask(service, "a"), { exit_code: 7 });
    const stopped = after({ ...crashed, attempts: 2 }, buildTask(service, "a", { attempt: 2 }), {
      state: "stopped",
      exit_code: null,
      signal: "TERM",
    });
    expect(sayCrashes(stopped)).toBe("crashed 1×, last exit code 7");
    const lost = after({ ...stopped, attempts: 3 }, buildTask(service, "a", { attempt: 3 }), { state: "lost" });
    expect(lastCrash(lost)).toEqual({ state: "failed", exit_code: 7, signal: null, reason: null });
    const again = after({ ...lost, attempts: 4 }, buildTask(service, "a", { attempt: 4 }), { exit_code: 9 });
    expect(sayCrashes(again)).toBe("crashed 2× in a row, last exit code 9");
    expect(lastCrash(emptySlot(service.uid, 0))).toBeNull();
  });
  test("a grant is taken back by an end that its agent told, not by one that was only inferred", () => {
    const task = buildTask(service, "a", { attempt: 2, grant_until: 7 });
    expect(after(buildSlot(task), task, { state: "failed" }).attempts).toBe(2);
    expect(after(buildSlot(task), task, { state: "lost" }).attempts).toBe(7);
  });
  test("an older attempt changes nothing once a newer one was placed", () => {
    const old = buildTask(service, "a", { attempt: 2, grant_until: 7 });
    const slot = buildSlot(old, { attempts: 13 });
    expect(after(slot, old, { state: "failed" })).toEqual(slot);
  });
  test("an older attempt of a job that succeeds late wins, unless the newer one has", () => {
    const old = buildTask(job, "a");
    const slot = buildSlot(old, { attempts: 2 });
    expect(after(slot, old, { state: "succeeded", exit_code: 0 }).ends).toHaveLength(1);
    const newer = buildEnd(buildTask(job, "b", { attempt: 2 }), { state: "succeeded", exit_code: 0 });
    expect(after({ ...slot, ends: [newer] }, old, { state: "succeeded", exit_code: 0 }).ends).toEqual([newer]);
    const failed = buildEnd(buildTask(job, "b", { attempt: 2 }), { state: "failed" });
    const won = after({ ...slot, ends: [failed] }, old, { state: "succeeded", exit_code: 0 });
    expect(won.ends.map(({ attempt, state }) => [attempt, state])).toEqual([[1, "succeeded"]]);
  });
  test("an older attempt of a gang wins when all of its members succeed late", () => {
    const [first, second] = [0, 1].map((member) => buildTask(job, "a", { member })) as [TaskRow, TaskRow];
    const done = { state: "succeeded", exit_code: 0 } as const;
    const late = after(buildSlot(first, { attempts: 2 }), first, done);
    expect(after(late, second, done).ends.map(({ attempt, member }) => [attempt, member])).toEqual([
      [1, 0],
      [1, 1],
    ]);
    const newer = buildEnd(buildTask(job, "b", { attempt: 2 }), done);
    expect(after({ ...late, ends: [newer] }, second, done).ends).toEqual([newer]);
  });
  test("a gang's attempt fails once, for its first bad end", () => {
    const members = [0, 1, 2].map((member) => buildTask(job, "a", { member }));
    const states = ["failed", "failed", "stopped"] as const;
    let slot: SlotRow | null = null;
    for (const [n, task] of members.entries()) slot = after(slot, task, { state: states[n] ?? "stopped" }, 5_000);
    expect(slot).toMatchObject({ failed: 1, streak: 1, attempts: 1 });
    expect(slot?.ends.map((end) => [end.member, end.state])).toEqual([
      [0, "failed"],
      [1, "failed"],
      [2, "stopped"],
    ]);
  });
  test("a member that was stopped before does not hide the failure of another", () => {
    const [first, second] = [0, 1].map((member) => buildTask(job, "a", { member })) as [TaskRow, TaskRow];
    const slot = after(after(null, first, { state: "stopped" }, 5_000), second, { state: "failed" }, 5_000);
    expect(slot).toMatchObject({ failed: 1 });
  });
  test("members that are told to stop after a loss do not turn it into a failure", () => {
    const [first, second] = [0, 1].map((member) => buildTask(job, "a", { member })) as [TaskRow, TaskRow];
    const slot = after(after(null, first, { state: "lost" }), second, { state: "failed" }, 5_000);
    expect(slot).toMatchObject({ lost: 1, failed: 0 });
  });
  describe("a rejection", () => {
    const on = (node: string, attempt: number): TaskRow => buildTask(job, node, { attempt });
    const rejected = (slot: SlotRow | null, task: TaskRow, part: Partial<TaskFinal> = {}): SlotRow =>
      after(slot === null ? null : { ...slot, attempts: task.attempt }, task, {
        state: "rejected",
        cause: "no_directory",
        reason: "could not start: the directory /x is not there",
        exit_code: null,
        ...part,
      });
    const waits = (slot: SlotRow): [string, number][] =>
      slot.avoid.map(({ node_id, until_ms }) => [node_id, until_ms - NOW_MS]);

    test("that is its node's trouble costs nothing, and leaves the node out, longer each time", () => {
      const first = rejected(null, on("a", 1));
      expect(first).toMatchObject({ rejected: 0, failed: 0, streak: 0, not_before_ms: 0 });
      expect(first.avoid).toMatchObject([{ node_id: "a", version: 1, times: 1, cause: "no_directory" }]);
      const second = rejected(rejected(first, on("b", 2)), on("a", 3));
      expect(waits(second)).toEqual([
        ["b", 10_000],
        ["a", 60_000],
      ]);
      const fourth = rejected(rejected(second, on("a", 4)), on("a", 5));
      expect(waits(fourth)).toEqual([
        ["b", 10_000],
        ["a", 300_000],
      ]);
    });
    test("is over once the node has run the work, and for a new version", () => {
      const slot = rejected(rejected(null, on("a", 1)), on("b", 2));
      const ran = after({ ...slot, attempts: 3 }, on("a", 3), { state: "failed" });
      expect(ran.avoid.map(({ node_id }) => node_id)).toEqual(["b"]);
      expect(slotAfterPlace(slot, 1, 3).avoid).toHaveLength(2);
      expect(slotAfterPlace(slot, 2, 3).avoid).toEqual([]);
    });
    test("of several members on one node counts once", () => {
      const members = [0, 1].map((member) => buildTask(job, "a", { member }));
      let slot: SlotRow | null = null;
      for (const task of members) slot = rejected(slot, task);
      expect(slot?.avoid.map(({ times }) => times)).toEqual([1]);
    });
    test("that no node could take is counted, and waits", () => {
      const slot = rejected(null, on("a", 1), { cause: "lease_too_short" });
      expect(slot.rejected).toBe(1);
      expect(slot.not_before_ms).toBeGreaterThan(NOW_MS);
    });
  });
  test("what was stopped after it ran may be placed again at once; a job withdrawn before it ran waits", () => {
    expect(after(null, buildTask(job, "a"), { state: "stopped" }, 5_000).not_before_ms).toBe(0);
    expect(after(null, buildTask(job, "a"), { state: "stopped" }).not_before_ms).toBeGreaterThan(NOW_MS);
    expect(after(null, buildTask(service, "a"), { state: "stopped" }).not_before_ms).toBe(0);
  });
  test("a new version starts with a clean sheet, the same version does not", () => {
    const crashed = after(null, buildTask(service, "a"), {});
    expect(slotAfterPlace(crashed, 1, 2)).toMatchObject({ attempts: 2, streak: 1 });
    expect(slotAfterPlace(crashed, 2, 2)).toMatchObject({ attempts: 2, streak: 0, ends: [], not_before_ms: 0 });
  });
});
