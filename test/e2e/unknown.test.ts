// Nothing runs twice by itself: a job without retries writes one line, and then its keeper is killed, or its agent's
// files are lost. Nobody knows then how it ended, so its run asks a person instead of running again.

import { afterEach, describe, expect, test } from "bun:test";
import { cp } from "node:fs/promises";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { RunDetail } from "../../src/wire/api/runs";
import { QUICK, type Cluster } from "../support/cluster";
import { isAlive, processesOf, signal, type Found } from "../support/processes";
import { waitUntil } from "../support/wait";
import { withCluster } from "../support/with-cluster";

let gate = "";
afterEach(() => {
  gate = "";
});

/** A job that writes a line at its beginning, waits for the word, and succeeds. */
async function startJob(cluster: Cluster, ...flags: string[]): Promise<{ run: number; pid: number; id: string }> {
  gate = join(cluster.dir, "gate");
  const lines = join(cluster.dir, "lines");
  const script = `echo begun >> ${lines}; while [ ! -e ${gate} ]; do sleep 0.1; done; echo the last words`;
  const run = Number(await cluster.ok("run", "-d", "--cpu", "20m", "--memory", "16MiB", ...flags, "-c", script));
  const [task] = await cluster.until("the job to run", (all) => all.some((one) => one.run === run && one.pid !== null));
  await waitUntil("its line", () => existsSync(lines));
  return { run, pid: task?.pid ?? 0, id: task?.id ?? "" };
}

const linesOf = (cluster: Cluster): number =>
  readFileSync(join(cluster.dir, "lines"), "utf8").trim().split("\n").length;
const runOf = async (cluster: Cluster, run: number): Promise<RunDetail> => cluster.json("show", String(run));

/** Waits until the run asks, and holds what it says. */
async function asks(cluster: Cluster, run: number): Promise<RunDetail> {
  const asked = await waitUntil(
    "the run to ask",
    async () => {
      const seen = await runOf(cluster, run);
      if (seen.tasks.some(({ attempt, id }) => attempt > 1 && id !== null)) throw new Error("it ran twice");
      // What the run waits for is what the next pass of the planner finds.
      return seen.unknown === 1 && seen.reason !== null ? seen : null;
    },
    30_000,
  );
  expect(asked).toMatchObject({ state: "running", exit_code: null });
  expect(asked.reason).toContain("nobody knows how it ended on n1");
  expect(asked.reason).toContain(`orch retry ${run} runs it again; orch settle ${run} --as succeeded`);
  expect(asked.tasks).toMatchObject([{ state: "unknown", exit_code: null, signal: null, attempt: 1 }]);
  const explained = await cluster.ok("explain", String(run));
  expect(explained).toContain("waits for a person");
  expect(explained).toContain(`orch settle ${run} --as succeeded (or failed)`);
  expect(await cluster.ok("ps")).toContain("waits for a person");
  expect(await cluster.ok("runs")).toContain("waits for a person");
  expect(linesOf(cluster)).toBe(1);
  return asked;
}

const keeperOf = (cluster: Cluster): Found => {
  const found = processesOf(cluster.dataOf("n1")).find(({ command }) => / keeper /.test(command));
  if (found === undefined) throw new Error("there is no keeper");
  return found;
};

async function killKeeper(cluster: Cluster): Promise<void> {
  const keeper = keeperOf(cluster);
  signal(keeper, "SIGKILL");
  await waitUntil("the keeper to be dead", () => !isAlive(keeper.pid));
}

const finishes = async (pid: number): Promise<void> => {
  await Bun.write(gate, "");
  await waitUntil("the job to end", () => !isAlive(pid), 20_000);
};

const tasksDir = (cluster: Cluster): string => join(cluster.dataOf("n1"), "agent", "tasks");

const LOSSES: readonly (readonly [string, (cluster: Cluster, job: { pid: number }) => Promise<void>])[] = [
  [
    "its keeper was killed",
    async (cluster, { pid }) => {
      await killKeeper(cluster);
      await finishes(pid);
    },
  ],
  [
    "its keeper and its agent were killed",
    async (cluster, { pid }) => {
      await cluster.agent("n1").kill("SIGKILL");
      await killKeeper(cluster);
      await finishes(pid);
      await cluster.startAgent("n1");
    },
  ],
  [
    "its own directory was lost while the agent was away",
    async (cluster, { pid }) => {
      await cluster.agent("n1").kill("SIGKILL");
      for (const name of readdirSync(tasksDir(cluster))) rmSync(join(tasksDir(cluster), name), { recursive: true });
      await finishes(pid);
      await cluster.startAgent("n1");
    },
  ],
  [
    "the directory of all tasks was lost, and the keeper too",
    async (cluster, { pid }) => {
      await cluster.agent("n1").kill("SIGKILL");
      await killKeeper(cluster);
      rmSync(tasksDir(cluster), { recursive: true });
      await finishes(pid);
      await cluster.startAgent("n1");
    },
  ],
];

