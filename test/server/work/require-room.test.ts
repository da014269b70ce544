// How much may be wanted at once: of one person, and of all.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { withinReplicas } from "../../../src/server/work/require-room";
import type { Draft } from "../../../src/store/store";
import { joinWithKey } from "../recorder";
import { type Answer, makeStage, type Stage } from "../stage";

let stage: Stage;
beforeEach(async () => {
  stage = await makeStage();
  // Bob works in alice's project.
  await stage.api.store.commit("test", (draft) => {
    const bob = draft.state.users.get("bob")!;
    draft.put([{ table: "users", key: "bob", row: { ...bob, project: "lab" } }]);
  });
});
afterEach(async () => stage.close());

const apply = (as: string, name: string, lines: readonly string[]): Promise<Answer> =>
  stage.call("PUT", `/v1/apps/lab/${name}`, {
    as,
    body: { text: [`app: ${name}`, ...lines].join("\n"), file: "app.yaml", revision: null },
  });
const services = (...replicas: number[]): string[] => [
  "services:",
  ...replicas.map((count, n) => `  s${n}: { run: x, replicas: ${count} }`),
];
const scale = (as: string, service: string, replicas: number): Promise<Answer> =>
  stage.call("POST", `/v1/workloads/lab/web/${service}/scale`, { as, body: { replicas } });
const gang = (as: string, nodes: number): Promise<Answer> =>
  stage.call("POST", "/v1/runs", {
    as,
    body: { job: { run: "true", nodes }, name: null, project: "lab", wait_for_nodes: true },
  });
const messageOf = ({ body }: Answer): string => body.error?.message ?? "";

test("what somebody scales counts for the owner of the service", async () => {
  expect((await apply("bob", "web", services(10_000, 10_000, 1))).status).toBe(429);
  expect((await apply("bob", "web", services(10_000, 9_000, 1))).status).toBe(200);
  expect(messageOf(await scale("alice", "s1", 10_000))).toContain("of bob would have 20001 replicas together");
  expect((await scale("alice", "s1", 9_999)).status).toBe(200);
});

test("whoever has more than may be, since the cluster has grown, can still ask for fewer", async () => {
  const daemons = ["daemons:", ...Array.from({ length: 4_000 }, (_, n) => `  d${n}: { run: x }`)];
  for (let n = 0; n < 4; n++) await joinWithKey(stage, `box${n}`);
  expect((await apply("bob", "many", daemons)).status).toBe(200);
  expect((await apply("bob", "web", services(4_000))).status).toBe(200);
  await joinWithKey(stage, "box4");
  expect((await scale("bob", "s0", 4_001)).status).toBe(429);
  expect((await scale("bob", "s0", 3_000)).status).toBe(200);
  expect((await apply("bob", "web", services(2_000))).status).toBe(200);
});

test("the members of open gangs count, until they are cancelled", async () => {
  expect((await apply("alice", "web", services(10_000, 9_000))).status).toBe(200);
  expect((await gang("alice", 600)).status).toBe(200);
  expect(messageOf(await gang("alice", 401))).toContain("of alice would have 20001 replicas together, at most 20000");
  expect((await gang("alice", 1)).status).toBe(200);
  const jobs = ["jobs:", "  train: { run: x, nodes: 401 }"];
  expect((await apply("alice", "jobs", jobs)).status).toBe(429);
  expect((await stage.call("POST", "/v1/runs/1/cancel", { as: "alice", body: { signal: null } })).status).toBe(200);
  expect((await apply("alice", "jobs", jobs)).status).toBe(200);
  for (let n = 0; n < 20; n++) expect((await gang("bob", 1_000)).status).toBe(200);
  expect((await apply("admin", "rest", services(10_000, 599))).status).toBe(200);
  expect(messageOf(await gang("admin", 2))).toContain("of all would have 50002 replicas together, at most 50000");
});

test("what others have is looked at only by a change that adds something, and once", async () => {
  for (let n = 0; n < 5; n++) expect((await gang("bob", 2 + n)).status).toBe(200);
  expect((await apply("alice", "web", services(3))).status).toBe(200);
  const asked = async (change: (draft: Draft) => void): Promise<number> => {
    let count = 0;
    const { store } = stage.api;
    await store.commit("test", (draft) => {
      const members = (hash: string): number => {
        count++;
        return store.members(hash);
      };
      withinReplicas(draft, members, change);
    });
    return count;
  };
  const toReplicas =
    (replicas: number) =>
    (draft: Draft): void => {
      const row = draft.state.workloads.values().find(({ user }) => user === "alice")!;
      draft.put([{ table: "workloads", key: row.uid, row: { ...row, settings: { ...row.settings, replicas } } }]);
    };
  const event = { verb: "noise", object: "x", project: null, detail: "" };
  expect(await asked((draft) => draft.event(event))).toBe(0);
  expect(await asked(toReplicas(2))).toBe(0);
  expect(await asked(toReplicas(4))).toBe(5);
});
