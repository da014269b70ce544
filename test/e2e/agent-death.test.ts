// The agent is killed again and again while twenty tasks live on its node: none is restarted, all are adopted, every
// exit code is the process's own and every log is whole. And what ends while the server is away is told, however much.

import { expect, test } from "bun:test";
import { join } from "node:path";
import type { TaskView } from "../../src/wire/api/tasks";
import { isAlive } from "../support/processes";
import { waitUntil } from "../support/wait";
import { withCluster } from "../support/with-cluster";

const TASKS = 20;
const KILLS = 20;
const LINES = 30;

/** Prints numbered lines while the agent comes and goes, waits for the word, then ends with a code of its own. */
const job = (n: number, gate: string): string =>
  `  j${n}:\n    resources: { cpu: 10m, memory: 8MiB }\n    run: |\n` +
  `      i=0; while [ $i -lt ${LINES} ]; do i=$((i + 1)); echo "line $i of j${n}"; sleep 0.1; done\n` +
  `      while [ ! -e ${gate} ]; do sleep 0.1; done\n      echo "last of j${n}"; exit ${n}\n`;

test(`${KILLS} times SIGKILL of an agent with ${TASKS} living tasks`, async () => {
  await withCluster({ name: "agent", agents: ["n1"] }, async (cluster) => {
    const gate = join(cluster.dir, "gate");
    const names = Array.from({ length: TASKS }, (_, n) => n);
    expect((await cluster.apply(`app: many\njobs:\n${names.map((n) => job(n, gate)).join("")}`)).code).toBe(0);
    const mine = (all: readonly TaskView[]): TaskView[] => all.filter(({ app }) => app === "many");
    const before = mine(
      await cluster.until(
        "all tasks to run",
        (all) => mine(all).filter(({ state }) => state === "running").length === TASKS,
      ),
    );
    const pids = before.map(({ pid }) => pid!);
    for (let n = 0; n < KILLS; n++) {
      await cluster.agent("n1").kill("SIGKILL");
      await cluster.startAgent("n1");
      expect(pids.filter((pid) => !isAlive(pid))).toEqual([]);
    }
    await waitUntil("the node to be ready", async () => (await cluster.nodes())[0]?.state === "ready");
    const adopted = mine(await cluster.tasks());
    expect(adopted.map(({ id, pid, state }) => [id, pid, state])).toEqual(
      before.map(({ id, pid }) => [id, pid, "running"]),
    );
    await cluster.agent("n1").kill("SIGKILL");
    await Bun.write(gate, "");
    await waitUntil("all processes to end without an agent", () => pids.every((pid) => !isAlive(pid)), 30_000);
    await cluster.startAgent("n1");
    const ended = mine(
      await cluster.until("all ends to be known", (all) => mine(all).every(({ finished_ms }) => finished_ms !== null)),
    );
    expect(ended.length).toBe(TASKS);
    for (const { workload, exit_code, state, attempt } of ended) {
      const code = Number(workload.slice(1));
      expect([workload, exit_code, state, attempt]).toEqual([workload, code, code === 0 ? "succeeded" : "failed", 1]);
    }
    for (const n of names) {
      const log = await cluster.ok("logs", `many.j${n}`);
      const whole = [...Array.from({ length: LINES }, (_, i) => `line ${i + 1} of j${n}`), `last of j${n}`, ""];
      expect(log.split("\n")).toEqual(whole);
    }
  });
}, 300_000);

const LOUD = 120;

test(`${LOUD} ends that each bring their worst last words are told by an agent that was cut off`, async () => {
  await withCluster({ name: "loud", agents: ["n1"] }, async (cluster) => {
    const gate = join(cluster.dir, "gate");
    // Control characters: in JSON each of them takes six bytes.
    const words = "head -c 4096 /dev/zero | tr '\\0' '\\1'";
    const run = `while [ ! -e ${gate} ]; do sleep 0.1; done; ${words}; ${words} >&2; exit 3`;
    const job = { command: ["sh", "-c", run], resources: { cpu: "10m", memory: "8MiB" } };
    const client = cluster.client();
    await Promise.all(
      Array.from({ length: LOUD }, async () => client.run({ name: "loud", project: null, job, wait_for_nodes: false })),
    );
    const all = await cluster.until(
      "all to run",
      (tasks) => tasks.filter(({ state }) => state === "running").length === LOUD,
    );
    const pids = all.map(({ pid }) => pid!);
    expect(pids.filter((pid) => !isAlive(pid))).toEqual([]);
    await cluster.server?.kill("SIGKILL");
    await Bun.write(gate, "");
    await waitUntil("all to end", () => pids.every((pid) => !isAlive(pid)), 30_000);
    await cluster.startServer();
    const ended = await cluster.until("all ends to be known", (tasks) =>
      tasks.every(({ finished_ms }) => finished_ms !== null),
    );
    expect(ended.map(({ state, exit_code }) => [state, exit_code])).toEqual(all.map(() => ["failed", 3]));
    expect((await cluster.nodes()).map(({ state }) => state)).toEqual(["ready"]);
  });
}, 120_000);
