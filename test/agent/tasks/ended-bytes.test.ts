// What ended tasks take of the disk is bounded: the oldest make way for new ones, also between two hourly sweeps.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endedBytes, mostEndedBytes, sweepEnded } from "../../../src/agent/tasks/retention";
import { openTaskStore } from "../../../src/agent/tasks/store";
import { places } from "../../../src/agent/tasks/taskdir";
import { GIB, MIB } from "../../../src/core/units";
import { STILL } from "../../support/clocks";
import { waitUntil } from "../../support/wait";

const NOW_MS = 1_800_000_000_000;
const STILL_NOW = { ...STILL, boot_ms: 1_000 };

let data: string;
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), "orch-retention-"));
  for (const dir of [places(data).ended, places(data).tasks]) mkdirSync(dir);
});
afterEach(() => rmSync(data, { recursive: true }));

const uidOf = (n: number): string => n.toString(16).padStart(32, "0");
const kept = (): number[] =>
  readdirSync(places(data).ended)
    .map((uid) => Number.parseInt(uid, 16))
    .toSorted();

/** An ended task with output of so many bytes that ended at a time. */
function put(n: number, at_ms: number, bytes: number, where: "tasks" | "ended" = "ended"): void {
  const dir = join(places(data)[where], uidOf(n));
  mkdirSync(dir);
  writeFileSync(join(dir, "stdout"), "x".repeat(bytes));
  utimesSync(dir, at_ms / 1_000, at_ms / 1_000);
}

test("the oldest ended tasks go until the rest takes less than the bound", async () => {
  for (const n of [1, 2, 3, 4, 5, 6, 7, 8, 9]) put(n, NOW_MS - n * 1_000, MIB);
  const before = await sweepEnded(data, STILL_NOW, 20 * MIB);
  expect(kept()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(before).toBeGreaterThanOrEqual(9 * MIB);
  const left = await sweepEnded(data, STILL_NOW, 8 * MIB);
  expect(kept().length).toBeLessThan(8);
  expect(kept()).toContain(1);
  expect(kept()).not.toContain(8);
  const bytes = await Promise.all(kept().map((n) => endedBytes(join(places(data).ended, uidOf(n)))));
  expect(left).toBe(bytes.reduce((sum, one) => sum + one, 0));
  expect(left).toBeLessThanOrEqual(7 * MIB);
});

test("the output of a user who has more makes none of another's go", async () => {
  for (const n of [1, 2, 3, 4, 5, 6, 7, 8]) {
    put(n, NOW_MS - n * 1_000, MIB);
    const dir = join(places(data).ended, uidOf(n));
    const record = { assignment: { identity: { user: n > 6 ? "alice" : "bob" } } };
    writeFileSync(join(dir, "record.json"), `${JSON.stringify(record)}\n`);
    utimesSync(dir, NOW_MS / 1_000 - n, NOW_MS / 1_000 - n);
  }
  await sweepEnded(data, STILL_NOW, 6 * MIB);
  expect(kept()).toEqual([1, 2, 3, 7, 8]);
});

test("what the elements of a batch have written counts, and goes with it", async () => {
  for (const n of [1, 2]) put(n, NOW_MS - n * 1_000, 10);
  const dir = join(places(data).ended, uidOf(2));
  for (const name of ["7", "8.2", "place.0"]) {
    mkdirSync(join(dir, name));
    writeFileSync(join(dir, name, "stdout"), "x".repeat(MIB));
  }
  expect(await endedBytes(dir)).toBeGreaterThanOrEqual(3 * MIB);
  await sweepEnded(data, STILL_NOW, 2 * MIB);
  expect(kept()).toEqual([1]);
});

test("the bound is 2 GiB, or a tenth of a small file system", () => {
  expect(mostEndedBytes(data)).toBeGreaterThan(0);
  expect(mostEndedBytes(data)).toBeLessThanOrEqual(2 * GIB);
});

test("a task that makes them too large together has the oldest removed at once", async () => {
  const now_ms = Date.now();
  const most = mostEndedBytes(data);
  const store = openTaskStore(data, () => undefined);
  // Many names of one file take its bytes as often: the disk of this machine need not hold them.
  const whole = join(data, "whole");
  writeFileSync(whole, "x".repeat(8 * MIB));
  for (const n of [1, 2]) {
    put(n, now_ms - n * 1_000, 1, "tasks");
    const dir = join(places(data).tasks, uidOf(n));
    const link = `for n in $(seq ${Math.ceil(most / (8 * MIB) / 2) + 1}); do ln ${whole} ${dir}/$n; done`;
    Bun.spawnSync(["sh", "-c", link]);
    utimesSync(dir, now_ms / 1_000 - n, now_ms / 1_000 - n);
  }
  try {
    await store.acknowledge(uidOf(2));
    expect(kept()).toEqual([2]);
    await store.acknowledge(uidOf(1));
    await waitUntil("the oldest to be gone", () => kept().length === 1, 10_000);
    expect(kept()).toEqual([1]);
  } finally {
    store.close();
  }
}, 20_000);
