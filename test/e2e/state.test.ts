// Data that is missing, old, doubled, unreadable or full: nothing that runs is killed or lost, and each case has a
// clear word for it.

import { describe, expect, test } from "bun:test";
import { cp, mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { TaskView } from "../../src/wire/api/tasks";
import type { NodeView } from "../../src/wire/api/nodes";
import { damageRecord } from "../support/book";
import { QUICK, type Cluster } from "../support/cluster";
import { isAlive } from "../support/processes";
import { waitUntil } from "../support/wait";
import { withCluster } from "../support/with-cluster";

const small = "resources: { cpu: 20m, memory: 16MiB }";
const APP = `app: web\nservices:\n  main: { run: exec sleep 1000, replicas: 3, ${small} }\n`;
const up = (all: readonly TaskView[]): TaskView[] =>
  all.filter(({ app, state }) => app === "web" && state === "running");

async function started(cluster: Cluster): Promise<TaskView[]> {
  expect((await cluster.apply(APP)).code).toBe(0);
  return up(await cluster.until("three tasks", (all) => up(all).length === 3));
}

const facts = (tasks: readonly TaskView[]): unknown[] => tasks.map(({ id, pid, node }) => [id, pid, node]).toSorted();
const allAlive = (tasks: readonly TaskView[]): boolean => tasks.every(({ pid }) => isAlive(pid ?? 0));

describe("the server's data", () => {
  test("is empty before agents that belong to another cluster: they refuse, and their tasks run on", async () => {
    await withCluster({ name: "empty", agents: ["n1", "n2"], settings: QUICK }, async (cluster) => {
      const tasks = await started(cluster);
      await cluster.server?.kill("SIGTERM");
      const aside = join(cluster.dir, "aside");
      await rename(cluster.data, aside);
      await cluster.startServer();
      await cluster.agent("n1").line(/its key is not the joined server's, so it is another cluster's or an impostor/);
      expect(await cluster.nodes()).toEqual([]);
      expect(allAlive(tasks)).toBe(true);
      await cluster.server?.kill("SIGTERM");
      await rm(cluster.data, { recursive: true });
      await rename(aside, cluster.data);
      await cluster.startServer();
      for (const name of ["n1", "n2"]) if (!cluster.agent(name).running) await cluster.startAgent(name);
      await cluster.ready();
      expect(facts(up(await cluster.tasks()))).toEqual(facts(tasks));
      expect(allAlive(tasks)).toBe(true);
    });
  }, 120_000);

  test("is an old copy: the start is refused, and a restore takes in what lives and starts nothing twice", async () => {
    await withCluster({ name: "old", agents: ["n1", "n2"], settings: QUICK }, async (cluster) => {
      const before = await started(cluster);
      await cluster.server?.kill("SIGTERM");
      const copy = join(cluster.dir, "copy");
      await cp(join(cluster.data, "server"), copy, { recursive: true });
      await cluster.startServer();
      await cluster.ready();
      await cluster.ok("scale", "web.main=4");
      const later = up(await cluster.until("four tasks", (all) => up(all).length === 4));
      await cluster.server?.kill("SIGTERM");
      for (const name of ["orch.db", "orch.db-wal", "orch.db-shm"]) {
        await rm(join(cluster.data, "server", name), { force: true });
        await cp(join(copy, name), join(cluster.data, "server", name)).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== "ENOENT") throw error;
        });
      }
      const refused = await cluster.orch("server", "--data", cluster.data, "--listen", new URL(cluster.url).host);
      expect(refused.code).toBe(1);
      expect(refused.err).toContain("orch restore");
      expect(allAlive(later)).toBe(true);
      await cluster.ok("restore", join(copy, "orch.db"), "--data", cluster.data, "--yes");
      await cluster.startServer();
      for (const name of ["n1", "n2"]) if (!cluster.agent(name).running) await cluster.startAgent(name);
      await cluster.ready();
      // The copy wants three; the fourth is what the lost time made: stopped by an order, not by a guess.
      const settled = up(await cluster.until("three tasks", (all) => up(all).length === 3));
      const kept = new Set(settled.map(({ id }) => id));
      expect(before.filter(({ id }) => !kept.has(id))).toEqual([]);
      expect(allAlive(before)).toBe(true);
    });
  }, 120_000);

  const asRoot = test.skipIf(process.getuid?.() !== 0);
  asRoot(
    "lies on a full disk: changes are refused, tasks run on, and it heals",
    async () => {
      await withCluster({ name: "full", agents: ["n1"], settings: QUICK }, async (cluster) => {
        const tasks = await started(cluster);
        await cluster.server?.kill("SIGTERM");
        const small_disk = join(cluster.dir, "disk");
        await mkdir(small_disk);
        expect(Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=24m,mode=700", "tmpfs", small_disk]).exitCode).toBe(
          0,
        );
        try {
          await cp(join(cluster.data, "server"), join(small_disk, "server"), { recursive: true });
          await rename(cluster.data, `${cluster.data}.aside`);
          cluster.data = small_disk;
          await cluster.startServer();
          await cluster.ready();
          // Fills what is left to the last byte; dd ends with an error for that very reason.
          const filler = join(small_disk, "filler");
          Bun.spawnSync(["dd", "if=/dev/zero", `of=${filler}`, "bs=64k"], { stderr: "ignore" });
          const refused = await waitUntil(
            "new work to be refused",
            async () => {
              const submitted = await cluster.orch("run", "-d", "--cpu", "20m", "--memory", "16MiB", "--", "true");
              return submitted.code === 0 ? null : submitted;
            },
            30_000,
          );
          expect(refused.err).toMatch(/disk.*full/);
          // Room was kept for what ends: a task can still be stopped.
          await cluster.ok("scale", "web.main=2");
          await cluster.until("two tasks", (all) => up(all).length === 2);
          await rm(filler);
          await waitUntil(
            "new work to be taken again",
            async () => (await cluster.orch("run", "-d", "--cpu", "20m", "--memory", "16MiB", "--", "true")).code === 0,
            90_000,
          );
          const left = up(await cluster.tasks());
          expect(facts(left)).toEqual(facts(tasks.filter(({ id }) => left.some((one) => one.id === id))));
        } finally {
          await cluster.server?.kill("SIGKILL");
          expect(Bun.spawnSync(["umount", small_disk]).exitCode).toBe(0);
        }
      });
    },
    120_000,
  );
});

