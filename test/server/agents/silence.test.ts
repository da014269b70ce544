// A connection on which nothing comes any more is ended by the server as well, on its listening clock.

import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import { serverSilence } from "../../../src/core/limits";
import { SECOND_MS } from "../../../src/core/units";
import { joinWithKey, Recorder } from "../recorder";
import { makeStage, type Stage } from "../stage";

let stage: Stage;
const turns: (() => void)[] = [];
beforeEach(async () => {
  const spy = spyOn(globalThis, "setInterval").mockImplementation(((turn: () => void) => {
    turns.push(turn);
    return { ref: () => undefined, unref: () => undefined };
  }) as unknown as typeof setInterval);
  stage = await makeStage();
  spy.mockRestore();
});
afterEach(async () => {
  turns.length = 0;
  await stage.close();
});

/** Lets the server's own timers see a second pass, so often. */
function pass(seconds: number): void {
  for (let n = 0; n < seconds; n++) {
    stage.clock += SECOND_MS;
    for (const turn of turns) turn();
  }
}

test("a session that is silent is ended, and one that speaks is not", async () => {
  const known = await joinWithKey(stage, "n1");
  const { node_id } = known.credential;
  const agent = Recorder.dial(stage, known);
  await agent.live("a");
  const longest_s = serverSilence(5 * SECOND_MS) / SECOND_MS;
  for (let beats = 0; beats < 5; beats++) {
    pass(longest_s - 1);
    agent.beat(beats);
  }
  expect([agent.closed, stage.api.sessions.isOpen(node_id)]).toEqual([null, true]);
  pass(longest_s + 2);
  expect(agent.closed).toEqual({ code: 4_004, reason: "the agent is silent" });
  expect(stage.api.sessions.isOpen(node_id)).toBe(false);
});
