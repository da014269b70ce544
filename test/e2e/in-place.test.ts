// A setting that is changed while its task runs reaches the agent: a time limit ends the task that runs, and the
// signal of a stop is the present one, also after the agent was started anew.

import { expect, test } from "bun:test";
import { QUICK } from "../support/cluster";
import { waitUntil } from "../support/wait";
import { withCluster } from "../support/with-cluster";

const spec = (settings: string): string => `app: a
jobs:
  train:
    run: "trap 'echo got INT; exit 3' INT; trap 'echo got TERM; exit 4' TERM; echo up; while :; do sleep 0.1; done"
    resources: { cpu: 20m, memory: 16MiB }
    ${settings}
`;

test("a changed time limit and a changed stop reach the task that runs", async () => {
  await withCluster({ name: "in-place", settings: QUICK, agents: ["n1"] }, async (cluster) => {
    await cluster.apply(spec("time_limit: 1h"));
    await cluster.until("the job to run", (all) => all.some(({ state }) => state === "running"));
    await waitUntil("its output", async () => (await cluster.ok("logs", "1")).includes("up"));
    // The agent that hears of the change is not the one that began the task.
    await cluster.agents.get("n1")?.kill();
    const said = await cluster.apply(spec("time_limit: 1s\n    stop: { signal: INT, grace: 5s }"));
    expect(said.out).toMatch(/ stop: TERM, 10s -> INT, 5s +\(now\)\n +time_limit: 1h -> 1s +\(now\)\n/);
    await cluster.startAgent("n1");
    await cluster.until("the run to end", (all) => all.some(({ state }) => state === "failed"));
    const shown = await cluster.json<{ state: string; cause: string | null; exit_code: number }>("show", "1");
    expect(shown).toMatchObject({ state: "failed", cause: "time_limit", exit_code: 3 });
    expect(await cluster.ok("logs", "1")).toContain("got INT");
  });
});
