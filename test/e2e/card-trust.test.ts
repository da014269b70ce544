// The card is believed, not the book: strangers on it, what a task leaves, who takes too much, what the kernel says.
// Real tasks and processes; a stand-in for NVIDIA's library says what they hold, and a file is the kernel's log.

import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TaskView } from "../../src/wire/api/tasks";
import type { GpuView } from "../../src/wire/api/devices";
import { Cluster, QUICK } from "../support/cluster";
import { card, compiler, GPU, LIBRARY_LINE, NvmlMachine, without, type Line } from "../support/devices/nvml";
import { isAlive, processes } from "../support/processes";
import { waitUntil } from "../support/wait";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const BUSES = [0x1b, 0x43] as const;
const LITTLE = "cpu: 20m, memory: 16MiB";

/** What is on a card: pids with what they hold, and memory that no process shows. */
interface Load {
  readonly processes?: readonly (readonly [pid: number, bytes: number])[];
  readonly stray?: number;
  /** How the card itself is told. */
  readonly over?: Readonly<Record<string, string | number>>;
}

describe.if(!("why" in compiler))(`a node whose cards are looked at${without}`, () => {
  let machine: NvmlMachine;
  let cluster: Cluster;
  let kmsg: string;
  const strangers: Bun.Subprocess[] = [];

  beforeAll(async () => {
    machine = await NvmlMachine.make();
    kmsg = join(machine.site.root, "kmsg");
    writeFileSync(kmsg, "");
    show({}, {});
    const env = { ORCH_NVML: machine.library, ORCH_KMSG: kmsg };
    cluster = await Cluster.start({ name: "trust", settings: QUICK, agents: ["n1"], env });
  });
  afterEach(async () => {
    show({}, {});
    for (const one of strangers.splice(0)) one.kill("SIGKILL");
    for (const { run, finished_ms } of await cluster.tasks()) {
      if (run !== null && finished_ms === null) await cluster.orch("cancel", String(run));
    }
    await cluster.until("all to be over", (all) => all.every(({ finished_ms }) => finished_ms !== null));
  });
  afterAll(async () => {
    expect(await cluster.close()).toEqual([]);
    await machine.close();
  });

  /** What the library tells of the two cards from now on. */
  function show(...loads: readonly [Load, Load]): void {
    const lines = loads.flatMap(({ processes: on = [], stray = 0, over = {} }, n): Line[] => {
      const used = on.reduce((sum, [, bytes]) => sum + bytes, 4 * MIB + stray);
      const rows = on.map(([pid, memory]): Line => ["process", { card: n, pid, memory, kind: "compute" }]);
      return [card(n, BUSES[n] ?? 0, "H100", { used, ...over }), ...rows];
    });
    machine.tell([LIBRARY_LINE, ...lines]);
  }

  const gpus = async (): Promise<readonly GpuView[]> => (await cluster.json<{ devices: GpuView[] }>("gpus")).devices;
  const gpu = (n: number, what: string, holds: (one: GpuView) => boolean): Promise<GpuView> =>
    waitUntil(
      `card ${n}: ${what}`,
      async () => (await gpus()).find((one) => one.id === GPU(n) && holds(one)) ?? null,
      30_000,
    );
  const stranger = (): number => {
    const child = Bun.spawn(["/bin/sleep", "1000"], { stdin: "ignore", env: {} });
    strangers.push(child);
    return child.pid;
  };
  const start = async (script: string, ...flags: readonly string[]): Promise<number> =>
    Number(
      (await cluster.ok("run", "-d", "--cpu", "20m", "--memory", "16MiB", "--gpu", "1", ...flags, "-c", script)).trim(),
    );
  const taskOf = async (run: number, state: TaskView["state"]): Promise<TaskView> => {
    const is = (task: TaskView): boolean => task.run === run && task.state === state;
    const task = (await cluster.until(`run ${run} to be ${state}`, (all) => all.some(is), 30_000)).find(is);
    if (task === undefined) throw new Error("gone");
    return task;
  };
  const placeOf = ({ devices }: TaskView): number => [GPU(0), GPU(1)].indexOf(devices[0] ?? "");
  const loadOn = (n: number, load: Load): readonly [Load, Load] => (n === 0 ? [load, {}] : [{}, load]);
  const events = async (): Promise<string> => cluster.ok("events");

  test("a stranger's memory is shown with its name, planned around, and gone when it goes", async () => {
    const pid = stranger();
    show({ processes: [[pid, 20 * GIB]] }, {});
    const shown = await gpu(
      0,
      "to show the stranger",
      ({ foreign_bytes, reading }) => foreign_bytes > 0 && reading !== null,
    );
    expect(shown).toMatchObject({ state: "ok", foreign_bytes: 20 * GIB });
    expect(shown.foreign).toContain(`sleep (pid ${pid})`);
    const seen = await gpu(0, "to be read", ({ reading }) => reading?.processes.length === 1);
    expect(seen.reading?.processes).toMatchObject([{ pid, command: "sleep", foreign: true, task_id: null }]);
    const task = await taskOf(await start("exec sleep 1000"), "running");
    expect(task.devices).toEqual([GPU(1)]);
    show({}, {});
    await gpu(0, "to be free", ({ foreign_bytes }) => foreign_bytes === 0);
    expect(isAlive(pid)).toBe(true);
  }, 60_000);

  test("memory that stays keeps the card back, says so, and heals by itself", async () => {
    const first = await taskOf(await start("exec sleep 1000"), "running");
    const n = placeOf(first);
    show(...loadOn(n, { processes: [[first.pid ?? 0, 10 * GIB]] }));
    await gpu(n, "to be read", ({ reading }) => reading?.processes[0]?.foreign === false);
    await cluster.ok("cancel", String(first.run));
    show(...loadOn(n, { stray: 10 * GIB }));
    const dirty = await gpu(n, "to be dirty", ({ state }) => state === "dirty");
    expect(dirty.reason).toBe(
      `after ${first.name}: 10 GB more than on an idle card are in use, by no process that shows`,
    );
    const other = await taskOf(await start("exec sleep 1000"), "running");
    expect(placeOf(other)).toBe(1 - n);
    show({}, {});
    await gpu(n, "to be well", ({ state }) => state === "ok");
    expect(placeOf(await taskOf(await start("exec sleep 1000"), "running"))).toBe(n);
    expect(await events()).toContain("card dirty");
  }, 60_000);

  test("a process that escaped from its task is killed, and the card is handed over clean", async () => {
    const escape =
      "for f in /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*/cgroup.procs; do echo $$ 2>/dev/null >$f; done";
    const script = `setsid sh -c '${escape}; echo escaped $$; exec sleep 1000' & sleep 1000`;
    const task = await taskOf(await start(script), "running");
    const log = (): Promise<string> => cluster.ok("logs", String(task.run));
    const escaped = await waitUntil("it to escape", async () => Number(/escaped (\d+)/.exec(await log())?.[1]) || null);
    show(...loadOn(placeOf(task), { processes: [[escaped, 5 * GIB]] }));
    await cluster.ok("cancel", String(task.run));
    // The keeper finds it by the task's mark, else the agent by the card's list of processes.
    await waitUntil("it to be killed", () => !isAlive(escaped), 20_000);
    show({}, {});
    await gpu(placeOf(task), "to be well", ({ state }) => state === "ok");
  }, 60_000);

  test("a task that takes more than its share ends with the reason, and its neighbour goes on", async () => {
    await cluster.apply(`app: shared
jobs:
  greedy: { run: "exec sleep 1000", resources: { gpu: { share: 8GB }, ${LITTLE} } }
  modest: { run: "exec sleep 1000", resources: { gpu: { share: 8GB }, ${LITTLE} } }
`);
    const running = (all: readonly TaskView[]): TaskView[] =>
      all.filter(({ app, state }) => app === "shared" && state === "running");
    const both = running(await cluster.until("both to run", (all) => running(all).length === 2));
    const [greedy, modest] = ["greedy", "modest"].map((name) => both.find(({ workload }) => workload === name));
    const n = placeOf(greedy!);
    expect(placeOf(modest!)).toBe(n);
    show(
      ...loadOn(n, {
        processes: [
          [greedy!.pid!, 9.1 * GIB],
          [modest!.pid!, 7.5 * GIB],
        ],
      }),
    );
    const failed = await cluster.until("the greedy one to fail", (all) =>
      all.some((task) => task.id === greedy!.id && task.state === "failed"),
    );
    show(...loadOn(n, { processes: [[modest!.pid!, 7.5 * GIB]] }));
    expect(failed.find(({ id }) => id === greedy!.id)?.reason).toMatch(
      new RegExp(`^took 9\\.1 GB of GPU memory on ${GPU(n)}, asked for 8 GB`),
    );
    await gpu(n, "to be handed over", ({ promised }) => promised.length === 1);
    expect(isAlive(modest!.pid!)).toBe(true);
    await cluster.ok("rm", "shared", "--yes");
  }, 60_000);

  const xid = (n: number, rest: string): void =>
    appendFileSync(kmsg, `4,2434,2972079713,-;NVRM: Xid (PCI:0000:${BUSES[n]?.toString(16)}:00): ${rest}\n`);

  test("a task's own fault on its card is the reason of its end, and the card stays in use", async () => {
    const bus = (n: number): string => `0000:${BUSES[n]?.toString(16)}:00`;
    const place = `case $CUDA_VISIBLE_DEVICES in 0) pci=${bus(0)} ;; *) pci=${bus(1)} ;; esac`;
    const line = `echo "NVRM: Xid (PCI:$pci): 31, pid=$$, name=sh, Ch 00000010, MMU Fault" >>${kmsg}`;
    const task = await taskOf(await start(`${place}; ${line}; exit 3`), "failed");
    expect(task).toMatchObject({
      exit_code: 3,
      reason: expect.stringContaining("XID 31: the task's own memory fault"),
    });
    expect((await gpus()).map(({ state }) => state)).toEqual(["ok", "ok"]);
  }, 60_000);

  test("an agent that finds no driver kills nothing, and has its cards back with the driver", async () => {
    const task = await taskOf(await start("exec sleep 1000"), "running");
    await cluster.agent("n1").kill();
    machine.tell([["library", { init: 9 }]]);
    await cluster.startAgent("n1");
    await waitUntil(
      "the cards to be out of question",
      async () => (await gpus()).filter(({ state }) => state !== "ok").length === 2,
      30_000,
    );
    expect(isAlive(task.pid!)).toBe(true);
    show(...loadOn(placeOf(task), { processes: [[task.pid ?? 0, 10 * GIB]] }));
    await waitUntil(
      "the cards to be back",
      async () => (await gpus()).filter(({ state }) => state === "ok").length === 2,
      30_000,
    );
    expect((await taskOf(task.run!, "running")).pid).toBe(task.pid);
    // Until it is read anew, a card shows what was read of it before.
    const seen = await gpu(placeOf(task), "to be read", ({ reading }) => reading?.processes[0]?.pid === task.pid);
    expect(seen.reading?.processes).toMatchObject([{ foreign: false, task_id: task.id }]);
  }, 90_000);

  test("a card that falls off the bus is quarantined, its task ends, and the others go on", async () => {
    const [one, two] = [
      await taskOf(await start("exec sleep 1000"), "running"),
      await taskOf(await start("exec sleep 1000"), "running"),
    ];
    xid(placeOf(one), "79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.");
    expect((await taskOf(one.run!, "failed")).reason).toContain("lost its GPU: XID 79, fallen off the bus");
    expect(await gpu(placeOf(one), "to be quarantined", ({ state }) => state === "quarantined")).toMatchObject({
      reason: "XID 79, fallen off the bus",
    });
    expect((await taskOf(two.run!, "running")).pid).toBe(two.pid);
    expect((await cluster.nodes()).map(({ state }) => state)).toEqual(["ready"]);
    expect(await events()).toContain("XID 79, fallen off the bus");
    expect(readFileSync(join(cluster.dataOf("n1"), "agent", "devices.json"), "utf8")).toContain("XID 79");
    expect(processes().some(({ pid }) => pid === one.pid)).toBe(false);
    // The card answers and is clean: a test is its way back.
    expect(await cluster.ok("node", "test", "n1", "--wait")).toContain("n1: ready");
    await gpu(placeOf(one), "to be well", ({ state }) => state === "ok");
  }, 60_000);
});
