// Machines that go away: dead, cut off, asleep. What happens to whose work is the workload's own choice.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { RunView } from "../../src/wire/api/runs";
import type { TaskView } from "../../src/wire/api/tasks";
import { QUICK, type Cluster } from "../support/cluster";
import { makeDisk, noDisk } from "../support/frozen";
import { isAlive, processesOf, signal } from "../support/processes";
import { waitUntil } from "../support/wait";
import { withCluster } from "../support/with-cluster";

const small = "resources: { cpu: 20m, memory: 16MiB }";
const of = (all: readonly TaskView[], app: string, state = "running"): TaskView[] =>
  all.filter((task) => task.app === app && task.state === state);

const nodeIs = async (cluster: Cluster, name: string, state: string): Promise<unknown> =>
  waitUntil(
    `${name} to be ${state}`,
    async () => (await cluster.nodes()).some((node) => node.name === name && node.state === state),
    20_000,
  );

/** Stops a whole machine where it stands, and lets it go on: a laptop's lid, a hypervisor's pause. */
function pauseMachine(cluster: Cluster, name: string, how: "SIGSTOP" | "SIGCONT"): void {
  for (const found of processesOf(cluster.dataOf(name))) signal(found, how);
}

async function nodeOf(cluster: Cluster, app: string): Promise<TaskView & { node: string }> {
  const [task] = of(await cluster.until(`${app} to run`, (all) => of(all, app).length === 1), app);
  if (task?.node == null) throw new Error(`${app} has no node`);
  return { ...task, node: task.node };
}

const one = (app: string, more: string): string =>
  `app: ${app}\nservices:\n  main: { run: "exec sleep 1000", ${small}, stop: { grace: 1s }${more} }\n`;

describe("a dead machine", () => {
  test("its service comes up elsewhere; its job waits for proof, which a word of the operator is", async () => {
    await withCluster({ name: "loss", agents: ["n1", "n2", "n3", "n4"], settings: QUICK }, async (cluster) => {
      await cluster.apply(one("web", ", place: { hosts: [n1, n2] }"));
      const web = await nodeOf(cluster, "web");
      await cluster.apply(
        `app: long\njobs:\n  train: { run: "sleep 1000", ${small}, retries: 1, ` +
          `place: { hosts: [${web.node}] } }\n`,
      );
      const train = await nodeOf(cluster, "long");
      await cluster.killMachine(web.node);
      const [moved] = of(
        await cluster.until("the service elsewhere", (all) => of(all, "web").some(({ node }) => node !== web.node)),
        "web",
      ).filter(({ node }) => node !== web.node);
      expect(moved?.attempt).toBeGreaterThan(web.attempt);
      const waiting = (await cluster.json<{ runs: RunView[] }>("runs")).runs.find(({ app }) => app === "long");
      expect(waiting).toMatchObject({ state: "running" });
      expect(await cluster.ok("explain", `${train.run}`)).toContain("forget");
      await cluster.ok("node", "forget", web.node, "--fenced", "--yes");
      const lost = await cluster.until("the job's task to be lost", (all) => of(all, "long", "lost").length === 1);
      expect(of(lost, "long", "lost")[0]?.id).toBe(train.id);
    });
  }, 120_000);

  test("a job with requeue runs again elsewhere", async () => {
    await withCluster(
      { name: "loss", agents: ["n1", "n2"], settings: [...QUICK, "mass_silence_share=0.9"] },
      async (cluster) => {
        await cluster.apply(`app: again\njobs:\n  main: { run: "sleep 1000", ${small}, on_node_loss: requeue }\n`);
        const first = await nodeOf(cluster, "again");
        await cluster.killMachine(first.node);
        await cluster.until("the second attempt", (all) =>
          of(all, "again").some(({ node, attempt }) => node !== first.node && attempt === 2),
        );
      },
    );
  }, 120_000);
});

/** Only the agent: its keeper and its tasks go on. */
function pauseAgent(cluster: Cluster, name: string, how: "SIGSTOP" | "SIGCONT"): void {
  process.kill(cluster.agent(name).pid, how);
}

