// Ended tasks are kept for a week of the machine's running time, whatever its wall clock shows at any start.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clocks } from "../../../src/agent/tasks/moments";
import { sweepEnded } from "../../../src/agent/tasks/retention";
import { DAY_MS, HOUR_MS } from "../../../src/core/units";

let data = "";
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), "orch-retention-"));
  for (const dir of ["ended", "tasks"]) mkdirSync(join(data, dir));
});
afterEach(() => rmSync(data, { recursive: true }));

const UID = "a".repeat(32);
const OTHER = "b".repeat(32);

function endedTask(uid: string, wall_ms: number): void {
  const dir = join(data, "ended", uid);
  mkdirSync(dir);
  writeFileSync(join(dir, "stdout"), "hello");
  utimesSync(dir, wall_ms / 1_000, wall_ms / 1_000);
}

const left = (): string[] => readdirSync(join(data, "ended")).toSorted();
const at = (boot_ms: number, boot = 1, wall_ms = Date.now()): Clocks => ({ boot_id: `boot ${boot}`, boot_ms, wall_ms });

test("a clock that is 30 days ahead at a start removes nothing, nor do files that look as old", async () => {
  endedTask(UID, Date.now());
  await sweepEnded(data, at(HOUR_MS, 1, Date.now() + 30 * DAY_MS));
  endedTask(OTHER, Date.now() - 30 * DAY_MS);
  await sweepEnded(data, at(2 * HOUR_MS, 1, Date.now() + 30 * DAY_MS));
  expect(left()).toEqual([UID, OTHER]);
});

test("a week of running time removes them, over several boots, and no earlier", async () => {
  // The date of the file is of a clock that was a year ahead.
  endedTask(UID, Date.now() + 365 * DAY_MS);
  await sweepEnded(data, at(0));
  await sweepEnded(data, at(4 * DAY_MS));
  endedTask(OTHER, Date.now());
  await sweepEnded(data, at(HOUR_MS, 2));
  await sweepEnded(data, at(2 * DAY_MS, 2));
  await sweepEnded(data, at(3 * DAY_MS - HOUR_MS, 3));
  expect(left()).toEqual([OTHER]);
});

test("the time between two starts in one boot counts once", async () => {
  endedTask(UID, Date.now());
  for (let n = 0; n < 100; n++) await sweepEnded(data, at(DAY_MS + n));
  expect(left()).toEqual([UID]);
  await sweepEnded(data, at(8 * DAY_MS + 200));
  expect(left()).toEqual([]);
});

test("a tally that was lost or spoilt begins anew, and removes nothing", async () => {
  endedTask(UID, Date.now() - 365 * DAY_MS);
  for (const text of ["", "[]", '{"boot_ms":"x"}', '{"boot_id":"boot 1","boot_ms":0,"elapsed_ms":1e15,"seen":[]}']) {
    writeFileSync(join(data, "retention.json"), text);
    await sweepEnded(data, at(20 * DAY_MS));
    expect(left()).toEqual([UID]);
  }
});

test("a stop's claim whose task never arrived goes as well", async () => {
  const dir = join(data, "tasks", UID);
  mkdirSync(dir);
  writeFileSync(join(dir, "claim"), "stopped\n");
  await sweepEnded(data, at(0));
  await sweepEnded(data, at(6 * DAY_MS));
  expect(readdirSync(join(data, "tasks"))).toEqual([UID]);
  await sweepEnded(data, at(8 * DAY_MS));
  expect(readdirSync(join(data, "tasks"))).toEqual([]);
});
