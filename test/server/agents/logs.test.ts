// What an agent is asked of its logs: of lines and times only if it says that it finds them.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { NO_LAWS } from "../../support/moment";
import { waitUntil } from "../../support/wait";
import { handAgent } from "../hand-agent";
import { makeStage, type Stage } from "../stage";

let stage: Stage;
beforeEach(async () => {
  stage = await makeStage();
});
afterEach(async () => stage.close());

test("an agent of an earlier release is never asked for lines or times, and who asks is told", async () => {
  const agent = await handAgent(stage, "n1");
  const job = { run: "true" };
  await stage.call("POST", "/v1/runs", { as: "alice", body: { name: "once", project: null, job } });
  await waitUntil("the run to be placed", () => stage.api.store.state.tasks.size === 1);
  for (const query of ["tail=1", "times=true"]) {
    expect(await stage.call("GET", `/v1/tasks/1/logs?${query}`, { as: "alice" })).toMatchObject({
      status: 409,
      body: { error: { message: expect.stringContaining("the agent of n1 is of an earlier release") as unknown } },
    });
  }
  void stage.call("GET", "/v1/tasks/1/logs", { as: "alice" });
  const { what, stream } = await agent.told("open");
  expect(what).toEqual({
    kind: "log",
    uid: expect.any(String) as unknown as string,
    name: "stdout",
    offset: 0,
    follow: false,
    since_age_ms: null,
  });
  agent.say({ type: "end", stream, error: null });
});

test("what its node only holds back has no output, and says why, by a name and by an id", async () => {
  await stage.close();
  // What its agent would report is written here.
  stage = await makeStage({ laws: NO_LAWS });
  await handAgent(stage, "n1");
  const job = { run: "true" };
  await stage.call("POST", "/v1/runs", { as: "alice", body: { name: "once", project: null, job } });
  await waitUntil("the run to be placed", () => stage.api.store.state.tasks.size === 1);
  const [task] = stage.api.store.state.tasks.values();
  await stage.api.store.commit("test", (draft) => {
    const observed = { state: "preparing", prepared: false, reason: "waits for its restart back-off" } as const;
    draft.put([{ table: "tasks", key: task!.uid, row: { ...task!, observed } }]);
  });
  for (const ref of ["1", task!.uid]) {
    expect(await stage.call("GET", `/v1/tasks/${ref}/logs`, { as: "alice" })).toMatchObject({
      status: 409,
      body: { error: { message: expect.stringContaining("has no output yet: waits for its restart") as unknown } },
    });
  }
});
