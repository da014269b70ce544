// What an agent reports of a batch: its results page by page, each once the one before is acknowledged, and its end
// with the last of them.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { createReports, type Situation, type TaskReports } from "../../../src/agent/loop/reports";
import type { BatchSoFar } from "../../../src/core/agent/results";
import { endOfPage } from "../../../src/core/agent/results";
import type { ElementResult } from "../../../src/core/model/array";
import type { Seen, TaskRecord, TaskReport } from "../../../src/core/model/record";
import { batchFor } from "../../support/batch-keeper";
import { makeSite, type OpenTasks, recordFor, type Site, SUCCEEDED } from "../../support/tasks";

const alive = (places: number): Seen => ({
  claimed: true,
  process: { is: "alive", handle: { pid: null }, started_ms: 20, places },
});

let site: Site;
let tasks: OpenTasks;
beforeEach(async () => {
  site = await makeSite();
  tasks = await site.open();
});
afterEach(async () => expect(await site.close()).toEqual([]));

/** Some batches of which a test says how they stand, and what is reported of them. */
class Batches {
  readonly records = new Map<string, TaskRecord>();
  readonly so_far = new Map<string, BatchSoFar>();
  readonly reports: TaskReports;
  now_ms = 1_000;

  constructor(count = 1) {
    for (let n = 0; n < count; n++) {
      const record = recordFor(batchFor(2_000, 8));
      this.records.set(record.assignment.uid, record);
      this.so_far.set(record.assignment.uid, { results: [], places: 8, only: null });
    }
    const batch = ({ assignment: { uid } }: TaskRecord) => this.so_far.get(uid) ?? null;
    this.reports = createReports(this.records, tasks.store, { batch });
  }

  get uid(): string {
    return [...this.records.keys()][0] ?? "";
  }

  situation(): Situation {
    const seen = new Map([...this.so_far].map(([uid, { places }]) => [uid, alive(places)]));
    const nothing = { reserved: new Set<string>(), lacking: new Map(), blocked: new Map(), fetching: new Map() };
    return { now_ms: this.now_ms, seen, ...nothing };
  }

  /** All batches have so many results. */
  have(count: number, places = 8, why?: string): void {
    const results = Array.from({ length: count }, (_, index): ElementResult =>
      why === undefined ? [index, 0, 5] : [index, 1, 5, why],
    );
    for (const uid of this.so_far.keys()) this.so_far.set(uid, { results, places, only: null });
  }

  end(): void {
    for (const [uid, record] of this.records) this.records.set(uid, { ...record, end: SUCCEEDED });
  }

  /** What is reported now: the state of each entry, and which results it has. */
  told(after_ms = 0): [state: string, from: number, upto: number][] {
    this.now_ms += after_ms;
    return this.reports.changed(this.situation(), new Set()).map(sayEntry);
  }

  heard(upto: number): void {
    this.reports.hasResults(new Map([[this.uid, upto]]));
  }
}

const sayEntry = ({ reported, results }: TaskReport): [string, number, number] =>
  results === undefined ? [reported.state, -1, -1] : [reported.state, results.from, endOfPage(results)];

test("results of a running batch follow each other, none before the ones before are acknowledged", () => {
  const batches = new Batches();
  batches.have(3);
  expect(batches.told()).toEqual([["running", 0, 3]]);
  batches.have(5);
  expect(batches.told(1_000)).toEqual([]);
  batches.heard(3);
  expect(batches.told()).toEqual([["running", 3, 5]]);
  expect(batches.told(1_000)).toEqual([]);
  batches.heard(5);
  expect(batches.told(1_000)).toEqual([]);
  expect(batches.reports.due_ms()).toBeNull();
});

test("they are told every 100 ms at most, and then at once", () => {
  const batches = new Batches();
  batches.have(1);
  batches.told();
  batches.heard(1);
  batches.have(2);
  expect(batches.told(30)).toEqual([]);
  expect(batches.reports.due_ms()).toBe(1_100);
  expect(batches.told(70)).toEqual([["running", 1, 2]]);
  expect(batches.reports.due_ms()).toBeNull();
});

test("a place that was given up is news, also without a result", () => {
  const batches = new Batches();
  batches.told();
  batches.heard(0);
  batches.have(0, 5);
  batches.now_ms += 100;
  const [entry] = batches.reports.changed(batches.situation(), new Set());
  expect(entry).toMatchObject({ results: { from: 0, results: [], places: 5 }, held: { cpu_milli: 500 } });
});

test("the end is told at once, with all that the server lacks", () => {
  const batches = new Batches();
  batches.have(3);
  batches.told();
  batches.heard(3);
  batches.have(4);
  batches.end();
  expect(batches.told(1)).toEqual([["succeeded", 3, 4]]);
  expect(batches.told(1_000)).toEqual([]);
});

test("the end of a batch with more results than a page follows the pages before", () => {
  const batches = new Batches();
  batches.have(200, 8, "x".repeat(1_000));
  batches.end();
  const seen = batches.told();
  for (let last = seen[0]; last !== undefined && last[0] !== "succeeded"; last = seen.at(-1)) {
    expect(batches.told(1_000)).toEqual([]);
    batches.heard(last[2]);
    seen.push(...batches.told());
  }
  expect(seen.length).toBeGreaterThan(2);
  expect(seen.map(([state]) => state).slice(0, -1)).toEqual(seen.slice(1).map(() => "running"));
  expect(seen.map(([, from]) => from)).toEqual([0, ...seen.slice(0, -1).map(([, , upto]) => upto)]);
  expect(seen.at(-1)).toEqual(["succeeded", seen.at(-2)?.[2] ?? 0, 200]);
});

test("a new state is told although results are on their way, with those again", () => {
  const batches = new Batches();
  batches.have(3);
  batches.told();
  batches.have(4);
  batches.end();
  expect(batches.told()).toEqual([["succeeded", 0, 4]]);
});

test("an inventory has what the server of this timeline lacks, and what follows waits for it", () => {
  const batches = new Batches();
  batches.have(3);
  batches.told();
  batches.heard(2);
  const inventory = () => batches.reports.all(batches.situation()).map(sayEntry);
  // The connection broke, and took what was on its way with it.
  expect(inventory()).toEqual([["running", 2, 3]]);
  batches.have(5);
  expect(batches.told(1_000)).toEqual([]);
  batches.heard(3);
  expect(batches.told()).toEqual([["running", 3, 5]]);
  batches.reports.newTimeline();
  expect(inventory()).toEqual([["running", 0, 5]]);
});

test("an inventory of many batches stays within its bound, and calls none over that is not told whole", () => {
  const batches = new Batches(60);
  batches.have(200, 8, "x".repeat(1_000));
  batches.end();
  const entries = batches.reports.all(batches.situation());
  expect(entries.length).toBe(60);
  expect(Buffer.byteLength(JSON.stringify(entries))).toBeLessThan(3 * 1024 * 1024);
  expect(new Set(entries.map(({ reported }) => reported.state))).toEqual(new Set(["running"]));
  const told = new Set(entries.map(({ results }) => results?.results.length ?? -1));
  expect(told.has(0)).toBe(true);
  expect(told.size).toBeGreaterThan(1);
});
