// Scaling with real processes: the replica that crashes goes first and is named, and its number comes back first.

import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { QUICK } from "../support/cluster";
import { runOrch } from "../support/program";
import { waitUntil } from "../support/wait";
import { withCluster } from "../support/with-cluster";

const spec = (replicas: number): string => `app: shop
services:
  web:
    run: 'test "$ORCH_SLOT" != 1 || exit 3; exec sleep 1000'
    replicas: ${replicas}
    resources: { cpu: 20m, memory: 16MiB }
    stop: { grace: 2s }
`;

test("the replica that crashes goes first, is named in plan and scale, and its number comes back first", async () => {
  await withCluster({ name: "scale", settings: [...QUICK, "stable=500ms"], agents: ["n1"] }, async (cluster) => {
    const running = async (): Promise<string> =>
      (await cluster.tasks())
        .filter(({ state, desired }) => state === "running" && desired === "run")
        .map(({ name }) => name.replace(/#\d+$/, ""))
        .sort()
        .join(" ");
    await cluster.apply(spec(4));
    await waitUntil("three to run", async () => (await running()) === "shop.web.0 shop.web.2 shop.web.3");
    const crashes = async (): Promise<number> =>
      (await cluster.tasks()).find(({ name }) => name.startsWith("shop.web.1"))?.crashes ?? 0;
    await waitUntil("the other one to crash again", async () => (await crashes()) > 1);

    const planned = async (replicas: number): Promise<string> => {
      const file = join(await mkdtemp(join(tmpdir(), "orch-scale-")), "shop.yaml");
      await Bun.write(file, spec(replicas));
      const { out } = await runOrch(["plan", "-f", file], cluster.env);
      await rm(join(file, ".."), { recursive: true });
      return out;
    };
    expect(await planned(3)).toMatch(
      /^~ web .*\n +replicas: 4 -> 3 +\(now\)\n {2}shop\.web\.1 goes: it .*last exit code 3$/m,
    );
    const scaled = await cluster.ok("scale", "shop.web=3");
    expect(scaled).toMatch(/^shop\.web: 3 replicas\n {2}shop\.web\.1 goes: it crashed \d×.*, last exit code 3$/m);
    await cluster.until("it to be gone", (all) =>
      all.every(({ name, finished_ms }) => !name.startsWith("shop.web.1") || finished_ms !== null),
    );
    expect(await running()).toBe("shop.web.0 shop.web.2 shop.web.3");
    // What was scaled is what the file says, so applying it changes nothing.
    expect((await cluster.apply(spec(3))).out).toContain("nothing to change");
    const goes = "shop.web.3 goes: it has the highest number";
    await waitUntil("all to have run for long enough", async () => (await planned(2)).includes(goes));
    expect(await cluster.ok("scale", "shop.web=2")).toContain(goes);
    await waitUntil("two to run", async () => (await running()) === "shop.web.0 shop.web.2");
    const missing = await cluster.orch("logs", "shop.web.7");
    expect(missing.err).toContain("it has 2, 0 and 2");

    await cluster.ok("scale", "shop.web=4");
    const names = async (): Promise<string[]> =>
      (await cluster.tasks())
        .filter(({ desired }) => desired === "run")
        .map(({ slot }) => `web.${slot}`)
        .sort();
    await waitUntil("the numbers to come back", async () => (await names()).join(" ") === "web.0 web.1 web.2 web.3");
  });
}, 60_000);
