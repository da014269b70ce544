// A run that is queued again whenever its node falls silent may be what takes the nodes down: it does not get them all.

import { expect, test } from "bun:test";
import { withChanges } from "../../../src/core/plan/changes";
import { DEFAULT_LIMITS } from "../../../src/core/pass/limits";
import type { State } from "../../../src/core/model/rows-state";
import { plan } from "../../../src/core/plan/plan";
import { SECOND_MS } from "../../../src/core/units";
import { buildNode, buildRun, buildSnapshot, buildState, NOW_MS } from "../../support/build";

const SILENT_MS = DEFAULT_LIMITS.requeue_after_ms + SECOND_MS;

/** Plans until nothing changes, with these nodes silent for longer than any patience. */
function settle(state: State, silent: readonly string[], seed: string): State {
  const silent_ms = Object.fromEntries(silent.map((id) => [id, SILENT_MS]));
  for (let pass = 0; ; pass++) {
    const { changes } = plan(buildSnapshot(state, { silent_ms, now_ms: NOW_MS + pass, seed: `${seed}${pass}` }));
    if (changes.length === 0) return state;
    state = withChanges(state, changes);
  }
}

test("a run that took three nodes down fails, and says so", () => {
  const names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
  const settings = { on_node_loss: "requeue" as const, retries: 9 };
  let state = buildState({
    nodes: names.map((name) => buildNode(name)),
    runs: [buildRun(1, "s", { settings })],
  });
  const down: string[] = [];
  for (let round = 0; round < 5; round++) {
    state = settle(state, down, `${round}`.padStart(16, "0"));
    const living = [...state.tasks.values()].find(
      ({ written_off, desired }) => written_off === null && desired === "run",
    );
    if (living !== undefined && !down.includes(living.node_id)) down.push(living.node_id);
  }
  expect(down.length).toBe(DEFAULT_LIMITS.loss_limit);
  const [run] = state.runs.values();
  expect(run).toMatchObject({
    state: "failed",
    reason: expect.stringMatching(/^lost 3 times, last: . has been silent/),
  });
  // What may still live somewhere is told to stop once it is heard of, and holds its place until then.
  expect([...state.tasks.values()].map(({ desired }) => desired)).toEqual(["stop", "stop", "stop"]);
});
