// Upkeep: history is pruned in pieces, with a pause between two of them, and no more after a stop.

import { afterEach, expect, jest, test } from "bun:test";
import { DAY_MS } from "../../src/core/units";
import { startUpkeep } from "../../src/server/upkeep";
import { makeStage } from "./stage";

afterEach(() => {
  jest.useRealTimers();
});

test("a long history is pruned piece by piece, with a pause between two of them, until a stop", async () => {
  const stage = await makeStage();
  const { history, commit } = stage.api.store;
  await commit("test", (draft) => {
    for (let n = 0; n < 1_600; n++) draft.event({ verb: "noise", object: "x", project: null, detail: "" });
  });
  stage.clock += 91 * DAY_MS;
  const left = (): number => history.events({ limit: 10_000 }).length;
  const before = left();
  const failures: unknown[] = [];
  jest.useFakeTimers();
  const stop = startUpkeep(stage.api, (error) => failures.push(error));
  const seen: number[] = [];
  for (const wait_ms of [59_999, 1, 49, 1, 50]) {
    jest.advanceTimersByTime(wait_ms);
    // Whatever does not wait for the clock has its turn.
    await new Promise((resolve) => setImmediate(resolve));
    seen.push(before - left());
  }
  stop();
  jest.advanceTimersByTime(60_000);
  seen.push(before - left());
  expect(seen).toEqual([0, 500, 500, 1_000, 1_500, 1_500]);
  expect(failures).toEqual([]);
  jest.useRealTimers();
  await stage.close();
});
