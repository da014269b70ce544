// Beyond one machine everything is TLS with a pinned key: agents and people join with what the server printed, and
// another server in the same place is no server to them.

import { expect, test } from "bun:test";
import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { QUICK } from "../support/cluster";
import { isAlive } from "../support/processes";
import { runOrch } from "../support/program";
import { waitUntil } from "../support/wait";
import { withCluster } from "../support/with-cluster";

const APP = "app: web\nservices:\n  main: { run: exec sleep 1000, resources: { cpu: 20m, memory: 16MiB } }\n";

test("agents and people join over TLS, and refuse a server with another key", async () => {
  const options = { name: "tls", agents: ["n1"], settings: QUICK, listen: "0.0.0.0:0" };
  await withCluster(options, async (cluster) => {
    expect(cluster.url).toStartWith("https://");
    expect((await cluster.apply(APP)).code).toBe(0);
    const [task] = await cluster.until("the service", (all) => all.some(({ state }) => state === "running"));

    // A person on another machine: the line that `user add` prints, and nothing else of the server.
    const home = join(cluster.dir, "alice");
    await mkdir(home);
    const env = { ...cluster.env, HOME: home, ORCH_DATA: join(home, "none") };
    const { token } = await cluster.json<{ token: string }>("user", "add", "alice");
    const login = await runOrch(["login", cluster.url], env, `${token}\n`);
    expect(`${login.code} ${login.err}`).toStartWith("0 ");
    expect((await runOrch(["ps"], env)).out).toContain("web.main.0");

    // Another server, with a key of its own, where the first one was.
    await cluster.server?.kill("SIGTERM");
    const aside = join(cluster.dir, "aside");
    await rename(cluster.data, aside);
    await cluster.startServer();
    const refused = await runOrch(["ps"], env);
    expect(refused.code).toBe(3);
    expect(refused.err).toContain("is not the server of this token");
    expect(refused.out).toBe("");
    await cluster.agent("n1").line(/no connection to .*: TLS handshake failed: self signed certificate/, 30_000);
    expect(await cluster.nodes()).toEqual([]);
    expect(isAlive(task!.pid!)).toBe(true);

    await cluster.server?.kill("SIGTERM");
    await rename(cluster.data, join(cluster.dir, "other"));
    await rename(aside, cluster.data);
    await cluster.startServer();
    if (!cluster.agent("n1").running) await cluster.startAgent("n1");
    await waitUntil("the node to be back", async () => (await cluster.nodes())[0]?.state === "ready", 40_000);
    expect((await runOrch(["ps"], env)).out).toContain("web.main.0");
    expect((await cluster.tasks()).map(({ id }) => id)).toEqual([task?.id ?? null]);
  });
}, 120_000);
