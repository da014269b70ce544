// Scaling in a running server: which replicas go, what is said of them, and what of it stays.

import { afterEach, beforeEach, expect, test } from "bun:test";
import type { WorkloadRow } from "../../../src/core/model/rows-work";
import type { TaskRow } from "../../../src/core/model/rows-task";
import { failedReport, reportOf } from "../../support/reports";
import { waitUntil } from "../../support/wait";
import { handAgent, type HandAgent } from "../hand-agent";
import { makeStage, type Answer, type Stage } from "../stage";

let stage: Stage;
let agent: HandAgent;
beforeEach(async () => {
  stage = await makeStage();
  agent = await handAgent(stage, "box1");
});
afterEach(async () => stage.close());

const spec = (replicas: number, more = "", run = "sleep 9"): string =>
  `app: shop\nservices:\n  web: { run: ${run}, user: alice, resources: { cpu: 10m }, replicas: ${replicas}${more} }\n`;
const put = async (text: string): Promise<Answer> => {
  const answer = await stage.call("PUT", "/v1/apps/lab/shop", { as: "admin", body: { text, file: "f" } });
  expect(answer.body.error).toBeUndefined();
  await stage.planned();
  return answer;
};
const scale = async (replicas: number): Promise<Answer> => {
  const path = "/v1/workloads/lab/shop/web/scale";
  const answer = await stage.call("POST", path, { as: "admin", body: { replicas } });
  expect(answer.body.error).toBeUndefined();
  await stage.planned();
  return answer;
};
const web = (): WorkloadRow => stage.api.store.state.workloads.values().next().value as WorkloadRow;
const tasks = (): TaskRow[] =>
  stage.api.store.state.tasks
    .values()
    .toArray()
    .sort((a, b) => a.slot - b.slot);
const wanted = (): number[] => tasks().flatMap(({ desired, slot }) => (desired === "run" ? [slot] : []));
const goes = ({ body }: Answer): string[] =>
  (body["goes"] as { name: string; why: string; detail: string }[]).map(
    ({ name, why, detail }) => `${name} ${why}: ${detail}`,
  );
/** Lets these slots run for long, and the others not yet. */
async function runs(...slots: number[]): Promise<void> {
  const rows = tasks().filter(({ slot, observed }) => slots.includes(slot) && observed.state === "assigned");
  agent.report(rows.map((row) => reportOf(row, { state: "running", pid: 7, started_age_ms: 600_000 })));
  await waitUntil("the reports", () =>
    rows.every(({ uid }) => stage.api.store.state.tasks.get(uid)?.observed.state === "running"),
  );
  await stage.planned();
}

test("takes the replicas that serve least, says which and why, and gives their numbers back first", async () => {
  await put(spec(4));
  await runs(1, 2);
  expect(goes(await scale(3))).toEqual(["shop.web.3 unsettled: it does not run yet"]);
  expect(goes(await scale(2))).toEqual(["shop.web.0 unsettled: it does not run yet"]);
  expect([wanted(), web().without]).toEqual([[1, 2], [0]]);
  const event = stage.api.store.history.events({ limit: 50 }).find(({ verb }) => verb === "scaled");
  expect(event?.detail).toBe("to 2: 0 goes (unsettled)");
  expect(goes(await scale(2))).toEqual([]);
  const pending = await stage.call("GET", "/v1/tasks?pending=true", { as: "admin" });
  expect(pending.body["tasks"]).toEqual([]);
  expect(goes(await scale(3))).toEqual([]);
  expect([web().without, web().settings.replicas]).toEqual([null, 3]);
});

