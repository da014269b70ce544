// What fails, and how long until its replacement runs: a process, a machine with default settings, and a machine that
// freezes where silence is noticed as early as that can be set; and whether that early notice is ever a false alarm.

import { pause } from "../../src/os/clock";
import { Cluster } from "../../test/support/cluster";
import { processesOf } from "../../test/support/processes";
import { median, repeated, row, type Bench, type Row } from "./figure";
import { SMALL } from "./spent";
import { Watched } from "./watched";

const APP = "app: bench\nservices:\n  web: { command: [sleep, '86400'], replicas: 1 }\n";
const AGENTS = ["n1", "n2", "n3", "n4"];
/** The connection's own bound is 1.5 s, so an earlier notice would be one of every connection that is dialled anew. */
const EARLY = ["unreachable_after=600ms", "replace_after=1s"];

/** Runs a service, lets something fail, and returns the seconds until another attempt of it runs. */
async function replaced(settings: string[], fail: (cluster: Cluster, node: string) => void): Promise<number> {
  const cluster = await Cluster.start({ name: "bench", agents: AGENTS, settings });
  try {
    const { code, err } = await cluster.apply(APP);
    if (code !== 0) throw new Error(err);
    const [task] = await cluster.until("the service to run", (tasks) => tasks.some(({ state }) => state === "running"));
    if (task === undefined || task.node === null) throw new Error("the running task has no node");
    const watched = await Watched.open(cluster.client());
    const another = watched.until(
      (event) => event.kind === "task" && event.task.state === "running" && event.task.attempt !== task.attempt,
      120_000,
      "the replacement to run",
    );
    fail(cluster, task.node);
    const started = performance.now();
    const at = await another;
    await watched.close();
    return (at - started) / 1000;
  } finally {
    await cluster.close();
  }
}

const killed = (cluster: Cluster, node: string): void => {
  for (const { pid } of processesOf(cluster.dataOf(node))) process.kill(pid, "SIGKILL");
};

const frozen = (cluster: Cluster, node: string): void => {
  for (const { pid } of processesOf(cluster.dataOf(node))) process.kill(pid, "SIGSTOP");
};

const crashed = (cluster: Cluster, node: string): void => {
  const task = processesOf(cluster.dataOf(node)).find(({ command }) => command.startsWith("sleep "));
  if (task === undefined) throw new Error("the service has no process");
  process.kill(task.pid, "SIGKILL");
};

export const loss: Bench = {
  name: "loss",
  about: "a crash, a machine that is killed, and one that freezes, to the replacement running",
  measure: async ({ runs }) => {
    const of = async (settings: string[], fail: typeof killed): Promise<number> =>
      median(await repeated(runs, async () => replaced(settings, fail)));
    return [
      row("service's process killed → running again (back-off included)", await of([], crashed), "s", {
        at_most: 0.02,
      }),
      row("machine killed → replacement running (30 s are the setting)", await of([], killed), "s"),
      row("machine frozen → replacement running, noticed as early as can be", await of(EARLY, frozen), "s", {
        at_most: 1.5,
      }),
    ];
  },
};

const MINUTES = 10;
/** An array that no machine is through with before it is cancelled. */
const ENDLESS = { command: ["/bin/true"], array: "0-999999", resources: SMALL };

/** Loads all cores with an array, and returns how often a node was taken for unreachable meanwhile. */
async function alarms(say: (line: string) => void): Promise<Row[]> {
  const capacity = "cpu=640m,memory=256MiB";
  const cluster = await Cluster.start({ name: "bench", agents: AGENTS, settings: EARLY, capacity });
  try {
    const watched = await Watched.open(cluster.client());
    let seen = 0;
    watched.each((event) => {
      if (event.kind !== "node" || event.node.state !== "unreachable") return;
      seen += 1;
      say(`${event.node.name} was taken for unreachable`);
    });
    const { run } = await cluster.client().run({ name: null, project: null, job: ENDLESS, wait_for_nodes: false });
    await pause(MINUTES * 60_000);
    await cluster.ok("cancel", String(run));
    await watched.close();
    return [row(`nodes taken for unreachable in ${MINUTES} min at full load`, seen, "times", { at_most: 0 })];
  } finally {
    await cluster.close();
  }
}

export const falseAlarms: Bench = {
  name: "alarms",
  about: `false alarms in ${MINUTES} minutes at full load, with early notice (only when named: it takes that long)`,
  named: true,
  measure: async ({ say }) => alarms(say),
};
