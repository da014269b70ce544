// A batch as the agent's core sees it: what it holds, what ends it, and how its results are told.

import { describe, expect, test } from "bun:test";
import { heldBy, admit } from "../../../src/core/agent/admit";
import { cardTasks } from "../../../src/core/agent/card-users";
import { reportOf, type ReportContext } from "../../../src/core/agent/report";
import { endOfPage, pageOf, RESULTS_PAGE } from "../../../src/core/agent/results";
import { step, type AgentView } from "../../../src/core/agent/step";
import type { ElementResult } from "../../../src/core/model/array";
import { shareOf } from "../../../src/core/model/promised";
import type { Seen, TaskRecord } from "../../../src/core/model/record";
import { GIB } from "../../../src/core/units";
import { batchFor } from "../../support/batch-keeper";
import { assignmentFor, recordFor, SUCCEEDED, viewOf } from "../../support/tasks";

const CAPACITY = { cpu_milli: 800, memory_bytes: 64 * GIB, disk_bytes: 0, countables: {} };
const aliveWith = (places: number | undefined): Seen => ({
  claimed: true,
  process: { is: "alive", handle: { pid: null }, started_ms: 0, places },
});
const batch = recordFor(batchFor(100, 8));
const { uid } = batch.assignment;

const look = (records: readonly TaskRecord[], seen: ReadonlyMap<string, Seen>, now_ms = 0): AgentView =>
  viewOf(records, { seen, now_ms, capacity: CAPACITY });

describe("what a batch holds", () => {
  test("is its promise, less the places that were given up", () => {
    const { promised } = batch.assignment;
    expect(heldBy(batch.assignment, undefined)).toEqual(promised);
    expect(heldBy(batch.assignment, aliveWith(undefined))).toEqual(promised);
    expect(heldBy(batch.assignment, aliveWith(8))).toEqual(promised);
    expect(heldBy(batch.assignment, aliveWith(3))).toMatchObject({ cpu_milli: 300 });
    expect(heldBy(batch.assignment, aliveWith(0))).toMatchObject({ cpu_milli: 0, memory_bytes: 0 });
  });
  test("stays a whole number also of amounts near their bound", () => {
    const { promised } = batch.assignment;
    const much = { ...promised, memory_bytes: 2 ** 50, countables: { license: 64 } };
    expect(shareOf(much, 63, 64)).toMatchObject({ memory_bytes: (2 ** 50 / 64) * 63, countables: { license: 63 } });
  });
  test("leaves room for the next task", () => {
    const next = recordFor(assignmentFor("true", { promised: { ...batch.assignment.promised, cpu_milli: 500 } }));
    const admitted = (places: number) =>
      admit(look([batch, next], new Map([[uid, aliveWith(places)]]))).admitted.has(next.assignment.uid);
    expect([8, 4, 3].map(admitted)).toEqual([false, false, true]);
  });
});

describe("a batch", () => {
  test("is not ended for the time limit of its elements while its keeper may end each of them", () => {
    const limited = recordFor({ ...batch.assignment, time_limit_ms: 5 });
    const decided = step(look([limited], new Map([[uid, aliveWith(8)]]), 1_000));
    expect(decided.actions).toEqual([]);
    const unlimited = step(look([batch], new Map([[uid, aliveWith(8)]]), 1_000_000));
    expect(unlimited).toMatchObject({ actions: [], wake_at_ms: null });
  });
  test("is ended once all of its elements are over their time limit, since its keeper must be dead", () => {
    const limited = recordFor({ ...batch.assignment, time_limit_ms: 5 });
    const { begins_for_ms } = limited.assignment.batch ?? { begins_for_ms: 0 };
    const over_ms = begins_for_ms + 5 + limited.assignment.stop.grace_ms + 10_000;
    const at = (now_ms: number) => step(look([limited], new Map([[uid, aliveWith(8)]]), now_ms));
    expect(at(over_ms - 1)).toMatchObject({ actions: [], wake_at_ms: over_ms });
    expect(at(over_ms).actions).toMatchObject([{ do: "signal", uid, stop: { by: "time_limit" } }]);
  });
  test("has no successor that its agent makes", () => {
    const granted = recordFor({
      ...batch.assignment,
      grant_until: 5,
      restart: { ...batch.assignment.restart, offline: true },
    });
    const vanished: Seen = { claimed: true, process: { is: "vanished", rebooted: false, why: "its keeper died" } };
    expect(step(look([granted], new Map([[uid, vanished]]))).actions).toMatchObject([
      { do: "end", next: null, end: { state: "unknown", next_uid: null } },
    ]);
  });
  test("is found on cards by no pid that stands for none", () => {
    expect(cardTasks(new Map([[uid, batch]]), new Map([[uid, aliveWith(8)]]), [])).toMatchObject([{ pid: null }]);
  });
});

const CONTEXT: ReportContext = {
  now_ms: 100,
  reserved: new Set(),
  lacking: new Map(),
  blocked: new Map(),
  fetching: new Map(),
  records: new Map(),
  tail: () => null,
};
const results = (count: number, why?: string): ElementResult[] =>
  Array.from({ length: count }, (_, index) => (why === undefined ? [index, 0, 5] : [index, 1, 5, why]));

describe("its report", () => {
  test("has what the server lacks, and 0 for the pid that there is none of", () => {
    const told = reportOf(batch, aliveWith(5), CONTEXT, {
      so_far: { results: results(7), places: 5, only: null },
      from: 4,
    });
    expect(told).toMatchObject({
      reported: { state: "running", pid: 0 },
      held: { cpu_milli: 500 },
      results: { from: 4, results: results(7).slice(4), places: 5, only: null },
    });
  });
  test("tells the end with the last results, and until then that it runs, or stops", () => {
    const over: TaskRecord = { ...batch, end: SUCCEEDED };
    const so_far = { results: results(10), places: 1, only: null };
    const tell = (record: TaskRecord, from: number, room?: number) =>
      reportOf(record, undefined, CONTEXT, { so_far, from, room }).reported;
    expect(tell(over, 0, 300)).toEqual({ state: "running", pid: 0, started_age_ms: 80 });
    const stop = { signal: "TERM", grace_ms: 1, why: "it is not wanted", at_ms: 1 };
    expect(tell({ ...over, stop }, 0, 300)).toEqual({ state: "stopping", pid: null, started_age_ms: 80 });
    expect(tell(over, 0)).toMatchObject({ state: "succeeded" });
    expect(tell(over, 8, 300)).toMatchObject({ state: "succeeded" });
    expect(tell(over, 10, 0)).toMatchObject({ state: "succeeded" });
  });
  test("has its results in pages that fit a message, whatever they say", () => {
    for (const why of [undefined, "x".repeat(100_000), "\u0001".repeat(4_096), "€".repeat(5_000)]) {
      const so_far = { results: results(1_500, why), places: 1, only: null };
      const seen: number[] = [];
      for (let from = 0; from < 1_500;) {
        const page = pageOf(so_far, from);
        expect(Buffer.byteLength(JSON.stringify(page))).toBeLessThan(RESULTS_PAGE + 100);
        seen.push(...page.results.map(([index]) => index));
        from = endOfPage(page);
      }
      expect(seen).toEqual(so_far.results.map(([index]) => index));
    }
  });
});
