// What an agent reports of its tasks: what has changed since the last report, and nothing is made anew of what has not.

import { expect, test } from "bun:test";
import { createReports, type Situation } from "../../../src/agent/loop/reports";
import { endWithoutResult } from "../../../src/core/agent/ending";
import type { Seen, TaskRecord } from "../../../src/core/model/record";
import { assignmentFor, recordFor } from "../../support/tasks";

const alive = (pid: number): Seen => ({
  claimed: true,
  process: { is: "alive", handle: { pid }, started_ms: 5 },
});

test("only what has changed is told, and what has not is looked at no more closely", () => {
  const [running, over] = [recordFor(assignmentFor("true")), recordFor(assignmentFor("true"))];
  const [uid, over_uid] = [running.assignment.uid, over.assignment.uid];
  const records = new Map<string, TaskRecord>([
    [uid, running],
    [over_uid, { ...over, end: endWithoutResult("stopped", null, "why", 1) }],
  ]);
  let tails = 0;
  const reports = createReports(records, { tail: () => (tails++, null) }, { batch: () => null });
  const seen = new Map([[uid, alive(7)]]);
  const told = (now_ms: number): unknown[] => {
    const rest: Omit<Situation, "now_ms" | "seen"> = {
      reserved: new Set(),
      lacking: new Map(),
      blocked: new Map(),
      fetching: new Map(),
    };
    return reports.changed({ now_ms, seen, ...rest }, new Set()).map(({ reported }) => reported.state);
  };
  expect(told(10)).toEqual(["running", "stopped"]);
  expect([told(11), told(70_000)]).toEqual([[], []]);
  expect(tails).toBe(1);
  seen.set(uid, alive(8));
  expect(told(12)).toEqual(["running"]);
  records.set(uid, {
    ...running,
    stop: { at_ms: 12, by: "server", why: "x", signal: "TERM", grace_ms: 1 },
  } as TaskRecord);
  expect(told(13)).toEqual(["stopping"]);
  reports.newTimeline();
  expect(told(14)).toEqual(["stopping", "stopped"]);
});
