// The server is killed at random moments while people change things: what it acknowledged is there, once, and what it
// did not acknowledge happened once or not at all.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { RunView } from "../../src/wire/api/runs";
import type { TaskView } from "../../src/wire/api/tasks";
import { UnreachableError, type Client } from "../../src/wire/client";
import type { Cluster } from "../support/cluster";
import { isAlive } from "../support/processes";
import { randomMoment, waitUntil } from "../support/wait";
import { withCluster } from "../support/with-cluster";

const ROUNDS = 100;
const SUBMITTERS = 4;
const LONGEST_LIFE_MS = 250;

const KEEP =
  "app: keep\nservices:\n" + "  web: { run: exec sleep 1000, replicas: 3, resources: { cpu: 10m, memory: 8MiB } }\n";

interface Load {
  /** Names of jobs that were asked for, and the run that an acknowledged one got. */
  readonly asked: Set<string>;
  readonly acknowledged: Map<string, number>;
  readonly stop: { now: boolean };
}

/** Submits jobs with names of their own until told to stop; each writes its name to a file when it runs. */
async function submit(client: Client, lane: number, file: string, load: Load): Promise<void> {
  for (let n = 0; !load.stop.now; n++) {
    const name = `job-${lane}-${n}`;
    load.asked.add(name);
    const job = { command: ["sh", "-c", `echo ${name} >> ${file}`], resources: { cpu: "10m", memory: "4MiB" } };
    try {
      const { run } = await client.run({ name, project: null, job, wait_for_nodes: false });
      load.acknowledged.set(name, run);
    } catch (error) {
      // Nothing answers between a death and the next start: this name's fate is open.
      if (!(error instanceof UnreachableError)) throw error;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

async function allRuns(client: Client): Promise<RunView[]> {
  const all: RunView[] = [];
  for (let next: string | null | undefined; next !== null;) {
    const page: { runs: RunView[]; next: string | null } = await client.runs({
      all: true,
      limit: 500,
      ...(next === undefined ? {} : { next }),
    });
    all.push(...page.runs);
    next = page.next;
  }
  return all;
}

async function verify(cluster: Cluster, file: string, { asked, acknowledged }: Load): Promise<void> {
  const client = cluster.client();
  const runs = await waitUntil(
    "all runs to end",
    async () => {
      const all = (await allRuns(client)).filter(({ name }) => asked.has(name));
      return all.every(({ finished_ms }) => finished_ms !== null) ? all : null;
    },
    120_000,
  );
  const byName = Map.groupBy(runs, ({ name }) => name);
  expect([...byName.values()].filter((same) => same.length > 1).map(([one]) => one?.name)).toEqual([]);
  for (const [name, run] of acknowledged) expect(byName.get(name)?.[0]?.run, name).toBe(run);
  expect(new Set(runs.map(({ run }) => run)).size).toBe(runs.length);
  expect(runs.filter(({ state }) => state !== "succeeded")).toEqual([]);
  const lines = readFileSync(file, "utf8").trim().split("\n");
  expect(lines.toSorted()).toEqual([...byName.keys()].toSorted());
}

test(`${ROUNDS} times SIGKILL of the server under load: nothing acknowledged is lost or done twice`, async () => {
  await withCluster({ name: "death", agents: ["n1", "n2"] }, async (cluster) => {
    const file = join(cluster.dir, "ran");
    expect((await cluster.apply(KEEP)).code).toBe(0);
    const kept = (
      await cluster.until("the service to run", (all) => all.filter(({ state }) => state === "running").length === 3)
    ).map(({ pid }) => pid);
    const load: Load = { asked: new Set(), acknowledged: new Map(), stop: { now: false } };
    const client = cluster.client();
    const lanes = Array.from({ length: SUBMITTERS }, async (_, lane) => submit(client, lane, file, load));
    let replicas = 3;
    for (let round = 0; round < ROUNDS; round++) {
      const before = load.acknowledged.size;
      await waitUntil("the server to acknowledge again", () => load.acknowledged.size > before, 30_000);
      await randomMoment(LONGEST_LIFE_MS);
      // A change of another kind, acknowledged just before the end.
      if (round % 5 === 4) {
        replicas = 3 + (round % 3);
        await client.scale("default", "keep", "web", replicas);
      }
      await cluster.server?.kill("SIGKILL");
      await cluster.startServer();
    }
    load.stop.now = true;
    await Promise.all(lanes);
    await verify(cluster, file, load);
    // The service never noticed: the same processes, and as many as were asked for last.
    expect(kept.map((pid) => pid !== null && isAlive(pid))).toEqual([true, true, true]);
    await cluster.until(
      "the last acknowledged scale",
      (all: TaskView[]) => all.filter(({ app, state }) => app === "keep" && state === "running").length === replicas,
    );
  });
}, 600_000);
