// A run that is cancelled ends as what it came to: an end from before the cancel counts, whenever its node reports it.

import { expect, test } from "bun:test";
import { withCancel } from "../../../src/core/model/new-run";
import { plan } from "../../../src/core/plan/plan";
import {
  buildEnd,
  buildNode,
  buildRun,
  buildSlot,
  buildSnapshot,
  buildState,
  buildTask,
  NOW_MS,
} from "../../support/build";

const CANCELLED_MS = NOW_MS - 10_000;
const waiting = buildRun(1, "s", {
  state: "running",
  reason: "waits for node n3, which is silent: orch node forget n3",
});
const run = withCancel(waiting, "alice", CANCELLED_MS);
const task = buildTask(run, "n1");

/** The run after its newest attempt has ended at a time. */
function ended(at_ms: number, retries = 0) {
  const row = { ...run, settings: { ...run.settings, retries } };
  const slot = buildSlot(task, { failed: 1, ends: [buildEnd(task, { exit_code: 8, at_ms })] });
  const { ops } = plan(buildSnapshot(buildState({ nodes: [buildNode("n1")], runs: [row], slots: [slot] })));
  return ops.find((op) => op.op === "run")?.run;
}

test("a run that failed before it was cancelled has failed, with its code and the time of its end", () => {
  expect(ended(CANCELLED_MS - 20_000)).toMatchObject({
    state: "failed",
    exit_code: 8,
    reason: null,
    finished_ms: CANCELLED_MS - 20_000,
  });
});
test("a run that would have been tried again, or ended by the cancel, is cancelled, and waits no more", () => {
  for (const given of [ended(CANCELLED_MS - 20_000, 3), ended(CANCELLED_MS + 1)])
    expect(given).toMatchObject({ state: "cancelled", reason: "cancelled by alice", exit_code: null });
});