describe("a job without retries asks a person, and runs once", () => {
  for (const [what, lose] of LOSSES) {
    test(`${what}; a word that it succeeded ends it`, async () => {
      await withCluster({ name: "unknown", agents: ["n1"], settings: QUICK }, async (cluster) => {
        const job = await startJob(cluster);
        await lose(cluster, job);
        await asks(cluster, job.run);
        expect(await cluster.ok("settle", String(job.run), "--as", "succeeded")).toBe(
          `run ${job.run}: counts as succeeded\n`,
        );
        const over = await waitUntil("the run to be over", async () => {
          const seen = await runOf(cluster, job.run);
          return seen.state === "succeeded" ? seen : null;
        });
        expect(over).toMatchObject({ exit_code: null, cause: "result_unknown", unknown: 0 });
        expect(linesOf(cluster)).toBe(1);
      });
    }, 90_000);
  }
});

/** Lets the machine join again on a new data directory, which an operator has to approve. */
async function joinAgain(cluster: Cluster): Promise<void> {
  const flags = ["--token", await cluster.joinToken(), "--name", "n1", "--capacity", "cpu=4,memory=4GiB"];
  const again = ["agent", "join", cluster.url, "--data", cluster.dataOf("n1"), ...flags];
  await waitUntil("the new key to wait", async () => cluster.program("n1", again).line(/waits to join as n1/), 40_000);
  await cluster.ok("node", "approve", "n1");
  await cluster.agent("n1").line(/joined as n1/);
}

describe("a data directory that is lost while the agent is away", () => {
  test("has the job ask that ended meanwhile, also after its agent has come back once more", async () => {
    await withCluster({ name: "unknown", agents: ["n1"], settings: QUICK }, async (cluster) => {
      const job = await startJob(cluster);
      await cluster.agent("n1").kill("SIGKILL");
      await finishes(job.pid);
      rmSync(join(cluster.dataOf("n1"), "agent"), { recursive: true });
      await joinAgain(cluster);
      await asks(cluster, job.run);
      // The agent applies a change on its new disk, which vouches for nothing that was assigned before.
      await cluster.ready();
      expect(await cluster.ok("run", "--cpu", "10m", "--memory", "8MiB", "-c", "echo other")).toBe("other\n");
      await cluster.agent("n1").kill("SIGKILL");
      await cluster.startAgent("n1");
      await cluster.ready();
      await asks(cluster, job.run);
      await cluster.ok("cancel", String(job.run));
      await waitUntil("it to be cancelled", async () => (await runOf(cluster, job.run)).state === "cancelled");
      expect(linesOf(cluster)).toBe(1);
    });
  }, 120_000);

  test("has the job ask that ended meanwhile, while another task lives on", async () => {
    await withCluster({ name: "unknown", agents: ["n1"], settings: QUICK }, async (cluster) => {
      const job = await startJob(cluster);
      const other = Number(
        await cluster.ok("run", "-d", "--cpu", "20m", "--memory", "16MiB", "-c", "exec sleep 30000"),
      );
      await cluster.until("the other one to run", (all) => all.some((one) => one.run === other && one.pid !== null));
      await cluster.agent("n1").kill("SIGKILL");
      await finishes(job.pid);
      rmSync(join(cluster.dataOf("n1"), "agent"), { recursive: true });
      await joinAgain(cluster);
      await asks(cluster, job.run);
      expect(await runOf(cluster, other)).toMatchObject({ state: "running", unknown: 0 });
      await cluster.ok("cancel", String(other));
      await waitUntil("it to be cancelled", async () => (await runOf(cluster, other)).state === "cancelled");
    });
  }, 120_000);

  test("has the job ask that lives on, once it has ended", async () => {
    await withCluster({ name: "unknown", agents: ["n1"], settings: QUICK }, async (cluster) => {
      const job = await startJob(cluster);
      await cluster.agent("n1").kill("SIGKILL");
      rmSync(join(cluster.dataOf("n1"), "agent"), { recursive: true });
      await joinAgain(cluster);
      await waitUntil("it to be shown", async () => (await cluster.nodes())[0]?.orphans.length === 1);
      expect(await runOf(cluster, job.run)).toMatchObject({ state: "running", unknown: 0 });
      await finishes(job.pid);
      await asks(cluster, job.run);
    });
  }, 120_000);
});

