// What ends because a person said so, on a node that does not tell it itself: orphans, and the tasks of a node that is
// forgotten.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { withoutRecord } from "../../../src/core/agent/report";
import { waitUntil } from "../../support/wait";
import { joinWithKey, Recorder } from "../recorder";
import { makeStage, type Stage } from "../stage";

let stage: Stage;
let agent: Recorder;
beforeEach(async () => {
  stage = await makeStage();
  agent = Recorder.dial(stage, await joinWithKey(stage, "box1"));
});
afterEach(async () => stage.close());

interface Event {
  readonly actor: string;
  readonly verb: string;
  readonly object: string;
  readonly detail: string;
}

const events = async (): Promise<string[]> =>
  ((await stage.call("GET", "/v1/events", { as: "olga" })).body["events"] as Event[]).map(
    ({ actor, verb, object, detail }) => `${actor}: ${verb} ${object}: ${detail}`,
  );

test.each(["web.main.0#2", "a-run-of-before"])("the end of an orphan that was called %s has its name", async (name) => {
  const uid = "f".repeat(32);
  await agent.hello("a");
  agent.say({ type: "inventory", entries: [], unreadable: [{ uid, name, pid: 7, held: null }], last: true });
  await agent.expect("welcome");
  await agent.pass();
  const { status } = await stage.call("POST", `/v1/nodes/box1/orphans/${uid}/stop`, { as: "olga" });
  expect(status).toBe(200);
  expect((await agent.expect("changes")).changes).toMatchObject([{ verb: "stop", uid }]);
  expect([...stage.api.store.state.tasks.values()]).toMatchObject([{ uid, kind: "job", app: null, run: null }]);
  agent.say({ type: "report", seq: 1, entries: [withoutRecord(uid, "an orphan, stopped by olga", "over")] });
  await waitUntil("its end", () => stage.api.store.state.tasks.size === 0);
  expect((await events())[0]).toStartWith(`node box1: unknown ${name}: `);
});

test("an orphan that had to be taken back only if it has not begun is stopped in any case", async () => {
  await agent.live("a");
  await agent.pass();
  const job = { name: "long", project: null, job: { run: "sleep 100" }, wait_for_nodes: true };
  await stage.call("POST", "/v1/runs", { as: "alice", body: job });
  await waitUntil("the task", () => stage.api.store.state.tasks.size === 1);
  const back = { why: "its turn has not come", signal: "TERM", grace_ms: 1, at_ms: 1, unbegun: true };
  await stage.api.store.commit("test", (draft) => {
    for (const row of draft.state.tasks.values())
      draft.put([{ table: "tasks", key: row.uid, row: { ...row, desired: "stop", stop: back } }]);
    for (const row of draft.state.nodes.values()) {
      const orphans = [...draft.state.tasks.keys()].map((uid) => ({ uid, name: "long", pid: 7, held: null }));
      draft.put([{ table: "nodes", key: row.id, row: { ...row, orphans } }]);
    }
  });
  const uid = [...stage.api.store.state.tasks.keys()][0]!;
  await stage.call("POST", `/v1/nodes/box1/orphans/${uid}/stop`, { as: "olga" });
  const why = "an orphan, stopped by olga";
  expect(stage.api.store.state.tasks.get(uid)!.stop).toMatchObject({ why, grace_ms: 10_000 });
});

test("of a node that a person says is off, the tasks are lost by that person's word", async () => {
  await agent.live("a");
  await agent.pass();
  const job = { name: "long", project: null, job: { run: "sleep 100" }, wait_for_nodes: true };
  await stage.call("POST", "/v1/runs", { as: "alice", body: job });
  await waitUntil("the task", () => stage.api.store.state.tasks.size === 1);
  const body = { fenced: true, revoke: true };
  expect((await stage.call("POST", "/v1/nodes/box1/forget", { as: "olga", body })).status).toBe(200);
  const said = await events();
  expect(said).toContainEqual("olga: lost 1: its node was forgotten, said to be off");
  expect(said).toContainEqual("olga: forgotten box1: said to be off; 1 task is lost");
});
