// Idle cards for real: an agent that looks at a stand-in for NVIDIA's library, a run that holds a card and does nothing
// with it, and another that waits for one.

import { afterAll, beforeAll, expect, test } from "bun:test";
import type { RunDetail } from "../../src/wire/api/runs";
import type { TaskView } from "../../src/wire/api/tasks";
import type { GpuView } from "../../src/wire/api/devices";
import { Cluster, QUICK } from "../support/cluster";
import { card, compiler, LIBRARY_LINE, NvmlMachine, without } from "../support/devices/nvml";
import { BINARY } from "../support/program";
import { waitUntil } from "../support/wait";

const canRun = "cc" in compiler;
let cluster: Cluster;
let machine: NvmlMachine;
beforeAll(async () => {
  if (!canRun) return;
  machine = await NvmlMachine.make();
  show(90);
  cluster = await Cluster.start({ name: "idle", settings: QUICK });
  const args = ["agent", "join", cluster.url, "--name", "n1", "--token", await cluster.joinToken()];
  const share = ["--data", cluster.dataOf("n1"), "--capacity", "cpu=4,memory=4GiB"];
  await cluster
    .program("n1", [...args, ...share], ["/usr/bin/env", `ORCH_NVML=${machine.library}`, BINARY])
    .line(/joined as n1/);
  await cluster.ready();
}, 60_000);
afterAll(async () => {
  if (!canRun) return;
  expect(await cluster.close()).toEqual([]);
  await machine.close();
});

/** How much the one card is used. */
const show = (util: number): void => machine.tell([LIBRARY_LINE, card(0, 0x1b, "A100", { util })]);
const gpu = async (): Promise<GpuView | undefined> => (await cluster.json<{ devices: GpuView[] }>("gpus")).devices[0];
const isRunning = (tasks: readonly TaskView[], name: string): boolean =>
  tasks.some((task) => task.name.replace(/#.*/, "") === name && task.state === "running");

test.skipIf(!canRun)(
  `an idle run gives its card to one who waits, a busy one keeps it${without}`,
  async () => {
    await waitUntil("the card to be read", async () => (await gpu())?.reading?.utilization_percent === 90);
    await cluster.apply(`app: lazy
jobs:
  train: { run: "exec sleep 1000", resources: { gpu: 1, cpu: 20m, memory: 16MiB }, idle: { for: 2s, then: stop } }
`);
    const started = await cluster.until("it to run", (all) => isRunning(all, "lazy.train.0"));
    const first = started.find((task) => task.workload === "train")?.run ?? 0;
    const second = (
      await cluster.ok("run", "-d", "--gpu", "1", "--cpu", "20m", "--memory", "16MiB", "--", "sleep", "1000")
    ).trim();
    await waitUntil("the second run to wait", async () =>
      (await cluster.json<RunDetail>("show", second)).reason?.includes("waits"),
    );
    expect((await cluster.json<RunDetail>("show", String(first))).state).toBe("running");

    const idle_since_ms = Date.now();
    show(1);
    await cluster.until("the one who waits to run", (all) => isRunning(all, second), 30_000);
    const run = await cluster.json<RunDetail>("show", String(first));
    expect([run.state, run.reason]).toEqual([
      "cancelled",
      `its GPU was below 5 % for 2s, and sleep (run ${second}) waits for a card`,
    ]);
    // The time in which it worked does not count.
    expect(run.finished_ms! - idle_since_ms).toBeGreaterThanOrEqual(2_000);
    expect(await cluster.ok("gpus")).toMatch(
      new RegExp(`n1 +0 +taken +A100.* 1% .*admin (sleep \\(run ${second}\\)|run ${second})`),
    );
    await cluster.ok("cancel", second);
    await cluster.ok("rm", "lazy", "--yes");
  },
  90_000,
);
