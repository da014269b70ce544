// A node that was taken over stays connected, so it is never off. An operator puts it out all the same: its session
// ends, its key is refused, and its tasks are lost by the operator's word. A mistyped name alone does not do that.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { waitUntil } from "../../support/wait";
import { joinWithKey, Recorder } from "../recorder";
import { makeStage, type Stage } from "../stage";

let stage: Stage;
beforeEach(async () => {
  stage = await makeStage();
});
afterEach(async () => stage.close());

const forget = (body: object) => stage.call("POST", "/v1/nodes/rogue/forget", { as: "olga", body });

test("a connected node with a task is put out, and its key joins no more", async () => {
  const known = await joinWithKey(stage, "rogue");
  const rogue = Recorder.dial(stage, known);
  await rogue.live("1");
  await rogue.pass();
  await stage.call("POST", "/v1/runs", {
    as: "alice",
    body: { name: "long", project: null, job: { run: "sleep 100" }, wait_for_nodes: true },
  });
  await rogue.expect("changes");
  const task = await waitUntil("the task", () => [...stage.api.store.state.tasks.values()][0]);
  const refused = await forget({ fenced: true });
  expect(refused.body.error).toMatchObject({ code: "conflict", hint: expect.stringContaining("--fenced --revoke") });
  expect((await forget({ fenced: true, revoke: true })).status).toBe(200);
  expect(stage.api.store.state.nodes.size).toBe(0);
  expect(stage.api.store.history.task(task.uid)?.observed).toMatchObject({ state: "lost", cause: "node_forgotten" });
  await waitUntil("the session to end", () => rogue.closed !== null);

  const again = Recorder.dial(stage, known);
  await again.hello("2");
  again.say({ type: "inventory", entries: [], unreadable: [], last: true });
  await waitUntil("the refusal", () => again.closed?.reason === "forgotten");
  expect(stage.api.store.state.nodes.size).toBe(0);
  expect(joinWithKey(stage, "rogue")).rejects.toThrow("revoked this key");
});
