// A task's own time limit: what ends it has a reason, and it gets its grace, whenever its agent was there to see it.

import { describe, expect, test } from "bun:test";
import { step } from "../../../src/core/agent/step";
import type { Action, Asked, Seen, TaskRecord } from "../../../src/core/model/record";
import { assignmentFor, recordFor } from "../../support/tasks";

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
): Action | null {
  const { actions } = step({
    records: new Map([[uid, of]]),
    seen: new Map([[uid, { claimed: true, process }]]),
    busy: new Set(),
    signalled: new Map(asked === null ? [] : [[uid, asked]]),
    reserved: new Set(),
    boot_id: record.boot_id,
    now_ms,
    capacity: { cpu_milli: 1, memory_bytes: 1, disk_bytes: 1, countables: {} },
    devices: [],
    unreadable: [],
    blames: new Map(),
    blocked: new Map(),
    heard_ms: null,
  });
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
