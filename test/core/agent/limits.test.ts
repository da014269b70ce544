// A task's own time limit: what ends it has a reason, and it gets its grace, whenever its agent was there to see it.

import { describe, expect, test } from "bun:test";
import { step } from "../../../src/core/agent/step";
import type { Action, Asked, Seen, TaskRecord } from "../../../src/core/model/record";
import { batchFor } from "../../support/batch-keeper";
import { assignmentFor, recordFor, viewOf } from "../../support/tasks";

const LIMIT_MS = 60_000;
const GRACE_MS = 3_000;
const record = recordFor(
  assignmentFor("true", { stop: { signal: "INT", grace_ms: GRACE_MS }, time_limit_ms: LIMIT_MS }),
);
const { uid } = record.assignment;

function turn(
  now_ms: number,
  process: Seen["process"],
  asked: Asked | null = null,
  of: TaskRecord = record,
  begun_ms = now_ms,
): Action | null {
  const seen = new Map([[uid, { claimed: true, process }]]);
  const signalled = new Map(asked === null ? [] : [[uid, asked]]);
  const { actions } = step(viewOf([of], { seen, signalled, now_ms, begun_ms }));
  return actions[0] ?? null;
}

const alive: Seen["process"] = { is: "alive", handle: { pid: 7 }, started_ms: 1_000 };
const asked = (at_ms: number): Asked => ({ by: "time_limit", why: "time limit reached", at_ms });

describe("a time limit", () => {
  test("is a signal, and a kill after the grace", () => {
    expect(turn(LIMIT_MS, alive)).toBeNull();
    const at_ms = 1_000 + LIMIT_MS;
    expect(turn(at_ms, alive)).toMatchObject({ do: "signal", signal: "INT", stop: { by: "time_limit" } });
    expect(turn(at_ms + GRACE_MS - 1, alive, asked(at_ms))).toBeNull();
    expect(turn(at_ms + GRACE_MS, alive, asked(at_ms))).toMatchObject({ do: "kill" });
  });

  test("that was reached while no agent ran still gives the whole grace", () => {
    const late_ms = 10 * LIMIT_MS;
    expect(turn(late_ms, alive)).toMatchObject({ do: "signal" });
    expect(turn(late_ms + GRACE_MS - 1, alive, asked(late_ms))).toBeNull();
    expect(turn(late_ms + GRACE_MS, alive, asked(late_ms))).toMatchObject({ do: "kill" });
  });

  test("is the reason of the end that it made, though two clocks may differ by a little", () => {
    const ended: Seen["process"] = {
      is: "ended",
      exit_code: null,
      signal: "INT",
      started_ms: 1_010,
      ended_ms: 1_000 + LIMIT_MS,
      peak_memory_bytes: null,
      oom: false,
      left: 0,
      reason: null,
    };
    expect(turn(1_005 + LIMIT_MS, ended, asked(1_000 + LIMIT_MS))).toMatchObject({
      do: "end",
      end: { state: "failed", cause: "time_limit", reason: "time limit reached" },
    });
  });
});

describe("a task that ends by itself with 0 after its time limit", () => {
  const at_ms = 1_000 + LIMIT_MS;
  const over = (ended_ms: number, exit_code = 0): Seen["process"] => ({
    is: "ended",
    exit_code,
    signal: null,
    started_ms: 1_000,
    ended_ms,
    peak_memory_bytes: null,
    oom: false,
    left: 0,
    reason: null,
  });
  const end = (process: Seen["process"], begun_ms: number, was: Asked | null = null) =>
    turn(99 * LIMIT_MS, process, was, record, begun_ms);

  test("has succeeded if its agent was there and has not asked it to stop", () => {
    expect(end(over(at_ms + 1_500), 500)).toMatchObject({
      end: {
        state: "succeeded",
        exit_code: 0,
        reason: "it ended by itself 1s after its time limit, since its agent did not run to stop it",
      },
    });
    expect(end(over(at_ms + 1_500), 500, asked(at_ms))).toMatchObject({
      end: { state: "failed", cause: "time_limit" },
    });
    expect(end(over(at_ms + 1_500, 3), 500)).toMatchObject({ end: { state: "failed", exit_code: 3 } });
  });
  test("was stopped for it if an earlier agent may have asked it, and has not if it went on too long for that", () => {
    expect(end(over(at_ms + GRACE_MS), at_ms + 1)).toMatchObject({ end: { state: "failed", cause: "time_limit" } });
    expect(end(over(at_ms + GRACE_MS + 2_001), at_ms + 1)).toMatchObject({ end: { state: "succeeded" } });
  });
});

