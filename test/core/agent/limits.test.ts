// A task's own time limit: what ends it has a reason, and it gets its grace, whenever its agent was there to see it.

import { describe, expect, test } from "bun:test";
import { step } from "../../../src/core/agent/step";
import type { Action, Asked, Seen } from "../../../src/core/model/record";
import { assignmentFor, recordFor } from "../../support/tasks";

const LIMIT_MS = 60_000;
const GRACE_MS = 3_000;
const record = recordFor(
  assignmentFor("true", { stop: { signal: "INT", grace_ms: GRACE_MS }, time_limit_ms: LIMIT_MS }),
);
const { uid } = record.assignment;

function turn(now_ms: number, process: Seen["process"], asked: Asked | null = null): Action | null {
  const { actions } = step({
    records: new Map([[uid, record]]),
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
