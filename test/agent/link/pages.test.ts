// Reports in pages: none is lost, none is out of order, and no page or inventory is more than the server takes.

import { describe, expect, test } from "bun:test";
import { pagesOf, resultCounts, withinOneCommit } from "../../../src/agent/link/pages";
import { HOUSE_LIMITS } from "../../../src/core/limits";
import type { TaskReport } from "../../../src/core/model/record";
import { TRANSACTION_BYTES } from "../../../src/store/batch";

const WORST = { stdout: "\u0001".repeat(4_096), stderr: "€".repeat(4_096) };

const ended = (n: number, tail: typeof WORST | null): TaskReport => ({
  uid: String(n).padStart(32, "0"),
  name: `task ${n}`,
  identity: null,
  grant_until: 1,
  held: null,
  exclusive: false,
  unix_user: null,
  reported: {
    state: "failed",
    reason: null,
    started_age_ms: 1,
    finished_age_ms: 1,
    exit_code: 1,
    signal: null,
    peak_memory_bytes: null,
    tail,
    next: null,
  },
});

const many = (count: number, tail: typeof WORST | null): TaskReport[] =>
  Array.from({ length: count }, (_, n) => ended(n, tail));
const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

describe("pages", () => {
  test.each([0, 1, 199, 200, 201, 1_000])("of %i short reports are all of them, in order", (count) => {
    const entries = many(count, null);
    const pages = [...pagesOf(entries)];
    expect(pages.flat()).toEqual(entries);
    expect(pages.length).toBe(Math.ceil(count / 200));
  });
  test("of reports with the worst last words stay below one message", () => {
    const entries = many(500, WORST);
    expect(bytesOf(entries.slice(0, 200))).toBeGreaterThan(HOUSE_LIMITS.message_bytes);
    const pages = [...pagesOf(entries)];
    expect(pages.flat()).toEqual(entries);
    expect(pages.filter((page) => bytesOf(page) > HOUSE_LIMITS.message_bytes * 0.9)).toEqual([]);
  });
});

test("results of batches come in messages of less than 256 KiB", () => {
  const why = "x".repeat(1_000);
  const results = Array.from({ length: 100 }, (_, index) => [index, 1, 5, why] as const);
  const entries = Array.from({ length: 9 }, (_, n) => ({
    ...ended(n, null),
    results: { from: 4, results, places: 1, only: null },
  }));
  const pages = [...pagesOf(entries)];
  expect(pages.flat()).toEqual(entries);
  expect(pages.filter((page) => bytesOf(page) > 256 * 1024)).toEqual([]);
  expect(resultCounts(entries)).toEqual(new Map(entries.map(({ uid }) => [uid, 104])));
});

describe("one inventory", () => {
  test("of a usual size keeps all last words", () => {
    const entries = many(50, WORST);
    expect(withinOneCommit(entries)).toEqual(entries);
  });
  test("names every task, and has less to say of some, so that it fits one commit", () => {
    const entries = many(1_600, WORST);
    expect(bytesOf(entries)).toBeGreaterThan(TRANSACTION_BYTES);
    const within = withinOneCommit(entries);
    expect(bytesOf(within)).toBeLessThan(TRANSACTION_BYTES * 0.75);
    expect(within.map(({ uid }) => uid)).toEqual(entries.map(({ uid }) => uid));
    expect(within.map(({ reported }) => ({ ...reported, tail: null }))).toEqual(
      entries.map(({ reported }) => ({ ...reported, tail: null })) as never,
    );
    expect(within[0]).toEqual(entries[0] as never);
  });
});
