// A job of an app that is over says how it ended by its name: attempts, exit code, and how long it ran.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { style } from "../../../src/cli/print/color";
import { workloadLines } from "../../../src/cli/print/workload";
import { workloadDetail } from "../../../src/wire/api/apps";
import { failedReport } from "../../support/reports";
import { waitUntil } from "../../support/wait";
import { handAgent, type HandAgent } from "../hand-agent";
import { NO_LAWS } from "../../support/moment";
import { makeStage, type Stage } from "../stage";

let stage: Stage;
let agent: HandAgent;
beforeEach(async () => {
  stage = await makeStage({ laws: NO_LAWS });
  agent = await handAgent(stage, "box1");
});
afterEach(async () => stage.close());

const fail = async (): Promise<void> => {
  const { tasks } = stage.api.store.state;
  await waitUntil("a task", async () => {
    await stage.planned();
    return tasks.size > 0;
  });
  const task = tasks.values().next().value!;
  const report = failedReport(task);
  const reported = { ...report.reported, started_age_ms: 7_000, finished_age_ms: 0 } as typeof report.reported;
  agent.report([{ ...report, reported }]);
  await waitUntil("its end", () => !tasks.has(task.uid));
};

test("in explain and in show", async () => {
  const text = "app: lab\njobs: { train: { run: x, retries: 1 } }";
  await stage.call("PUT", "/v1/apps/lab/lab", { as: "alice", body: { text, file: "a.yaml", revision: null } });
  await fail();
  await fail();
  await waitUntil("the end of the run", () => stage.api.store.state.runs.size === 0);
  expect((await stage.call("GET", "/v1/explain/lab.train", { as: "alice" })).body).toMatchObject({
    error: { message: "lab.train (run 1) is over: failed: exit 3 (attempt 2, ran 7s)" },
  });
  const { body } = await stage.call("GET", "/v1/workloads/lab/lab/train", { as: "alice" });
  const job = workloadDetail.parse(body);
  expect(job.newest_run).toMatchObject({ run: 1, state: "failed", exit_code: 3 });
  expect(job.tasks.map(({ attempt, exit_code }) => [attempt, exit_code])).toEqual([
    [1, 3],
    [2, 3],
  ]);
  const lines = workloadLines(job, { now_ms: stage.api.store.now(), style: style(false), width: 120 }).join("\n");
  expect(lines).toMatch(/^last run: 1, failed: exit 3; 2 attempts, took \d+s, 0s ago$/m);
  expect(lines).toMatch(/^RUN +ATTEMPT .*TOOK +EXIT/m);
  expect(lines).toMatch(/^ +1 +2 .* failed .* 7s +3 *$/m);
});