describe("a machine that sleeps", () => {
  test.each([
    ["wakes", pauseMachine],
    ["whose agent alone was stopped wakes", pauseAgent],
  ])(
    "%s after it was given up: its old task is stopped, the new one stays, the node is ready",
    async (_what, pause) => {
      await withCluster({ name: "sleep", agents: ["n1", "n2", "n3"], settings: QUICK }, async (cluster) => {
        await cluster.apply(one("web", ""));
        const before = await nodeOf(cluster, "web");
        pause(cluster, before.node, "SIGSTOP");
        await nodeIs(cluster, before.node, "unreachable");
        const [after] = of(
          await cluster.until("the replacement", (all) => of(all, "web").some(({ node }) => node !== before.node)),
          "web",
        ).filter(({ node }) => node !== before.node);
        pause(cluster, before.node, "SIGCONT");
        await nodeIs(cluster, before.node, "ready");
        await waitUntil("the old task to end", () => !isAlive(before.pid!), 20_000);
        const settled = await cluster.until(
          "one task alone",
          (all) =>
            of(all, "web").length === 1 &&
            all.every(({ app, state }) => app !== "web" || state === "running" || state === "stopped"),
        );
        expect(of(settled, "web")[0]?.id).toBe(after?.id ?? "");
      });
    },
    120_000,
  );

  test("with its job goes on where it was: the job was never given up", async () => {
    await withCluster({ name: "sleep", agents: ["n1", "n2", "n3"], settings: QUICK }, async (cluster) => {
      const gate = join(cluster.dir, "gate");
      const run = `while [ ! -e ${gate} ]; do sleep 0.1; done; exit 5`;
      await cluster.apply(`app: job\njobs:\n  main: { run: "${run}", ${small} }\n`);
      const before = await nodeOf(cluster, "job");
      pauseMachine(cluster, before.node, "SIGSTOP");
      await nodeIs(cluster, before.node, "unreachable");
      await Bun.write(gate, "");
      pauseMachine(cluster, before.node, "SIGCONT");
      const ended = await cluster.until("its own end", (all) => of(all, "job", "failed").length === 1);
      expect(of(ended, "job", "failed")[0]).toMatchObject({ id: before.id, exit_code: 5, attempt: 1 });
    });
  }, 120_000);
});

interface Holder {
  readonly task: string;
  readonly first_ms: number;
  readonly last_ms: number;
}

/** Returns who wrote `TASK MS` into a file, in the order of their first lines. */
function holdersIn(text: string): Holder[] {
  const holders = new Map<string, Holder>();
  for (const line of text.trimEnd().split("\n")) {
    const [task = "", at = ""] = line.split(" ");
    const first_ms = holders.get(task)?.first_ms ?? Number(at);
    holders.set(task, { task, first_ms, last_ms: Number(at) });
  }
  return [...holders.values()];
}

