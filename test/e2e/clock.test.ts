// Clocks that are wrong and are corrected: limits, ages and ends do not notice, and the node says how far its clock is
// off.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { HOUR_MS } from "../../src/core/units";
import { BINARY } from "../support/program";
import { waitUntil } from "../support/wait";
import { makeWallClock, noWallClock } from "../support/wall-clock";
import { withCluster } from "../support/with-cluster";
import type { Cluster } from "../support/cluster";

const small = "resources: { cpu: 20m, memory: 16MiB }";
const why = noWallClock();
const skipped = why === null ? "" : ` (skipped: ${why})`;

async function startAgent(cluster: Cluster, before: readonly string[]): Promise<void> {
  const token = cluster.agents.has("n1") ? [] : ["--token", await cluster.joinToken(), "--name", "n1"];
  const shares = ["--data", cluster.dataOf("n1"), "--capacity", "cpu=4,memory=4GiB"];
  const agent = cluster.program("n1", ["agent", "join", cluster.url, ...token, ...shares], [...before, BINARY]);
  await agent.line(/joined as /);
}

describe("an agent whose clock is wrong at its start and corrected later", () => {
  test.if(why === null).each(["+2h", "-2h"])(
    `%s: a limit is kept as it is, with its reason and its grace${skipped}`,
    async (offset) => {
      await withCluster({ name: "clock" }, async (cluster) => {
        const clock = makeWallClock(join(cluster.dir, "clock"), "+0s");
        await startAgent(cluster, clock.before);
        // A node that joins with a wrong clock fails its test and gets no work. Later ones are not tested for.
        await cluster.ready();
        await cluster.agent("n1").kill("SIGKILL");
        clock.set(offset);
        await startAgent(cluster, clock.before);
        const off_ms = offset === "+2h" ? 2 * HOUR_MS : -2 * HOUR_MS;
        const isOff = (skew_ms: number | null): boolean => skew_ms !== null && Math.abs(skew_ms - off_ms) < 60_000;
        await waitUntil("the node's clock to be said", async () =>
          (await cluster.nodes()).some(({ clock_skew_ms }) => isOff(clock_skew_ms)),
        );
        expect(await cluster.ok("nodes")).toMatch(
          offset === "+2h"
            ? /its clock is (2h|1h59m) ahead of the server's/
            : /its clock is (2h|1h ?59m) behind the server's/,
        );
        clock.set("+0s");
        await cluster.ready();
        const trap = "trap 'echo asked; exit 0' TERM; while :; do sleep 0.1; done";
        await cluster.apply(
          `app: c\njobs:\n  long: { run: "sleep 1000", ${small}, time_limit: 1h }\n` +
            `  short: { run: "${trap}", ${small}, time_limit: 3s, stop: { grace: 5s } }\n`,
        );
        const began = performance.now();
        const all = await cluster.until("the short one to end", (tasks) =>
          tasks.some(({ name, state }) => name.startsWith("c.short") && state === "failed"),
        );
        expect(performance.now() - began).toBeGreaterThan(2_000);
        expect(all.find(({ name }) => name.startsWith("c.short"))).toMatchObject({ reason: "time limit reached" });
        expect(await cluster.ok("logs", "c.short")).toContain("asked");
        expect(all.find(({ name }) => name.startsWith("c.long"))).toMatchObject({ state: "running" });
        // Ages are the server's, whatever the node's clock says.
        const long = all.find(({ name }) => name.startsWith("c.long"))!;
        expect(Math.abs(Date.now() - long.started_ms!)).toBeLessThan(60_000);
      });
    },
    90_000,
  );

  test.if(why === null)(
    `an agent that starts again with another clock keeps the limits of what runs${skipped}`,
    async () => {
      await withCluster({ name: "clock" }, async (cluster) => {
        const clock = makeWallClock(join(cluster.dir, "clock"), "+0s");
        await startAgent(cluster, clock.before);
        await cluster.ready();
        await cluster.apply(`app: c\njobs:\n  long: { run: "sleep 1000", ${small}, time_limit: 1h }\n`);
        const [task] = await cluster.until("it to run", (tasks) => tasks.some(({ state }) => state === "running"));
        await cluster.agent("n1").kill("SIGKILL");
        clock.set("+3h");
        await startAgent(cluster, clock.before);
        await cluster.ready();
        // The agent has looked at its task, and told of it.
        await cluster.apply(`app: d\njobs:\n  next: { run: "true", ${small} }\n`);
        const all = await cluster.until("the next job", (tasks) => tasks.some(({ state }) => state === "succeeded"));
        expect(all.find(({ id }) => id === task!.id)).toMatchObject({ state: "running" });
      });
    },
    90_000,
  );
});
