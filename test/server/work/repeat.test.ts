// A run that has ended is run again, as another run: what it takes with it, and what keeps it from being the same.

import { afterEach, beforeEach, expect, test } from "bun:test";
import type { RunRow } from "../../../src/core/model/rows-work";
import { makeStage, type Answer, type Stage } from "../stage";

let stage: Stage;
beforeEach(async () => {
  stage = await makeStage();
});
afterEach(async () => stage.close());

const make = (job: object, part: object = {}): Promise<Answer> =>
  stage.call("POST", "/v1/runs", {
    as: "alice",
    body: { name: "sum", project: null, job, wait_for_nodes: true, ...part },
  });
const ask = (what: string, run: number | string, as = "alice"): Promise<Answer> =>
  stage.call("POST", `/v1/runs/${run}/${what}`, { as, body: what === "cancel" ? { signal: null } : {} });
const rowOf = (run: number): RunRow | undefined => stage.api.store.state.runs.values().find((one) => one.run === run);
test("one that has ended is made anew as it was, for who asks", async () => {
  await make({ command: ["sum", "1", "2"], resources: { cpu: 2 }, workdir: "/w", labels: { a: "b" }, priority: -3 });
  const refused = await ask("retry", 1);
  const hint = "orch cancel 1 ends it first; orch retry 1 makes another run then";
  expect([refused.status, refused.body["error"]]).toEqual([409, expect.objectContaining({ hint })]);
  await ask("cancel", 1);
  await stage.planned();
  const again = await ask("retry", "sum");
  expect([again.status, again.body["run"], again.body["retry_of"], again.body["state"]]).toEqual([200, 2, 1, "queued"]);
  const [first, second] = [stage.api.store.history.run(1) ?? rowOf(1), rowOf(2)];
  expect(second).toMatchObject({ name: "sum", user: "alice", version: 1, stdin: null });
  expect([second?.spec_hash, second?.settings]).toEqual([first!.spec_hash, first!.settings]);
  expect((await ask("retry", 1, "vera")).status).toBe(403);
});

test("its standard input goes with it, or is said to be gone", async () => {
  const bytes = new TextEncoder().encode("1 2\n");
  const stdin = { sha256: new Bun.CryptoHasher("sha256").update(bytes).digest("hex"), bytes: bytes.length };
  const headers = { "content-type": "application/octet-stream" };
  await stage.call("PUT", `/v1/inputs/${stdin.sha256}?bytes=4&offset=0`, { as: "alice", raw: bytes, headers });
  await make({ run: "wc" }, { stdin });
  await ask("cancel", 1);
  await stage.planned();
  expect((await ask("retry", 1)).body).toMatchObject({ run: 2, retry_of: 1 });
  expect(rowOf(2)?.stdin).toEqual(stdin);
  const other = await ask("retry", 1, "olga");
  expect([other.status, other.body.error?.message]).toEqual([
    409,
    "run 1 cannot run again as it was: the 4B that it read from standard input belongs to alice",
  ]);
});

test("what it came after must still be so", async () => {
  await make({ run: "true" });
  await make({ run: "true", after: ["1"] });
  await ask("cancel", 1);
  await stage.planned();
  await stage.planned();
  const { status, body } = await ask("retry", 2);
  expect([status, body.error?.message]).toEqual([
    409,
    "run 2 cannot run again as it was: it comes after 1, which was cancelled",
  ]);
});

test("a job of an app is run again in its version, and is the job's newest run then", async () => {
  const apply = (text: string) =>
    stage.call("PUT", "/v1/apps/lab/web", { as: "alice", body: { text, file: "web.yaml", revision: null } });
  await apply("app: web\njobs:\n  prep: { run: 'true' }\n");
  await ask("cancel", 1);
  await stage.planned();
  expect((await ask("retry", "web.prep")).body).toMatchObject({ run: 2, retry_of: 1, app: "web" });
  expect(stage.api.store.state.workloads.values().next().value?.last_run?.run).toBe(2);
  await apply("app: web\njobs:\n  prep: { run: 'false' }\n");
  const { status, body } = await ask("retry", 1);
  expect([status, body.error?.hint]).toEqual([409, "Run the present one: orch run web.prep"]);
});
