// Those outside of a project read why its work waits or fails, and no path and no command of it, in any view.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { withoutInside } from "../../../src/server/access/wording";
import { buildSpec } from "../../support/build";
import { reportOf } from "../../support/reports";
import { waitUntil } from "../../support/wait";
import { handAgent, type HandAgent } from "../hand-agent";
import { makeStage, type Stage } from "../stage";

let stage: Stage;
beforeEach(async () => {
  stage = await makeStage();
});
afterEach(async () => stage.close());

const DIR = "/srv/secret/x";
const COMMAND = "secret-tool";
const WHY = `could not start: the command ${COMMAND} is in no directory of PATH`;

/** Every view that tells of work, and the words in it that say why. */
const VIEWS: readonly (readonly [path: string, ...why: string[]])[] = [
  ["/v1/runs", "may not enter"],
  ["/v1/runs?all=true", "may not enter", "is in no directory of PATH"],
  ["/v1/runs/1", "is in no directory of PATH"],
  ["/v1/runs/2", "may not enter"],
  ["/v1/tasks", "may not enter"],
  ["/v1/tasks?all=true", "is in no directory of PATH"],
  ["/v1/tasks/1", "is in no directory of PATH"],
  ["/v1/tasks/2", "may not enter"],
  ["/v1/explain/1", "is in no directory of PATH"],
  ["/v1/explain/2", "may not enter"],
  ["/v1/explain/lab%2Fweb.api", "may not enter"],
  ["/v1/workloads/lab/web/api", "may not enter"],
  ["/v1/events", "is in no directory of PATH"],
];

/** Answers the n-th question of the server: the account is there, and may not enter the directory. */
async function answer(agent: HandAgent, n: number): Promise<void> {
  const { needs } = await agent.told("look", n);
  const state = (path: string | null) => (path === null ? ("there" as const) : ("closed" as const));
  agent.say({ type: "presence", answers: needs.map((need) => ({ ...need, state: state(need.path) })) });
}

/** Makes a run whose command is nowhere, and a run and a service whose directory is closed. */
async function fill(): Promise<void> {
  const agent = await handAgent(stage, "box1", {}, { looks: true });
  const run = (name: string, job: object) =>
    stage.call("POST", "/v1/runs", { as: "alice", body: { name, project: null, job, wait_for_nodes: true } });
  const failing = run("fails", { command: [COMMAND] });
  await answer(agent, 1);
  expect((await failing).status).toBe(200);
  const task = await waitUntil("a task", () => stage.api.store.state.tasks.values().next().value);
  const reported = {
    state: "failed",
    reason: WHY,
    started_age_ms: 5,
    finished_age_ms: 1,
    exit_code: 127,
    signal: null,
    peak_memory_bytes: null,
    tail: null,
    next: null,
  } as const;
  agent.report([reportOf(task, reported)]);
  await waitUntil("its end", () => stage.api.store.state.runs.size === 0);
  const waiting = run("waits", { run: "true", workdir: DIR });
  await answer(agent, 2);
  expect((await waiting).status).toBe(200);
  for (const [dir, command] of [
    [DIR, "x"],
    [`${DIR}/y`, "x; --key secret"],
  ]) {
    const text = `app: web\nservices:\n  api: { run: ${command}, workdir: ${dir} }\n`;
    const body = { text, file: "f", revision: null };
    expect((await stage.call("PUT", "/v1/apps/lab/web", { as: "alice", body })).status).toBe(200);
    await stage.planned();
  }
  await answer(agent, 3);
  await stage.planned();
}

/** Reads the stream of the changes from a revision until now. */
async function watched(since: number, as: string): Promise<string> {
  const headers = { authorization: `Bearer ${stage.tokens[as]}` };
  const answer = await stage.app.request(`http://127.0.0.1/v1/watch?since=${since}`, { headers });
  const reader = answer.body!.getReader();
  const { revision } = stage.api.store.state.cluster;
  let text = "";
  while (!text.includes(`id: ${revision}\n`)) {
    const { value } = await reader.read();
    text += new TextDecoder().decode(value);
  }
  await reader.cancel();
  return text;
}

