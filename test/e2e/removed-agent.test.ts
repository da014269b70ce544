// Tasks of an agent that was removed from a machine with its data directory: other agents there name them, and take
// neither their room nor their names for their own.

import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import type { NodeView } from "../../src/wire/api/nodes";
import { Cluster } from "../support/cluster";
import { isAlive, processesOf, signal } from "../support/processes";
import { waitUntil } from "../support/wait";

test("a task whose data directory is gone is named by other agents, and claimed by none", async () => {
  const cluster = await Cluster.start({ name: "removed-agent", agents: ["old"] });
  const nodeOf = async (name: string): Promise<NodeView | undefined> =>
    (await cluster.json<{ nodes: NodeView[] }>("nodes")).nodes.find((node) => node.name === name);
  let pid = 0;
  try {
    const little = ["--cpu", "3", "--memory", "64MiB", "--workdir", "/"];
    const { out } = await cluster.orch("run", "-d", ...little, "--name", "left", "--", "sleep", "1000");
    pid = await waitUntil("it to run", async () => {
      const { tasks } = await cluster.json<{ tasks: { state: string; pid: number | null }[] }>("ps");
      return tasks.find(({ state }) => state === "running")?.pid ?? null;
    });
    await cluster.agent("old").kill();
    const keepers = processesOf(cluster.dataOf("old")).filter(({ command }) => command.includes(" keeper "));
    rmSync(cluster.dataOf("old"), { recursive: true });
    expect(isAlive(pid)).toBe(true);

    await cluster.startAgent("new", "--label", "is=new");
    const node = await waitUntil("the new node", async () => {
      const found = await nodeOf("new");
      return found?.state === "ready" ? found : null;
    });
    expect(node.orphans).toEqual([]);
    expect(node.reserved.cpu_milli).toBe(0);
    expect(node.foreign_tasks).toMatchObject([{ name: out.trim(), pid, data: cluster.dataOf("old") }]);
    expect((await cluster.orch("nodes")).out).toContain(`1 task of a removed agent runs here: PID ${pid}`);
    const listed = await cluster.orch("node", "orphans", "new");
    expect(listed.out).toContain(`kill -- -${pid}`);
    expect(listed.out).toContain(cluster.dataOf("old"));

    // The room of the new node is its own, and who holds it is said by name.
    const held = await cluster.orch("run", "-d", ...little, "--", "sleep", "1000");
    const waits = await cluster.orch("run", "-d", ...little, "--", "true");
    await waitUntil("the second to wait for the first", async () => {
      const { out: why } = await cluster.orch("explain", waits.out.trim());
      return why.includes(`held by sleep (run ${held.out.trim()}) (3)`) || null;
    });
    expect((await cluster.orch("cancel", held.out.trim(), waits.out.trim())).code).toBe(0);
    for (const keeper of keepers) signal(keeper, "SIGKILL");
  } finally {
    if (pid > 0 && isAlive(pid)) process.kill(-pid, "SIGKILL");
    expect(await cluster.close()).toEqual([]);
  }
}, 60_000);
