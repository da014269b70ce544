// The journal of a batch as the agent reads it: whole lines as they come, and what follows from the end of the batch.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { appendFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beganLine, endedLine, mayLine, openLine } from "../../../src/agent/tasks/element-journal";
import { ElementReader, journalIn } from "../../../src/agent/tasks/element-reader";
import { endWithoutResult } from "../../../src/core/agent/ending";
import { makeScratch, removeScratch } from "../../support/scratch";

const ORDER = { parts: [[5, 8]] as const, places: 2, round: 1, first: 0, step: 10 };
const UNKNOWN = endWithoutResult("unknown", "result_unknown", "its keeper died", 1);
const GONE = endWithoutResult("gone", "node_rebooted", "the machine was restarted", 1);
const SUCCEEDED = { ...UNKNOWN, state: "succeeded", started_ms: 0, cause: undefined } as const;

let dir: string;
beforeEach(() => {
  dir = makeScratch("elements");
});
afterEach(() => removeScratch(dir));

const file = (): string => join(dir, "elements");
const readerOf = (): ElementReader =>
  new ElementReader(
    ORDER,
    journalIn(() => dir),
  );
const isClaimed = () => true;

test("lines count once they are whole, and none counts twice", () => {
  const reader = readerOf();
  expect(reader.look()).toBe("missing");
  const line = endedLine(1, 0, 7);
  writeFileSync(file(), mayLine(4) + beganLine(1, 0, 3) + line.slice(0, 12));
  expect(reader.look()).toBe("read");
  expect(reader.read.results).toEqual([]);
  expect(reader.read.running.size).toBe(1);
  appendFileSync(file(), line.slice(12) + endedLine(0, "KILL", 2, "out of memory") + openLine(1));
  reader.look();
  reader.look();
  expect(reader.read.results).toEqual([
    [6, 0, 7],
    [5, "KILL", 2, "out of memory"],
  ]);
  expect(reader.read.open).toBe(1);
});

test("a journal that is longer than one read is read to its end", () => {
  const why = "x".repeat(2_000);
  const parts = [[0, 399]] as const;
  const reader = new ElementReader(
    { ...ORDER, parts },
    journalIn(() => dir),
  );
  writeFileSync(file(), Array.from({ length: 400 }, (_, position) => endedLine(position, 1, 1, why)).join(""));
  reader.look();
  expect(reader.read.results.length).toBe(400);
});

test("an element is in its place, over, waiting, or of another batch", () => {
  writeFileSync(file(), mayLine(4) + beganLine(0, 1, 3) + beganLine(1, 0, 3) + endedLine(1, 0, 7));
  const reader = readerOf();
  reader.look();
  expect([50, 60, 70, 90, 55].map((number) => reader.stateOf(number))).toEqual([
    { is: "running", place: 1 },
    { is: "over" },
    { is: "waiting" },
    { is: "stranger" },
    { is: "stranger" },
  ]);
});

test("what had begun and has no end is unknown, and after a restart all that may have begun is lost", () => {
  writeFileSync(file(), mayLine(3) + beganLine(2, 1, 3) + beganLine(0, 0, 3) + endedLine(1, 0, 7));
  const own = [6, 0, 7] as const;
  const unknown = readerOf();
  expect(unknown.resultsAtEnd(UNKNOWN, isClaimed).map(([index, end]) => [index, end])).toEqual([
    [6, 0],
    [5, "unknown"],
    [7, "unknown"],
  ]);
  expect(unknown.resultsAtEnd(UNKNOWN, isClaimed)).toEqual(readerOf().resultsAtEnd(UNKNOWN, isClaimed));
  expect(readerOf().resultsAtEnd(GONE, isClaimed)[0]).toEqual(own);
  expect(
    readerOf()
      .resultsAtEnd(GONE, isClaimed)
      .map(([index, end]) => [index, end]),
  ).toEqual([
    [6, 0],
    [5, "lost"],
    [7, "lost"],
  ]);
});

test("where the journal cannot be read, any element may have begun", () => {
  const all = [5, 6, 7, 8].map((index) => [index, "unknown"]);
  const told = (reader: ElementReader, end: Parameters<ElementReader["resultsAtEnd"]>[0], claimed: boolean) =>
    reader.resultsAtEnd(end, () => claimed).map(([index, how]) => [index, how]);
  // No keeper makes an element begin before there is a journal.
  expect(told(readerOf(), UNKNOWN, true)).toEqual([]);
  expect(told(readerOf(), endWithoutResult("stopped", null, "it was stopped", 1), true)).toEqual([]);
  // Somebody has removed the directory, or the journal.
  expect(told(readerOf(), UNKNOWN, false)).toEqual(all);
  expect(told(readerOf(), SUCCEEDED, true)).toEqual(all);
  mkdirSync(join(dir, "elsewhere"));
  symlinkSync("/dev/null", file());
  expect(told(readerOf(), UNKNOWN, true)).toEqual(all);
});

test("a batch that could not be begun, and was to stop by then, has begun nothing although it has no journal", () => {
  const facts = { cause: undefined, reason: "cancelled", exit_code: null, signal: null, peak_memory_bytes: null };
  const end = { ...facts, state: "stopped", started_ms: 5, finished_ms: 5, next_uid: null } as const;
  expect(readerOf().resultsAtEnd(end, isClaimed)).toEqual([]);
  const [first] = readerOf().resultsAtEnd({ ...end, finished_ms: 900 }, isClaimed);
  expect(first?.[1]).toBe("unknown");
});