describe("a task that is told to stop by an order", () => {
  const at_ms = 5_000;
  const ordered: TaskRecord = { ...record, stop: { signal: "INT", grace_ms: GRACE_MS, why: "its node drains", at_ms } };
  const exit = { is: "ended", signal: null, started_ms: 1_000, peak_memory_bytes: null, oom: false, left: 0 } as const;
  const end = (ended_ms: number, begun_ms: number, asked_ms: number | null = null, exit_code = 0, of = ordered) =>
    turn(
      99 * LIMIT_MS,
      { ...exit, exit_code, ended_ms, reason: null },
      asked_ms === null ? null : { by: "order", why: "its node drains", at_ms: asked_ms },
      of,
      begun_ms,
    );

  test("has succeeded if it ended with 0 before its agent asked it", () => {
    expect(end(at_ms + 3, 500)).toMatchObject({ end: { state: "succeeded", exit_code: 0, reason: null } });
    expect(end(at_ms + 3, 500, at_ms + 4)).toMatchObject({ end: { state: "succeeded" } });
  });
  test("was stopped if this agent has asked it, or an earlier one may have, or it failed", () => {
    const stopped = { end: { state: "stopped", reason: "its node drains" } };
    expect(end(at_ms + 3, 500, at_ms + 1)).toMatchObject(stopped);
    expect(end(at_ms + 3, at_ms + 1)).toMatchObject(stopped);
    expect(end(at_ms + 3, 500, null, 1)).toMatchObject(stopped);
  });
  test("was stopped in any case if it is a batch, of which elements are left", () => {
    const of = { ...ordered, assignment: batchFor(10, 2) };
    expect(end(at_ms + 3, 500, null, 0, of)).toMatchObject({ end: { state: "stopped" } });
  });
});

describe("memory that ran out", () => {
  const of = (oom: "any" | undefined): TaskRecord => ({ ...record, assignment: { ...record.assignment, oom } });
  const killed = (exit_code: number | null): Seen["process"] => ({
    is: "ended",
    exit_code,
    signal: exit_code === null ? "KILL" : null,
    started_ms: 1_000,
    ended_ms: 2_000,
    peak_memory_bytes: 5 * 1024 ** 2,
    oom: true,
    left: 0,
    reason: null,
  });

  test("is a note where another process was killed and the main one returned 0", () => {
    expect(turn(2_001, killed(0), null, of(undefined))).toMatchObject({
      end: { state: "succeeded", exit_code: 0, reason: expect.stringContaining("a process of it was killed: out of") },
    });
  });
  test("is the failure where the main process failed, with the code that it gave, and with `oom: any` always", () => {
    for (const [code, oom] of [
      [1, undefined],
      [null, undefined],
      [0, "any"],
    ] as const) {
      expect(turn(2_001, killed(code), null, of(oom))).toMatchObject({
        end: { state: "failed", exit_code: code, cause: "out_of_memory" },
      });
    }
  });
});

describe("a time limit that is changed while its task runs", () => {
  const changed = (time_limit_ms: number | null, limit_ms: number): TaskRecord => ({
    ...record,
    assignment: { ...record.assignment, time_limit_ms },
    limit_ms,
  });
  const over = (ended_ms: number): Seen["process"] => ({
    is: "ended",
    exit_code: 0,
    signal: null,
    started_ms: 1_000,
    ended_ms,
    peak_memory_bytes: null,
    oom: false,
    left: 0,
    reason: null,
  });

  test("counts from the start of the task", () => {
    expect(turn(1_000 + LIMIT_MS, alive, null, changed(2 * LIMIT_MS, 5_000))).toBeNull();
    expect(turn(1_000 + 2 * LIMIT_MS, alive, null, changed(2 * LIMIT_MS, 5_000))).toMatchObject({ do: "signal" });
    expect(turn(99 * LIMIT_MS, alive, null, changed(null, 5_000))).toBeNull();
  });

  test("stops at once what is over it, and is not the end of what had ended before", () => {
    const lowered = changed(2_000, 50_000);
    expect(turn(50_000, alive, null, lowered)).toMatchObject({ do: "signal", stop: { by: "time_limit" } });
    expect(turn(50_001, over(49_999), null, lowered)).toMatchObject({ end: { state: "succeeded" } });
    expect(turn(51_001, over(51_000), null, lowered)).toMatchObject({ end: { cause: "time_limit" } });
  });

  test("does not save a task that was asked to end for the earlier one", () => {
    const at_ms = 1_000 + LIMIT_MS;
    const raised = changed(9 * LIMIT_MS, at_ms + 10);
    expect(turn(at_ms + 20, alive, asked(at_ms), raised)).toBeNull();
    expect(turn(at_ms + GRACE_MS, alive, asked(at_ms), raised)).toMatchObject({ do: "kill" });
  });
});
