// A dry run beside the rest of the server: what it plans with may be removed between two of its passes.

import { afterEach, beforeEach, expect, test } from "bun:test";
import type { WorkloadRow } from "../../../src/core/model/rows-work";
import { dryRun } from "../../../src/server/work/dry";
import { RefusedError } from "../../../src/server/refused";
import { heardNode } from "../hand-agent";
import { makeStage, type Stage } from "../stage";

let stage: Stage;
beforeEach(async () => {
  stage = await makeStage();
});
afterEach(async () => stage.close());

const NOTHING = {
  ended_age_ms: -1,
  ended_tasks: 0,
  ended_runs: 0,
  events_age_ms: -1,
  events: 0,
  node_tests: 0,
  versions: 0,
};

test("it is refused, and does not fail, when a spec that it plans with was removed meanwhile", async () => {
  await heardNode(stage, "box1");
  const text = "app: old\nservices:\n  api: { run: x, replicas: 0 }\n";
  const body = { text, file: "f", revision: null };
  expect((await stage.call("PUT", "/v1/apps/lab/old", { as: "alice", body })).status).toBe(200);
  await stage.planned();
  const { store } = stage.api;
  const [workload] = store.state.workloads.values();
  if (workload === undefined) throw new Error("no workload");
  // The copy is made at once, and this happens when the dry run gives way.
  const removed = store
    .commit("test", (draft) => draft.put([{ table: "workloads", key: workload.uid, row: null }]))
    .then(() => store.prune(store.now(), NOTHING));
  const more: WorkloadRow = { ...workload, settings: { ...workload.settings, replicas: 2 } };
  const dry = dryRun(stage.api, "alice", (draft) =>
    draft.put([{ table: "workloads", key: workload.uid, row: more }]),
  ).catch((error: unknown) => error);
  await removed;
  expect(store.hasSpec(workload.spec_hash)).toBe(false);
  const refusal = await dry;
  expect(refusal).toBeInstanceOf(RefusedError);
  expect(refusal).toMatchObject({ code: "changed_meanwhile", hint: "Ask again" });
});
