// What an agent is told of its tasks: a stop names the revision at which its task was assigned, and what was given up
// is not started any more.

import { expect, test } from "bun:test";
import type { TaskRow } from "../../../src/core/model/rows-task";
import { verbsFor } from "../../../src/core/intake/assign";
import { DEFAULT_LIMITS } from "../../../src/core/pass/limits";
import { buildNode, buildSpec, buildState, buildTask, buildWorkload, NOW_MS } from "../../support/build";

const node = buildNode("a");
const api = buildWorkload("recs", "api", "s");
const stop = { why: "drained", signal: "TERM", grace_ms: 1_000, at_ms: NOW_MS };

const verbsOf = (task: TaskRow) =>
  verbsFor(buildState({ nodes: [node], workloads: [api], tasks: [task] }), node, {
    spec: () => buildSpec(),
    limits: DEFAULT_LIMITS,
    server: { uid: 0, boot_id: "b" },
    sign: () => "",
    tasks: [task],
    told: new Map(),
  });

test("a stop says at which revision its task was assigned", () => {
  const task = buildTask(api, "a", { desired: "stop", stop, assigned_revision: 7 });
  expect(verbsOf(task)).toMatchObject([{ verb: "stop", uid: task.uid, assigned_revision: 7 }]);
});

test("an attempt that was given up is not started, and is stopped once that is decided", () => {
  const written_off = { at_ms: NOW_MS, why: "its node was silent" };
  const assigned = { boot_id: node.boot_id, observed: { state: "assigned" } } as const;
  expect(verbsOf(buildTask(api, "a", assigned))).toMatchObject([{ verb: "assign" }]);
  expect(verbsOf(buildTask(api, "a", { ...assigned, written_off }))).toEqual([]);
  expect(verbsOf(buildTask(api, "a", { ...assigned, written_off, desired: "stop", stop }))).toMatchObject([
    { verb: "stop" },
  ]);
});