describe("an agent's data", () => {
  test("is used by one agent only: a second one on it is refused, and the first goes on", async () => {
    await withCluster({ name: "twice", agents: ["n1"] }, async (cluster) => {
      const tasks = await started(cluster);
      const second = await cluster.orch(
        "agent",
        "join",
        cluster.url,
        "--data",
        cluster.dataOf("n1"),
        "--capacity",
        "cpu=4,memory=4GiB",
      );
      expect(second.code).toBe(1);
      expect(second.err).toContain(`${cluster.agent("n1").pid}`);
      expect(facts(up(await cluster.tasks()))).toEqual(facts(tasks));
      expect((await cluster.nodes()).map(({ state }) => state)).toEqual(["ready"]);
    });
  }, 60_000);

  test("was copied: the second agent with one identity is refused and both are shown", async () => {
    await withCluster({ name: "copied", agents: ["n1"] }, async (cluster) => {
      const tasks = await started(cluster);
      await cp(cluster.dataOf("n1"), cluster.dataOf("copy"), {
        recursive: true,
        filter: (path) => !path.endsWith(".sock"),
      });
      const copy = cluster.program("copy", [
        "agent",
        "join",
        cluster.url,
        "--data",
        cluster.dataOf("copy"),
        "--capacity",
        "cpu=4,memory=4GiB",
      ]);
      await copy.line(/another agent is connected as n1/);
      expect((await cluster.nodes()).map(({ name, state }) => [name, state])).toEqual([["n1", "ready"]]);
      expect(facts(up(await cluster.tasks()))).toEqual(facts(tasks));
      expect(allAlive(tasks)).toBe(true);
      expect(await cluster.ok("events")).toContain("n1");
    });
  }, 60_000);

  test("has a record that cannot be read: its task lives on, holds its place, and is shown", async () => {
    await withCluster({ name: "record", agents: ["n1"] }, async (cluster) => {
      const tasks = await started(cluster);
      const [broken, ...others] = tasks;
      await cluster.agent("n1").kill("SIGKILL");
      const dirs = (await readdir(join(cluster.dataOf("n1"), "agent", "tasks"))).filter((name) =>
        name.startsWith(broken?.id ?? "none"),
      );
      expect(dirs.length).toBe(1);
      damageRecord(join(cluster.dataOf("n1"), "agent"), dirs[0] ?? "");
      await cluster.startAgent("n1");
      await cluster.ready();
      const node = await waitUntil("the orphan to be shown", async () => {
        const [found] = (await cluster.json<{ nodes: NodeView[] }>("nodes")).nodes;
        return found !== undefined && found.orphans.length > 0 ? found : null;
      });
      expect(node.orphans[0]?.pid).toBe(broken!.pid!);
      expect(allAlive(tasks)).toBe(true);
      const now = up(await cluster.tasks()).map(({ id }) => id);
      for (const { id } of others) expect(now).toContain(id);
      const { name, id, pid } = broken!;
      const row = new RegExp(`^orphans: 1 task .*\\nTASK .*\\n${name} +${pid} .* orch stop n1/${id}$`, "m");
      expect(await cluster.ok("node", "show", "n1")).toMatch(row);
    });
  }, 60_000);

  test("is gone: joining again finds what lives, and kills nothing", async () => {
    await withCluster({ name: "gone", agents: ["n1"], settings: QUICK }, async (cluster) => {
      const tasks = await started(cluster);
      await cluster.agent("n1").kill("SIGKILL");
      await rename(cluster.dataOf("n1"), join(cluster.dir, "lost"));
      // Another key waits for an operator, once the node's agent has not been heard for a while.
      const flags = ["--token", await cluster.joinToken(), "--name", "n1", "--capacity", "cpu=4,memory=4GiB"];
      const again = ["agent", "join", cluster.url, "--data", cluster.dataOf("n1"), ...flags];
      await waitUntil(
        "the new key to wait",
        async () => cluster.program("n1", again).line(/waits to join as n1/),
        30_000,
      );
      await cluster.ok("node", "approve", "n1");
      await cluster.agent("n1").line(/joined as n1/);
      await waitUntil(
        "the living to be shown",
        async () =>
          ((await cluster.json<{ nodes: NodeView[] }>("nodes")).nodes[0]?.orphans.length ?? 0) === tasks.length,
      );
      expect(allAlive(tasks)).toBe(true);
    });
  }, 60_000);
});
