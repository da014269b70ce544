// A node whose disk or keeper fails says so, gets no tasks, keeps the server's word about those it has, and comes back
// by itself. The disks are real: a small one that is filled, one that is made read-only, one that is frozen.

import { afterEach, describe, expect, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { NodeView } from "../../src/wire/api/nodes";
import { Cluster } from "../support/cluster";
import { processesOf, signal } from "../support/processes";
import { waitUntil } from "../support/wait";

const isRoot = process.getuid?.() === 0;
const TOOLS = ["mount", "umount", "mkfs.ext4", "fsfreeze"];
const missing = TOOLS.filter((tool) => Bun.which(tool) === null);
const why = !isRoot ? "not root" : missing.length > 0 ? `no ${missing.join(", ")}` : null;
if (why !== null) console.log(`skipped, disks that fail: ${why}`);

const LITTLE = ["--cpu", "20m", "--memory", "16MiB", "--workdir", "/"];

function must(...argv: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(argv, { stderr: "pipe" });
  if (exitCode !== 0) throw new Error(`${argv.join(" ")}: ${stderr.toString()}`);
}

describe.if(why === null)("a node whose disk fails", () => {
  const undo: (() => Promise<void> | void)[] = [];
  afterEach(async () => {
    for (const one of undo.splice(0).reverse()) await one();
  });

  /** Starts a cluster with one agent, whose data directory is a disk of its own. */
  async function onDisk(name: string, size: string): Promise<{ cluster: Cluster; disk: string }> {
    const cluster = await Cluster.start({ name });
    const disk = cluster.dataOf("one");
    const image = join(cluster.dir, "disk.img");
    undo.push(async () => {
      const left = await cluster.close();
      expect(left).toEqual([]);
    });
    mkdirSync(disk, { recursive: true });
    must("truncate", "-s", size, image);
    must("mkfs.ext4", "-q", "-m", "0", image);
    must("mount", "-o", "loop,errors=remount-ro", image, disk);
    undo.push(async () => {
      Bun.spawnSync(["fsfreeze", "-u", disk], { stderr: "ignore" });
      await cluster.killMachine("one");
      await waitUntil(
        "the disk to be free",
        () => Bun.spawnSync(["umount", disk], { stderr: "ignore" }).exitCode === 0,
      );
    });
    await cluster.startAgent("one");
    await cluster.ready();
    return { cluster, disk };
  }

  const nodeOf = async (cluster: Cluster): Promise<NodeView | undefined> =>
    (await cluster.json<{ nodes: NodeView[] }>("nodes")).nodes.find(({ name }) => name === "one");

  const untilUnable = (cluster: Cluster, words: RegExp | null): Promise<unknown> =>
    waitUntil(
      `the node to be ${words === null ? "able" : String(words)}`,
      async () => {
        const { unable = null, state, reason } = (await nodeOf(cluster)) ?? {};
        if (state === "ready" && (words === null ? unable === null : words.test(unable ?? ""))) return true;
        throw new Error(`it is ${state}: ${reason}`);
      },
      40_000,
    );

  async function stateOf(cluster: Cluster, run: string): Promise<string> {
    const { runs } = await cluster.json<{ runs: { run: number; state: string; reason: string | null }[] }>("runs");
    const found = runs.find((one) => String(one.run) === run);
    return `${found?.state}: ${found?.reason ?? ""}`;
  }

  const untilState = (cluster: Cluster, run: string, words: RegExp, deadline_ms = 20_000): Promise<unknown> =>
    waitUntil(
      `run ${run} to be ${String(words)}`,
      async () => {
        const state = await stateOf(cluster, run);
        if (words.test(state)) return true;
        throw new Error(state);
      },
      deadline_ms,
    );

  async function submitted(cluster: Cluster, ...command: string[]): Promise<string> {
    const { code, out, err } = await cluster.orch("run", "-d", ...LITTLE, "--wait-for-nodes", "--", ...command);
    expect({ code, err: code === 0 ? "" : err }).toEqual({ code: 0, err: "" });
    return out.trim();
  }

  const untilRuns = (cluster: Cluster, run: string): Promise<unknown> =>
    waitUntil(`run ${run} to have a living process`, async () => {
      const { tasks } = await cluster.json<{ tasks: { run: number; state: string }[] }>("ps");
      return tasks.some((one) => String(one.run) === run && one.state === "running") || null;
    });

  /** Starts a task that ends with 7 once a file is there. */
  async function waitingTask(cluster: Cluster): Promise<[run: string, marker: string]> {
    const script = "while [ ! -e /tmp/orch-go-$ORCH_RUN ]; do sleep 0.1; done; exit 7";
    const run = await submitted(cluster, "sh", "-c", script);
    const marker = `/tmp/orch-go-${run}`;
    rmSync(marker, { force: true });
    undo.push(() => rmSync(marker, { force: true }));
    await untilRuns(cluster, run);
    return [run, marker];
  }

  /** What must hold while the disk takes nothing, and after it does again. `break_` and `mend` do that. */
  async function throughTrouble(
    cluster: Cluster,
    words: RegExp,
    breakIt: () => void,
    mend: () => void,
    writes = true,
  ): Promise<void> {
    const [before, marker] = await waitingTask(cluster);
    breakIt();
    // Work that is sent before anybody knows is told what it waits for, or is turned away.
    const early = await submitted(cluster, "true");
    await untilUnable(cluster, words);
    const late = await submitted(cluster, "true");
    await untilState(cluster, late, words);
    const explained = await cluster.orch("explain", late);
    expect(explained.out).toMatch(words);
    // The end of a task is told, although it cannot be written.
    writeFileSync(marker, "");
    if (writes) await untilState(cluster, before, /^failed/);
    mend();
    await untilState(cluster, before, /^failed/);
    await untilUnable(cluster, null);
    for (const run of [early, late]) await untilState(cluster, run, /^succeeded/, 60_000);
    // A new agent process finds nothing that the server has not heard, and runs nothing again.
    await cluster.agent("one").kill();
    await cluster.startAgent("one");
    await cluster.ready();
    expect(await stateOf(cluster, before)).toStartWith("failed");
    const tasks = await cluster.json<{ tasks: { run: number; attempt: number; state: string }[] }>("ps", "--all");
    expect(tasks.tasks.filter((one) => String(one.run) === before).map(({ state }) => state)).toEqual(["failed"]);
  }

  test("since it is full, says so, and an agent starts on it", async () => {
    const { cluster, disk } = await onDisk("full-disk", "512M");
    const filler = join(disk, "filler");
    const fill = (): void => void Bun.spawnSync(["dd", "if=/dev/zero", `of=${filler}`, "bs=64k"], { stderr: "ignore" });
    await throughTrouble(cluster, /disk is full/, fill, () => rmSync(filler));
    fill();
    await cluster.agent("one").kill();
    await cluster.startAgent("one");
    await untilUnable(cluster, /disk is full/);
    rmSync(filler);
    await untilUnable(cluster, null);
  }, 180_000);

  test("since it is read-only, says so, keeps its word, and an agent starts on it", async () => {
    const { cluster, disk } = await onDisk("read-only", "512M");
    const [run, marker] = await waitingTask(cluster);
    // The kernel makes a file system with an error read-only, whatever is open for writing there.
    const device = /^(\/dev\/(\S+)) (\S+) /gm;
    const mounts = await Bun.file("/proc/mounts").text();
    const name = [...mounts.matchAll(device)].find(([, , , at]) => at === disk)?.[2] ?? "";
    writeFileSync(`/sys/fs/ext4/${name}/trigger_fs_error`, "1");
    await untilUnable(cluster, /read-only/);
    const late = await submitted(cluster, "true");
    await waitUntil(
      "the reason to be told",
      async () => /read-only/.test(await stateOf(cluster, late)) || null,
      20_000,
    );
    writeFileSync(marker, "");
    await untilState(cluster, run, /^failed/);
    // A keeper that is killed leaves its socket, which cannot be removed.
    const [, kept] = [await cluster.agent("one").kill(), keeperOf(cluster)];
    if (kept !== undefined) signal(kept, "SIGKILL");
    await cluster.startAgent("one");
    await untilUnable(cluster, /read-only/);
    expect(await stateOf(cluster, run)).toStartWith("failed");
  }, 180_000);

  test("since it is frozen, is heard all the time", async () => {
    const { cluster, disk } = await onDisk("frozen", "512M");
    await throughTrouble(
      cluster,
      /does not answer/,
      () => must("fsfreeze", "-f", disk),
      () => must("fsfreeze", "-u", disk),
      false,
    );
  }, 180_000);
});

describe.if(process.platform === "linux")("a keeper that does not answer", () => {
  test("costs no job: another keeper begins it, once", async () => {
    const cluster = await Cluster.start({ name: "silent-keeper", agents: ["one"] });
    try {
      const held = await cluster.orch("run", "-d", ...LITTLE, "--", "sleep", "1000");
      await waitUntil("its keeper", () => keeperOf(cluster) ?? null);
      const keeper = keeperOf(cluster);
      if (keeper === undefined) throw new Error("no keeper");
      await waitUntil("it to run", async () => {
        const { tasks } = await cluster.json<{ tasks: { state: string }[] }>("ps");
        return tasks.some(({ state }) => state === "running") || null;
      });
      signal(keeper, "SIGSTOP");
      const ran = await cluster.orch("run", ...LITTLE, "-c", "echo once");
      expect({ code: ran.code, out: ran.out }).toEqual({ code: 0, out: "once\n" });
      const reason = async (): Promise<string> =>
        (await cluster.json<{ nodes: NodeView[] }>("nodes")).nodes[0]?.reason ?? "";
      await waitUntil(
        "the node to say so",
        async () => /does not answer, and keeps 1 task/.test(await reason()),
        30_000,
      );
      expect(await cluster.ok("nodes")).toContain(`its keeper (PID ${keeper.pid}) does not answer`);
      signal(keeper, "SIGCONT");
      await waitUntil("it to be over", async () => (await reason()) === "", 30_000);
      expect((await cluster.orch("cancel", held.out.trim())).code).toBe(0);
    } finally {
      expect(await cluster.close()).toEqual([]);
    }
  }, 60_000);
});

const keeperOf = (cluster: Cluster) =>
  processesOf(cluster.dataOf("one")).find(({ command }) => command.includes(" keeper "));
