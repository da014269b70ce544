// Moments that are kept: whatever the wall clock did meanwhile, those of this boot come back as they were.

import { describe, expect, test } from "bun:test";
import type { TaskRecord } from "../../../src/core/model/record";
import { stopOf } from "../../../src/core/agent/ending";
import { HOUR_MS, MINUTE_MS } from "../../../src/core/units";
import { bootOfStart, recalled, wallOf, type Clocks } from "../../../src/agent/tasks/moments";
import { keptRecord, parseRecord } from "../../../src/agent/tasks/records";
import { claimText, exitLine, parseAttempt, pidLine } from "../../../src/agent/tasks/taskdir";
import { bootMs } from "../../../src/os/clock";
import { statOf } from "../../../src/os/proc";
import { assignmentFor, recordFor } from "../../support/tasks";

const NOW: Clocks = { boot_id: "this", boot_ms: 10 * HOUR_MS, wall_ms: 1_000 * HOUR_MS };
const jumped = (by_ms: number): Clocks => ({ ...NOW, wall_ms: NOW.wall_ms + by_ms });
const JUMPS = [-2 * HOUR_MS, 0, 2 * HOUR_MS, -1_000 * HOUR_MS];

describe("a moment", () => {
  test.each(JUMPS)("of this boot is what it was, with the clock changed by %p ms", (by_ms) => {
    const at_ms = NOW.boot_ms - MINUTE_MS;
    const kept = { wall_ms: wallOf(at_ms, NOW), boot_ms: at_ms, boot_id: "this" };
    expect(recalled(kept, jumped(by_ms))).toBe(at_ms);
  });

  test("of an earlier boot is as old as this boot at least, and as the wall clock says beyond that", () => {
    const age = (wall_ms: number): number => NOW.boot_ms - recalled({ wall_ms, boot_ms: 5, boot_id: "before" }, NOW);
    expect(age(NOW.wall_ms - 30 * HOUR_MS)).toBe(30 * HOUR_MS);
    expect(age(NOW.wall_ms - HOUR_MS)).toBe(10 * HOUR_MS);
    expect(age(NOW.wall_ms + HOUR_MS)).toBe(10 * HOUR_MS);
  });

  test("of this boot that an older release kept is not in the future, and no older than the boot", () => {
    const age = (wall_ms: number): number => NOW.boot_ms - recalled({ wall_ms, boot_ms: null, boot_id: "this" }, NOW);
    expect(age(NOW.wall_ms - MINUTE_MS)).toBe(MINUTE_MS);
    expect(age(NOW.wall_ms + HOUR_MS)).toBe(0);
    expect(age(0)).toBe(NOW.boot_ms);
  });

  test("at which a process began is known to the kernel", () => {
    const at_ms = bootOfStart(statOf(process.pid)?.start ?? "");
    if (process.platform !== "linux") return expect(at_ms).toBeNull();
    expect(bootMs() - at_ms!).toBeGreaterThan(0);
    expect(Math.abs(bootMs() - at_ms! - process.uptime() * 1_000)).toBeLessThan(5_000);
  });
});

const record: TaskRecord = {
  ...recordFor(assignmentFor("true")),
  boot_id: "this",
  accepted_ms: NOW.boot_ms - 5 * MINUTE_MS,
  not_before_ms: NOW.boot_ms + MINUTE_MS,
  stop: { signal: "TERM", grace_ms: 1, why: "x", at_ms: NOW.boot_ms - MINUTE_MS },
  verdict: { why: "y", at_ms: NOW.boot_ms - 2 * MINUTE_MS },
  limit_ms: NOW.boot_ms - 3 * MINUTE_MS,
};

test.each(JUMPS)("a record is read as it was written, with the clock changed by %p ms", (by_ms) => {
  const text: unknown = JSON.parse(JSON.stringify(keptRecord(record, NOW)));
  expect(parseRecord(text, record.assignment.uid, jumped(by_ms))).toEqual({ is: "there", record });
});

test("a record of an older release, with wall times alone, is read: nothing of it is in the future", () => {
  const { clock: _clock, ...old } = keptRecord(record, NOW);
  const read = parseRecord(old, record.assignment.uid, NOW);
  expect(read).toMatchObject({ is: "there", record: { accepted_ms: record.accepted_ms, stop: record.stop } });
  expect(parseRecord(old, record.assignment.uid, jumped(-HOUR_MS))).toMatchObject({
    record: { accepted_ms: NOW.boot_ms, not_before_ms: NOW.boot_ms },
  });
});

const EXIT = { exit_code: 0, signal: null, peak_memory_bytes: null, oom: false, left: 0, reason: null };

test.each(JUMPS)("a claim whose lines were written around a jump of %p ms tells how long its task ran", (by_ms) => {
  const [began, ended] = [NOW.boot_ms - MINUTE_MS, NOW.boot_ms - 1_000];
  const pid = { pid: 3, start: "4", started_ms: began };
  const text =
    claimText(NOW, []) + pidLine(pid, NOW) + exitLine({ ...EXIT, started_ms: began, ended_ms: ended }, jumped(by_ms));
  const read = parseAttempt(text, jumped(2 * by_ms));
  expect(read).toMatchObject({ process: pid, exit: { started_ms: began, ended_ms: ended } });
  const limited = {
    ...record,
    stop: null,
    verdict: null,
    assignment: { ...record.assignment, time_limit_ms: HOUR_MS },
  };
  expect(stopOf(limited, began, ended)).toBeNull();
});
