// A server that is killed and started again: from the moment that it listens until all of its agents have a session.

import { join } from "node:path";
import { Cluster } from "../../test/support/cluster";
import { waitUntil } from "../../test/support/wait";
import { median, repeated, row, type Bench } from "./figure";

const AGENTS = 30;
/** Long enough for every agent to have waited its longest between two dials. */
const OUTAGE_MS = 15_000;
const GOAL = { at_most: 5 } as const;

interface Crowd {
  /** Returns how often an agent was welcomed so far. */
  joined(): number;
  end(): Promise<void>;
}

async function crowdOf(cluster: Cluster): Promise<Crowd> {
  const { token } = await cluster.json<{ token: string }>("token", "new", "--role", "agent", "--uses", `${AGENTS}`);
  const argv = [process.execPath, join(import.meta.dir, "crowd.ts"), cluster.url, token, `${AGENTS}`, "1"];
  const child = Bun.spawn(argv, { stdout: "pipe", stderr: "ignore" });
  let text = "";
  const reading = (async () => {
    for await (const chunk of child.stdout) text += new TextDecoder().decode(chunk);
  })();
  await waitUntil("the crowd", () => text.includes("ready"), 120_000);
  return {
    joined: () => text.split("joined ").length - 1,
    async end() {
      child.kill();
      await Promise.all([child.exited, reading]);
    },
  };
}

async function once(outage_ms: number): Promise<number> {
  const cluster = await Cluster.start({ name: "bench" });
  const crowd = await crowdOf(cluster);
  try {
    const before = crowd.joined();
    await cluster.server?.kill("SIGKILL");
    const killed = performance.now();
    await waitUntil("the outage to pass", () => performance.now() - killed >= outage_ms, outage_ms + 10_000);
    await cluster.startServer();
    const started = performance.now();
    await waitUntil("all to be back", () => crowd.joined() - before >= AGENTS, 120_000);
    return (performance.now() - started) / 1_000;
  } finally {
    await crowd.end();
    await cluster.close();
  }
}

export const reconnect: Bench = {
  name: "reconnect",
  about: "a server that is killed and started again, until its agents have a session",
  measure: async ({ runs }) => [
    row(`${AGENTS} agents back after a restart of the server`, median(await repeated(runs, () => once(0))), "s", GOAL),
    row("the same after an outage of 15 s", median(await repeated(runs, () => once(OUTAGE_MS))), "s", GOAL),
  ],
};