test("applied again with the same replicas, changes nothing; a new version keeps the numbers", async () => {
  await put(spec(3));
  await runs(1, 2);
  const text = spec(2);
  const shown = await stage.call("POST", "/v1/plan", { as: "alice", body: { text, file: "f" } });
  expect(goes(shown)).toEqual(["shop.web.0 unsettled: it does not run yet"]);
  expect(goes(await put(text))).toEqual(["shop.web.0 unsettled: it does not run yet"]);
  const before = { row: web(), revision: (await put(text)).body["revision"] };
  expect((await put(text)).body["revision"]).toBe(before.revision);
  expect(web()).toEqual(before.row);
  await put(spec(2, "", "sleep 10"));
  expect(web()).toMatchObject({ version: 2, without: [0] });
});

test("an exclusive service keeps 0 to N - 1", async () => {
  await put(spec(3, ", exclusive: true"));
  await runs(1, 2);
  expect(goes(await scale(2))).toEqual(["shop.web.2 highest: it has the highest number"]);
  expect([wanted(), web().without]).toEqual([[0, 1], null]);
});

test("names of replicas are those that there are, and a slot that came back waits since then", async () => {
  await put(spec(3));
  await runs(0, 2);
  await scale(2);
  const missing = await stage.call("GET", "/v1/names/shop.web.5", { as: "alice" });
  expect(missing.body.error?.message).toBe("there is no shop.web.5: it has 2, 0 and 2");
  await stage.call("POST", "/v1/nodes/box1/drain", { body: { deadline_ms: null, reason: null } });
  stage.clock += 5_000;
  await scale(4);
  const waits = await stage.call("GET", "/v1/tasks?pending=true", { as: "admin" });
  const views = waits.body["tasks"] as { name: string; created_ms: number }[];
  expect(views.filter(({ name }) => /web\.[13]/.test(name)).map(({ created_ms }) => created_ms)).toEqual([
    stage.clock,
    stage.clock,
  ]);
  expect(web().wanted).toEqual([
    { from: 0, since_ms: stage.clock - 5_000 },
    { from: 1, since_ms: stage.clock },
    { from: 2, since_ms: stage.clock - 5_000 },
    { from: 3, since_ms: stage.clock },
  ]);
});

test("to 0 gives no reason of each, and a service without replicas is explained as that", async () => {
  await put(spec(1));
  await runs(0);
  expect(goes(await scale(0))).toEqual(["shop.web.0 highest: none is wanted"]);
  const text = "app: idle\nservices:\n  cold: { run: sleep 9, user: alice, replicas: 0 }\n";
  await stage.call("PUT", "/v1/apps/lab/idle", { as: "admin", body: { text, file: "f" } });
  const { body } = await stage.call("GET", "/v1/explain/lab%2Fidle.cold", { as: "admin" });
  expect(body.error?.message).toBe("lab/idle.cold is to have 0 replicas: orch scale lab/idle.cold=1");
});

test("to 0 and back begins without the crashes from before, as a container that is scaled does elsewhere", async () => {
  await put(spec(2, ", restart: { attempts: 0, offline: false }"));
  await runs(0, 1);
  const crashing = tasks()[0] as TaskRow;
  agent.report([failedReport(crashing)]);
  await waitUntil("its end", () => !stage.api.store.state.tasks.has(crashing.uid));
  await stage.planned();
  const [waiting] = stage.api.loop.blocked();
  expect([waiting?.name, waiting?.stuck, waiting?.summary]).toEqual([
    "shop.web.0",
    true,
    "crashed 1×, last exit code 3; starts again with orch restart, a new version, or more restart.attempts",
  ]);
  await scale(1);
  expect(wanted()).toEqual([1]);
  await scale(2);
  expect(wanted()).toEqual([0, 1]);
});

test("more restart.attempts start what has crashed too often", async () => {
  await put(spec(1, ", restart: { attempts: 0, offline: false }"));
  await runs(0);
  const crashing = tasks()[0] as TaskRow;
  agent.report([failedReport(crashing)]);
  await waitUntil("its end", () => !stage.api.store.state.tasks.has(crashing.uid));
  await stage.planned();
  expect(wanted()).toEqual([]);
  await put(spec(1, ", restart: { attempts: 3, offline: false }"));
  expect(wanted()).toEqual([0]);
});
