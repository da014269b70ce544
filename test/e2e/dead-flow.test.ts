// A firewall that forgets a flow: no side hears of it, and every packet of the connection vanishes. The node is back
// before anything follows from its silence.

import { expect, test } from "bun:test";
import { CONNECTION_TIMES, agentSilence } from "../../src/core/limits";
import { isAlive } from "../support/processes";
import { makeRouter, noRouter } from "../support/router";
import { waitUntil } from "../support/wait";
import { withCluster } from "../support/with-cluster";

const SETTINGS = ["unreachable_after=6s", "replace_after=16s", "lease=30s", "lease_margin=6s", "settle=300ms"];
const HEARTBEAT_MS = 2_000;
const REPLACE_AFTER_MS = 16_000;

const small = "resources: { cpu: 20m, memory: 16MiB }";
const APP =
  `app: web\nservices:\n  main: { run: exec sleep 1000, ${small} }\n` +
  `  db: { run: exec sleep 1000, ${small}, exclusive: true, on_node_loss: replace, stop: { grace: 1s } }\n`;

const why = noRouter();
test.if(why === null)(
  `a forgotten flow costs a node nothing${why === null ? "" : ` (skipped: ${why})`}`,
  async () => {
    const router = makeRouter();
    try {
      await withCluster({ name: "flow", listen: `${router.address}:0`, settings: SETTINGS }, async (cluster) => {
        const token = await cluster.joinToken();
        const shares = ["--data", cluster.dataOf("n1"), "--capacity", "cpu=4,memory=4GiB"];
        const agent = cluster.program(
          "n1",
          ["agent", "join", cluster.url, "--token", token, "--name", "n1", ...shares],
          [...router.inside],
        );
        await agent.line(/joined as /);
        await cluster.ready();
        await cluster.apply(APP);
        const before = await cluster.until(
          "both to run",
          (all) => all.filter((one) => one.state === "running").length === 2,
        );
        // Where they could be replaced.
        await cluster.startAgent("n2");
        await cluster.ready();

        expect(router.forget()).toBeGreaterThan(0);
        const cut = performance.now();
        await waitUntil("a new session", () => /joined as [^]*joined as /.test(agent.output()), 60_000);
        const took_ms = Math.round(performance.now() - cut);
        console.log(`from the forgotten flow to the new session: ${took_ms} ms`);
        expect(took_ms).toBeLessThan(agentSilence(HEARTBEAT_MS) + CONNECTION_TIMES.open_within_ms);

        // The node is heard again. Had it stayed silent, its service would be replaced by the end of this wait.
        const gone_ms = (): number => performance.now() - cut;
        await waitUntil("the silence to have been too long", () => gone_ms() > REPLACE_AFTER_MS + 4_000, 30_000);
        const after = await cluster.tasks("--all");
        expect(after.map(({ id, state }) => [id, state]).toSorted()).toEqual(
          before.map(({ id }) => [id, "running"]).toSorted(),
        );
        for (const { pid } of before) expect(isAlive(pid!)).toBe(true);
        expect((await cluster.nodes()).find(({ name }) => name === "n1")?.state).toBe("ready");
      });
    } finally {
      router.remove();
    }
  },
  120_000,
);