describe("why something waits or has failed", () => {
  test("is told to all, with its paths and commands to those of its project alone", async () => {
    await fill();
    for (const [path, ...why] of VIEWS) {
      const said = async (as: string): Promise<string> => JSON.stringify((await stage.call("GET", path, { as })).body);
      const [own, far, operator] = await Promise.all([said("alice"), said("bob"), said("olga")]);
      for (const words of why)
        expect([path, own, far]).toEqual([path, expect.stringContaining(words), expect.stringContaining(words)]);
      expect([path, far]).toEqual([path, expect.not.stringContaining("secret")]);
      expect([path, own, operator]).toEqual([
        path,
        expect.stringContaining("secret"),
        expect.stringContaining("secret"),
      ]);
    }
  });
  test("is told in the stream of changes as to those who may see nothing", async () => {
    const { revision } = stage.api.store.state.cluster;
    await fill();
    const text = await watched(revision, "alice");
    expect(text).toContain("is in no directory of PATH");
    expect(text).not.toContain("secret");
  });
});

test("who holds what something waits for, and what is to be typed, has the reader's own project left out", async () => {
  await handAgent(stage, "box1");
  const text = "app: big\nservices:\n  a: { run: x, resources: { cpu: 8 } }\n  b: { run: x, replicas: 0 }\n";
  const body = { text, file: "f", revision: null };
  expect((await stage.call("PUT", "/v1/apps/lab/big", { as: "alice", body })).status).toBe(200);
  await stage.planned();
  const job = { run: "x", resources: { cpu: 1 } };
  const run = { name: "r", project: null, job, wait_for_nodes: true };
  expect((await stage.call("POST", "/v1/runs", { as: "bob", body: run })).status).toBe(200);
  await stage.planned();
  const said = async (as: string): Promise<string> =>
    JSON.stringify((await stage.call("GET", "/v1/explain/1", { as })).body);
  expect(await said("bob")).toContain("held by lab/big.a.0 (8)");
  expect(await said("alice")).toContain("held by big.a.0 (8)");
  const hint = async (as: string): Promise<string | undefined> =>
    (await stage.call("GET", "/v1/explain/lab%2Fbig.b", { as })).body.error?.message;
  expect(await hint("bob")).toEndWith("orch scale lab/big.b=1");
  expect(await hint("alice")).toEndWith("orch scale big.b=1");
});

test("a text for those outside has no path and no command, and all else that it had", () => {
  const spec = buildSpec({ workdir: "/my data/a b", command: { kind: "argv", argv: ["./go", "1"] } });
  const said = (text: string): string => withoutInside(text, spec);
  expect(said("cannot run: 2 have no /my data/a b, 1 has a /root that bob may not enter")).toBe(
    "cannot run: 2 have no (hidden), 1 has a (hidden) that bob may not enter",
  );
  expect(said("could not start: ./go is not executable for bob (on a)")).toBe(
    "could not start: (hidden) is not executable for bob (on a)",
  );
  expect(said("the directory /x cannot be entered: ENOENT: stat '/x/y.z'")).toBe(
    "the directory (hidden) cannot be entered: ENOENT: stat '(hidden)'",
  );
  expect(withoutInside("the command make is in no directory of PATH", null)).toBe(
    "the command (hidden) is in no directory of PATH",
  );
  expect(said("api: version 2: command: go --key a; b -> go; workdir: /x -> /y")).toBe(
    "api: version 2: command: (hidden)",
  );
  const plain = "waits: 3/4 nodes fit, 1 has a task of lab/web.api.0: orch stop box1/ab12, 5 MiB/s";
  expect(said(plain)).toBe(plain);
});
