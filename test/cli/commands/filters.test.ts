// Lists that are asked for with a filter: a name that nobody has is told from one that has nothing, and the hint for
// what is over keeps the filter.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { heardNode } from "../../server/hand-agent";
import { served, type Served } from "../served";

let at: Served;
beforeEach(async () => {
  at = await served();
  await heardNode(at.stage, "box1");
});
afterEach(async () => at.close());

test("a user that there is not", async () => {
  const unknown = [1, "orch: there is no user alcie. Did you mean alice?\n"] as const;
  expect(await at.ran("bob", "runs", "--user", "alcie")).toEqual(unknown);
  expect(await at.ran("bob", "ps", "--user", "alcie")).toEqual(unknown);
  expect(await at.ran("bob", "runs", "--user", "alice")).toEqual([0, "no runs\n"]);
});

test("a node that there is not", async () => {
  expect(await at.ran("bob", "ps", "--node", "bx1")).toEqual([
    1,
    "orch: there is no node called bx1. Did you mean box1?\n",
  ]);
});

test("what is over is asked for with the same words", async () => {
  const none = async (...argv: string[]): Promise<string> => (await at.ran("alice", "ps", ...argv))[1];
  expect(await none()).toBe("no tasks (finished ones: orch ps --all)\n");
  expect(await none("box1")).toBe("no tasks on box1\n");
  expect(await none("--user", "bob", "--node", "box1")).toBe(
    "no tasks with --user bob --node box1 (finished ones: orch ps --user bob --node box1 --all)\n",
  );
  expect(await none("--mine", "--all")).toBe("no tasks with --mine\n");
  await at.stage.call("PUT", "/v1/apps/lab/web", {
    as: "alice",
    body: { text: "app: web\nservices: { api: { run: x, replicas: 0 } }", file: "a.yaml", revision: null },
  });
  expect(await none("web")).toBe("no tasks of web (finished ones: orch ps web --all)\n");
});
