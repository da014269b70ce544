// How long runs take, as the server learns it from their ends.

import { expect, test } from "bun:test";
import { tookKey } from "../../../src/core/model/heirs";
import type { Change } from "../../../src/core/model/rows-state";
import type { TaskRow } from "../../../src/core/model/rows-task";
import { createTook } from "../../../src/server/facts/took";
import { buildFinal, buildRun, buildTask, buildWorkload, NOW_MS } from "../../support/build";

const run = buildTask(buildRun(1, "s", { name: "true" }), "box");

const ended = (task: TaskRow, ran_ms: number | null): Change => {
  const started_ms = ran_ms === null ? null : NOW_MS - ran_ms;
  const row = { ...task, observed: buildFinal({ state: "succeeded", started_ms, finished_ms: NOW_MS }) };
  return { table: "ended_tasks", key: task.uid, row };
};

test("the mean follows the last ends of a person's runs of one name, and nothing else counts", () => {
  const took = createTook();
  const other = buildTask(buildRun(2, "s", { name: "true", user: "bob" }), "box");
  const service = buildTask(buildWorkload("web", "api", "s"), "box");
  took.take([ended(run, null), ended(service, 5), { table: "tasks", key: run.uid, row: run }]);
  expect(took.facts().size).toBe(0);
  took.take([ended(run, 100), ended(other, 7_000)]);
  expect([...took.facts()]).toEqual([
    [tookKey(run), 100],
    [tookKey(other), 7_000],
  ]);
  took.take([ended(run, 900)]);
  expect(took.facts().get(tookKey(run))).toBe(200);
  for (let n = 0; n < 40; n++) took.take([ended(run, 900)]);
  expect(took.facts().get(tookKey(run))).toBeCloseTo(900, -1);
});
