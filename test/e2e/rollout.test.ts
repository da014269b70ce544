// Roll-outs with real processes: a roll-back from a crash loop ends well, and a daemon rolls around a full node.

import { expect, test } from "bun:test";
import type { TaskView } from "../../src/wire/api/tasks";
import { QUICK } from "../support/cluster";
import { withCluster } from "../support/with-cluster";

const roll = (run: string): string => `app: roll
services:
  a:
    run: ${run}
    replicas: 2
    resources: { cpu: 20m, memory: 16MiB }
    restart: { backoff: 1s..1m }
    stop: { grace: 2s }
`;

test("a roll-back from a crash loop is waited for to its end", async () => {
  await withCluster({ name: "roll", settings: [...QUICK, "stable=1s"], agents: ["n1"] }, async (cluster) => {
    await cluster.apply(roll("exec sleep 1000"));
    await cluster.until("both to run", (all) => all.filter(({ state }) => state === "running").length === 2);
    await cluster.apply(roll("exit 9"));
    await cluster.until("the new version to crash", (all) => all.some(({ crashes }) => crashes >= 3));
    const back = await cluster.apply(roll("exec sleep 1000"), "--wait");
    expect([back.code, back.out]).toEqual([0, expect.stringContaining("2/2 up")]);
    expect(back.err).not.toContain("cannot go on");
  });
}, 120_000);

const mon = (seconds: number): string => `app: mm
services:
  fill: { run: exec sleep 1000, resources: { cpu: 4, memory: 16MiB }, place: { hosts: [n1] }, stop: { grace: 2s } }
daemons:
  mon: { run: exec sleep ${seconds}, resources: { cpu: 1, memory: 16MiB }, stop: { grace: 2s } }
`;

test("a daemon rolls on the other nodes while one has no room for it", async () => {
  await withCluster({ name: "daemon", settings: QUICK, agents: ["n1", "n2"] }, async (cluster) => {
    const isUp = (all: readonly TaskView[], name: string, version: number): boolean =>
      all.some((task) => task.state === "running" && task.workload === name && task.version === version);
    const [fill] = mon(1).split("daemons:");
    await cluster.apply(fill ?? "");
    await cluster.until("n1 to be full", (all) => isUp(all, "fill", 1));
    await cluster.apply(mon(1000));
    await cluster.until("the daemon on the other node", (all) => isUp(all, "mon", 1));
    await cluster.apply(mon(2000));
    const all = await cluster.until("its new version", (tasks) => isUp(tasks, "mon", 2));
    expect(all.filter(({ workload, state }) => workload === "mon" && state === "pending")).toMatchObject([
      { version: 2, reason: expect.stringContaining("n1: asks for 1 core, 0 of 4 free, held by") },
    ]);
  });
}, 120_000);
