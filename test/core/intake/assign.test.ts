// What an agent is told of its tasks: a stop names the revision at which its task was assigned.

import { expect, test } from "bun:test";
import { verbsFor } from "../../../src/core/intake/assign";
import { DEFAULT_LIMITS } from "../../../src/core/pass/limits";
import { buildNode, buildSpec, buildState, buildTask, buildWorkload, NOW_MS } from "../../support/build";

test("a stop says at which revision its task was assigned", () => {
  const node = buildNode("a");
  const api = buildWorkload("recs", "api", "s");
  const stop = { why: "drained", signal: "TERM", grace_ms: 1_000, at_ms: NOW_MS };
  const task = buildTask(api, "a", { desired: "stop", stop, assigned_revision: 7 });
  const verbs = verbsFor(buildState({ nodes: [node], workloads: [api], tasks: [task] }), node, {
    spec: () => buildSpec(),
    limits: DEFAULT_LIMITS,
    server: { uid: 0, boot_id: "b" },
    sign: () => "",
    tasks: [task],
    told: new Map(),
  });
  expect(verbs).toMatchObject([{ verb: "stop", uid: task.uid, assigned_revision: 7 }]);
});