describe("an exclusive task", () => {
  const LEASE = ["lease=10s", "lease_margin=2s", ...QUICK.filter((one) => !one.startsWith("replace"))];

  test("ends by itself when its agent is dead and its lease is over, and only then runs elsewhere", async () => {
    await withCluster(
      { name: "lease", agents: ["n1", "n2", "n3"], settings: [...LEASE, "replace_after=3s"] },
      async (cluster) => {
        const place = join(cluster.dir, "holders");
        const run = `echo start $$ >> ${place}; exec sleep 1000`;
        await cluster.apply(
          `app: db\nservices:\n  main:\n    run: "${run}"\n    exclusive: true\n    ${small}\n` +
            "    on_node_loss: replace\n    stop: { grace: 1s }\n",
        );
        const first = await nodeOf(cluster, "db");
        await cluster.agent(first.node).kill("SIGKILL");
        const moved = await cluster.until(
          "the replacement",
          (all) => of(all, "db").some(({ node }) => node !== first.node),
          60_000,
        );
        const second = of(moved, "db").find(({ node }) => node !== first.node);
        // At the moment the replacement runs, the first one's process has long ended: nobody but the keeper did that.
        expect(isAlive(first.pid!)).toBe(false);
        expect(isAlive(second!.pid!)).toBe(true);
      },
    );
  }, 120_000);

  const why = noDisk();
  test.if(why === null)(
    `is dead when its replacement begins, though its node's disk hangs${why === null ? "" : ` (skipped: ${why})`}`,
    async () => {
      const settings = [...LEASE, "replace_after=3s"];
      await withCluster({ name: "lease", settings }, async (cluster) => {
        const disk = makeDisk(join(cluster.dir, "n1.img"), cluster.dataOf("n1"));
        try {
          await cluster.startAgent("n1");
          await cluster.ready();
          const place = join(cluster.dir, "holders");
          const run = `trap '' TERM; while :; do echo $ORCH_TASK $(date +%s%3N) >> ${place}; sleep 0.1; done`;
          await cluster.apply(
            `app: db\nservices:\n  main:\n    run: "${run}"\n    exclusive: true\n    ${small}\n` +
              "    on_node_loss: replace\n    stop: { grace: 1s }\n",
          );
          const before = await nodeOf(cluster, "db");
          for (const name of ["n2", "n3"]) await cluster.startAgent(name);
          await cluster.ready();
          disk.freeze();
          // An agent that has nothing to write would go on, and so would its lease.
          pauseAgent(cluster, "n1", "SIGSTOP");
          await cluster.until("the replacement", (all) => of(all, "db").some(({ id }) => id !== before.id), 60_000);
          await waitUntil("the replacement to write", async () => holdersIn(await Bun.file(place).text()).length > 1);
          const holders = holdersIn(await Bun.file(place).text());
          const [older, newer] = holders.slice(-2);
          expect(older!.last_ms).toBeLessThan(newer!.first_ms);
          expect(holders).toHaveLength(2);
        } finally {
          disk.thaw();
          await cluster.killMachine("n1");
          disk.remove();
        }
      });
    },
    120_000,
  );

  test("lives on over a restart of the server that is shorter than its lease", async () => {
    await withCluster({ name: "lease", agents: ["n1"], settings: LEASE }, async (cluster) => {
      await cluster.apply(one("db", ", exclusive: true"));
      const task = await nodeOf(cluster, "db");
      await cluster.server?.kill("SIGKILL");
      await cluster.startServer();
      await cluster.ready();
      expect((await nodeOf(cluster, "db")).id).toBe(task.id);
      expect(isAlive(task.pid!)).toBe(true);
    });
  }, 60_000);
});

describe("silence of many", () => {
  test("replaces nothing and says so", async () => {
    await withCluster({ name: "many", agents: ["n1", "n2", "n3"], settings: QUICK }, async (cluster) => {
      await cluster.apply(
        "app: web\nservices:\n  main: { run: exec sleep 1000, replicas: 3, " + `place: { spread: node }, ${small} }\n`,
      );
      const before = await cluster.until("three to run", (all) => of(all, "web").length === 3);
      pauseMachine(cluster, "n1", "SIGSTOP");
      pauseMachine(cluster, "n2", "SIGSTOP");
      await nodeIs(cluster, "n1", "unreachable");
      await nodeIs(cluster, "n2", "unreachable");
      // Twice as long as it takes to be replaced: the plan itself has looked then, and says so of both.
      for (const node of ["n1", "n2"]) {
        const name = before.find((task) => task.node === node)!.name;
        await waitUntil(`the plan to say why ${name} is not replaced`, async () =>
          /is not replaced: n[12] has been silent for ([6-9]|\d\d)s, as many others/.test(
            await cluster.ok("explain", name),
          ),
        );
      }
      const during = await cluster.tasks("--all");
      expect(during.map(({ id }) => id).toSorted()).toEqual(before.map(({ id }) => id).toSorted());
      pauseMachine(cluster, "n1", "SIGCONT");
      pauseMachine(cluster, "n2", "SIGCONT");
      await nodeIs(cluster, "n1", "ready");
      await nodeIs(cluster, "n2", "ready");
      expect((await cluster.tasks()).map(({ id, state }) => [id, state]).toSorted()).toEqual(
        before.map(({ id }) => [id, "running"]).toSorted(),
      );
    });
  }, 120_000);
});