describe("a job whose end nobody knows", () => {
  test("gives who waits for it the exit code 123, and runs again when a person says so", async () => {
    await withCluster({ name: "unknown", agents: ["n1"], settings: QUICK }, async (cluster) => {
      gate = join(cluster.dir, "gate");
      const lines = join(cluster.dir, "lines");
      const script = `echo begun >> ${lines}; while [ ! -e ${gate} ]; do sleep 0.1; done; echo the last words`;
      const waiting = cluster.orch("run", "--cpu", "20m", "--memory", "16MiB", "-c", script);
      const [task] = await cluster.until("it to run", (all) => all.some(({ pid }) => pid !== null));
      await waitUntil("its line", () => existsSync(lines));
      await killKeeper(cluster);
      await finishes(task!.pid!);
      const { code, out, err } = await waiting;
      expect([code, out]).toEqual([123, "the last words\n"]);
      expect(err).toContain("orch: run 1 waits for a person: nobody knows how it ended on n1");
      expect(await cluster.ok("logs", "1")).toBe("the last words\n");
      await cluster.ok("retry", "1");
      await waitUntil("its second attempt to succeed", async () => (await runOf(cluster, 1)).state === "succeeded");
      expect(linesOf(cluster)).toBe(2);
      const again = await cluster.orch("settle", "1", "--as", "failed");
      expect([again.code, again.err]).toEqual([1, expect.stringContaining("run 1 asks nothing: it is succeeded")]);
      expect(await cluster.ok("retry", "1")).toBe("run 2: run 1 again\n");
    });
  }, 90_000);

  test("asks again over a copy that knows neither the retry nor the cancel that came after it", async () => {
    await withCluster({ name: "unknown", agents: ["n1"], settings: QUICK }, async (cluster) => {
      const job = await startJob(cluster);
      await killKeeper(cluster);
      await finishes(job.pid);
      await asks(cluster, job.run);
      await cluster.server?.kill("SIGTERM");
      const copy = join(cluster.dir, "copy");
      await cp(join(cluster.data, "server"), copy, { recursive: true });
      await cluster.startServer();
      await cluster.ready();
      rmSync(gate);
      await cluster.ok("retry", String(job.run));
      await waitUntil("the second attempt", () => linesOf(cluster) === 2, 30_000);
      await cluster.ok("cancel", String(job.run));
      await waitUntil("its end", async () => (await runOf(cluster, job.run)).state === "cancelled", 30_000);
      await cluster.server?.kill("SIGTERM");
      await cluster.ok("restore", join(copy, "orch.db"), "--data", cluster.data, "--yes");
      await cluster.startServer();
      await cluster.ready();
      const asked = await waitUntil("the run to ask", async () => {
        const { unknown, reason } = await runOf(cluster, job.run);
        return unknown === 1 && reason?.includes("cancelled by") === true ? reason : null;
      });
      expect(asked).toContain("an order that the restored copy does not know: cancelled by");
      await cluster.ok("settle", String(job.run), "--as", "failed");
      await waitUntil("its end", async () => (await runOf(cluster, job.run)).state === "failed");
      expect(linesOf(cluster)).toBe(2);
    });
  }, 120_000);

  test("is tried again by itself, or fails, where its owner has said so", async () => {
    await withCluster({ name: "unknown", agents: ["n1"], settings: QUICK }, async (cluster) => {
      const job = await startJob(cluster, "--on-unknown-end", "retry");
      await killKeeper(cluster);
      await finishes(job.pid);
      await waitUntil("it to succeed", async () => (await runOf(cluster, job.run)).state === "succeeded", 30_000);
      expect(linesOf(cluster)).toBe(2);
      rmSync(gate);
      const other = await startJob(cluster, "--on-unknown-end", "fail");
      await killKeeper(cluster);
      await finishes(other.pid);
      const failed = await waitUntil("it to fail", async () => {
        const seen = await runOf(cluster, other.run);
        return seen.state === "failed" ? seen : null;
      });
      expect(failed).toMatchObject({ exit_code: null, cause: "result_unknown" });
      expect(failed.reason).toStartWith("nobody knows how it ended: ");
      expect(linesOf(cluster)).toBe(3);
    });
  }, 90_000);
});

describe("a directory that is lost under a living agent and keeper", () => {
  test("does not hide how its job ended", async () => {
    await withCluster({ name: "unknown", agents: ["n1"], settings: QUICK }, async (cluster) => {
      const job = await startJob(cluster);
      for (const name of readdirSync(tasksDir(cluster))) rmSync(join(tasksDir(cluster), name), { recursive: true });
      await finishes(job.pid);
      await waitUntil("it to succeed", async () => (await runOf(cluster, job.run)).state === "succeeded", 30_000);
      expect(linesOf(cluster)).toBe(1);
    });
  }, 90_000);
});
