// A pass writes no more than the database takes at once, and the next passes do the rest.

import { expect, test } from "bun:test";
import type { State } from "../../../src/core/model/rows-state";
import { HOUSE_LIMITS } from "../../../src/core/limits";
import { withChanges } from "../../../src/core/plan/changes";
import { plan } from "../../../src/core/plan/plan";
import { buildNode, buildRun, buildSnapshot, buildState, buildTask, buildWorkload, NOW_MS } from "../../support/build";

/** Plans until there is nothing to do. Returns the size of each pass, and the state that is left. */
function passes(first: State): { readonly sizes: readonly number[]; readonly state: State } {
  const sizes: number[] = [];
  let state = first;
  for (let n = 0; n < 50; n++) {
    const planned = plan(buildSnapshot(state));
    if (planned.ops.length === 0) return { sizes, state };
    sizes.push(JSON.stringify(planned.changes).length);
    state = withChanges(state, planned.changes);
  }
  throw new Error("the passes do not end");
}

const MOST = 1.5 * HOUSE_LIMITS.pass_chars;

test("runs with long lists of what they wait for are resolved a few a pass", () => {
  const first = buildRun(1, "s", { state: "cancelled", finished_ms: NOW_MS });
  const after = Array.from(
    { length: 9_000 },
    () => ({ name: "1", uid: first.uid, when: "succeeded", met: null }) as const,
  );
  const waiting = Array.from({ length: 16 }, (_, n) => buildRun(n + 2, "s", { state: "waiting", after }));
  const { sizes, state } = passes(buildState({ cluster: { next_run: 20 }, runs: [first, ...waiting] }));
  expect(sizes.length).toBeGreaterThan(2);
  expect(Math.max(...sizes)).toBeLessThan(2 * MOST);
  expect(state.runs.size).toBe(0);
});

test("20,000 tasks that have to stop are told so over some passes, and nothing of their app goes before", () => {
  const web = buildWorkload("web", "api", "s", { removing: true, settings: { replicas: 20_000 } });
  const node = buildNode("n1", { ordinal: 1 });
  const tasks = Array.from({ length: 20_000 }, (_, slot) => buildTask(web, "n1", { slot }));
  const { sizes, state } = passes(buildState({ cluster: { next_ordinal: 2 }, nodes: [node], workloads: [web], tasks }));
  expect(sizes.length).toBeGreaterThan(2);
  expect(Math.max(...sizes)).toBeLessThan(2 * MOST);
  expect([...state.tasks.values()].every(({ desired }) => desired === "stop")).toBe(true);
  expect(state.workloads.size).toBe(1);
});
