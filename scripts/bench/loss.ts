// The loss of a machine with default settings: from the SIGKILL of agent, keeper and tasks to the replacement running.

import { Cluster } from "../../test/support/cluster";
import { median, repeated, row, type Bench } from "./figure";
import { Watched } from "./watched";

const APP = "app: bench\nservices:\n  web: { command: [sleep, '86400'], replicas: 1 }\n";

async function once(): Promise<number> {
  const cluster = await Cluster.start({ name: "bench", agents: ["n1", "n2", "n3"] });
  try {
    const { code, err } = await cluster.apply(APP);
    if (code !== 0) throw new Error(err);
    const [task] = await cluster.until("the service to run", (tasks) => tasks.some(({ state }) => state === "running"));
    const node = task?.node;
    if (node === null || node === undefined) throw new Error("the running task has no node");
    const watched = await Watched.open(cluster.client());
    const replaced = watched.until(
      (event) => event.kind === "task" && event.task.state === "running" && event.task.node !== node,
      120_000,
      "the replacement to run",
    );
    await cluster.killMachine(node);
    const started = performance.now();
    const at = await replaced;
    await watched.close();
    return (at - started) / 1000;
  } finally {
    await cluster.close();
  }
}

export const loss: Bench = {
  name: "loss",
  about: "SIGKILL of an agent's machine to the replacement running, default settings",
  measure: async ({ runs }) => [
    row("machine killed → replacement running (30 s are the setting)", median(await repeated(runs, once)), "s"),
  ],
};
