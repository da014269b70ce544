// Every file under examples is taken by the real server; those that run anywhere are run.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { RunView } from "../../src/wire/api/runs";
import type { TaskView } from "../../src/wire/api/tasks";
import { Cluster, QUICK } from "../support/cluster";
import { waitUntil } from "../support/wait";

const EXAMPLES = join(import.meta.dir, "..", "..", "examples");

/** What is there to be run as it is; the others ask for programs or cards that this machine does not have. */
const RUN = ["examples/demo.yaml", "examples/hello.yaml", "examples/gang.yaml"];
const PLANNED = [
  "examples/database.yaml",
  "examples/gpu-share.yaml",
  "examples/gpu-train.yaml",
  "examples/placement.yaml",
  "examples/ports.yaml",
  "examples/sweep.yaml",
];

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({ name: "examples", agents: ["box1", "box2"], settings: QUICK });
});
afterAll(async () => expect(await cluster.close()).toEqual([]));

test("every example is in one of the two lists", () => {
  const all = readdirSync(EXAMPLES).map((name) => `examples/${name}`);
  expect(all.toSorted()).toEqual([...RUN, ...PLANNED].toSorted());
});

const settled = (tasks: readonly TaskView[], runs: readonly RunView[]): boolean =>
  tasks.every(({ kind, state }) => kind === "job" || state === "running") &&
  runs.every(({ state }) => state === "succeeded") &&
  tasks.length + runs.length > 0;

for (const file of RUN) {
  test(`${file} runs`, async () => {
    const text = readFileSync(join(EXAMPLES, "..", file), "utf8");
    const app = /^app: (\S+)/m.exec(text)?.[1] ?? "";
    expect((await cluster.apply(text)).code).toBe(0);
    await waitUntil(
      `${file} to be up and its jobs done`,
      async () => {
        const { tasks } = await cluster.json<{ tasks: TaskView[] }>("ps", app);
        const { runs } = await cluster.json<{ runs: RunView[] }>("runs");
        return settled(
          tasks,
          runs.filter((run) => run.app === app),
        );
      },
      30_000,
    );
    await cluster.ok("rm", app, "--yes");
  }, 60_000);
}

for (const file of PLANNED) {
  test(`${file} is planned: every task of it has a place or a reason`, async () => {
    const path = join(EXAMPLES, "..", file);
    expect(await cluster.ok("validate", "-f", path)).not.toBe("");
    const plan = await cluster.json<{ ops: unknown[]; blocked: { summary: string }[] }>("plan", "-f", path);
    expect(plan.ops.length + plan.blocked.length).toBeGreaterThan(0);
    for (const { summary } of plan.blocked) expect(summary).not.toBe("");
  });
}
