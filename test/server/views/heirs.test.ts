// What people see of heirs: that they wait, where and after whom, and that their node's room is taken once.

import { expect, test } from "bun:test";
import { DEFAULT_LIMITS } from "../../../src/core/pass/limits";
import type { TaskRow } from "../../../src/core/model/rows-task";
import { nodeView } from "../../../src/server/views/node";
import { reasonOf, taskView } from "../../../src/server/views/task";
import { runReason, shownRunState, waitsIn } from "../../../src/server/views/waits";
import { buildNode, buildRun, buildSpec, buildState, buildTask } from "../../support/build";

const [one, two] = [1, 2].map((n) => buildRun(n, "s", { name: "true", state: "running", started_ms: 1 }));
const promised = { cpu_milli: 1_000, memory_bytes: 1 };
const first = buildTask(one!, "box", { promised });
const heir = buildTask(two!, "box", { promised, observed: { state: "assigned" }, heir_of: [first.uid] });
const node = buildNode("box");

function shown(tasks: readonly TaskRow[]) {
  const state = buildState({ nodes: [node], runs: [one!, two!], tasks });
  const spec = () => buildSpec();
  const look = { state, now_ms: 9, limits: DEFAULT_LIMITS, wording: (said: string | null) => said };
  const waits = waitsIn({ ...look, blocked: [], queue: [], spec });
  const { state: is, reason } = taskView(heir, look as never);
  const { reserved } = nodeView(node, tasks, { last_seen_ms: 0, clock_skew_ms: null } as never, "admin", {
    hasSpec: () => true,
    spec,
  });
  const run = [shownRunState(two!, waits), runReason(two!, waits, 0, (task) => reasonOf(task, look))];
  return { task: [is, reason], run, cpu_milli: reserved.cpu_milli };
}

test("a run that is next on a node waits there, and its room is counted once", () => {
  const next = "next on box after true (run 1)";
  expect(shown([first, heir])).toEqual({ task: ["pending", next], run: ["queued", next], cpu_milli: 1_000 });
  expect(shown([heir])).toEqual({ task: ["assigned", null], run: ["running", null], cpu_milli: 1_000 });
});
