// A server over a restored copy: it takes in what its nodes have, and tells none of them to begin or to stop anything
// until it has decided on the whole. An older copy may want what was given up and replaced after it was made.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { sealText } from "../../../src/core/intake/seal";
import type { TaskReport } from "../../../src/core/model/record";
import type { TaskRow } from "../../../src/core/model/rows-task";
import type { ToAgent } from "../../../src/wire/agent";
import { reportOf } from "../../support/reports";
import { waitUntil } from "../../support/wait";
import { joinWithKey, Recorder, type Known } from "../recorder";
import { makeStage, type Stage } from "../stage";

let stage: Stage;
let known: Known[];
beforeEach(async () => {
  stage = await makeStage();
  known = [];
  for (const name of ["n1", "n2"]) known.push(await joinWithKey(stage, name));
});
afterEach(async () => stage.close());

const live = (): TaskRow[] => [...stage.api.store.state.tasks.values()];
const verbs = (heard: readonly ToAgent[]): string[] =>
  heard.flatMap((one) => (one.type === "changes" ? one.changes.map(({ verb }) => verb) : []));

const SPEC = `
app: web
services:
  api: { run: sleep 100, exclusive: true, stop: { grace: 5s } }
`;

/** A copy in which the service was just placed on one of two nodes, whose agent has not heard of it. */
async function restored(): Promise<{ task: TaskRow; here: Known; there: Known }> {
  const agents = known.map((one) => Recorder.dial(stage, one));
  for (const agent of agents) {
    await agent.live("a");
    await agent.pass();
  }
  const body = { text: SPEC, file: "web.yaml", revision: null };
  const { status } = await stage.call("PUT", "/v1/apps/lab/web", { as: "alice", body });
  expect(status).toBe(200);
  const task = await waitUntil("a task", () => live()[0]);
  await stage.api.store.commit("test", (draft) => {
    const nodes = [...draft.state.nodes.keys()];
    draft.put([{ table: "cluster", key: "cluster", row: { ...draft.state.cluster, recovering: nodes } }]);
  });
  await stage.planned();
  const [here, there] = [...known].sort((one) => (one.credential.node_id === task.node_id ? -1 : 1));
  return { task, here: here as Known, there: there as Known };
}

/** The attempt that was placed on the other node after the copy was made. */
function replacement(task: TaskRow, { credential: { node_id } }: Known, part: Partial<TaskRow> = {}): TaskReport {
  const { store, identity } = stage.api;
  const { cluster_id } = store.state.cluster;
  const numbers = { attempt: task.attempt + 1, grant_until: task.grant_until + 1 };
  const next = { ...task, ...part, ...numbers, uid: "b".repeat(32), node_id };
  const signature = identity.sign(sealText(cluster_id, node_id, next, next));
  return {
    ...reportOf(next, { state: "running", pid: 7, started_age_ms: 1 }),
    seal: { uid: next.uid, attempt: next.attempt, signature },
  };
}

/** Connects the agent, which has followed the history that the copy lacks. */
async function comes(who: Known, entries: readonly TaskReport[] = []): Promise<Recorder> {
  const agent = Recorder.dial(stage, who);
  await agent.hello("a", { applied: { timeline: "before", revision: 1_000, since: 0 } });
  agent.say({ type: "inventory", entries: [...entries], unreadable: [], last: true });
  await agent.expect("welcome");
  return agent;
}

test("the node of a placed attempt is told of it once all nodes were heard", async () => {
  const { task, here, there } = await restored();
  const first = await comes(here);
  expect(verbs(await first.rest())).toEqual([]);
  await comes(there);
  expect((await first.expect("changes")).changes).toMatchObject([{ verb: "assign", task: { uid: task.uid } }]);
});

test.each(["first", "last"])("an attempt that was replaced never begins, if its node is heard %s", async (when) => {
  const { task, here, there } = await restored();
  const runs = replacement(task, there);
  const early = when === "first" ? await comes(here) : await comes(there, [runs]);
  const late = when === "first" ? await comes(there, [runs]) : await comes(here);
  expect(verbs(await (when === "first" ? early : late).rest())).toEqual(["stop"]);
  expect(live().map(({ uid, desired }) => [uid === runs.uid, desired])).toContainEqual([true, "run"]);
});

test("an attempt of a version from after the copy was made is explained without its spec", async () => {
  const { task, here, there } = await restored();
  await comes(here);
  const newer = replacement(task, there, { version: 2, spec_hash: "f".repeat(64), user: "bob", project: "other" });
  await comes(there, [newer]);
  const adopted = await waitUntil("the attempt", () => stage.api.store.state.tasks.get(newer.uid));
  expect(adopted).toMatchObject({ version: 2, user: task.user, project: task.project });
  const { status, body } = await stage.call("GET", `/v1/explain/${newer.uid}`, { as: "alice" });
  expect([status, (body["placed"] as { scores: unknown }).scores]).toEqual([200, []]);
});
