// Everything is TLS with a pinned key: agents and people join with what the server printed, and another server in the
// same place is no server to them. What older releases stored for plain HTTP on loopback goes on, over TLS.

import { expect, test } from "bun:test";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
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

test("what older releases stored for loopback is read as https, and the key is proven by the pin", async () => {
  await withCluster({ name: "older", agents: ["n1"], settings: QUICK }, async (cluster) => {
    const plain = cluster.url.replace("https:", "http:");
    const home = join(cluster.dir, "alice");
    await mkdir(home);
    const env = { ...cluster.env, HOME: home, ORCH_DATA: join(home, "none") };
    const { token } = await cluster.json<{ token: string }>("user", "add", "alice");
    expect((await runOrch(["login", "--name", "lab", plain], env, `${token}\n`)).code).toBe(0);
    const context = join(home, ".config/orch/contexts/lab.json");
    await writeFile(context, JSON.stringify({ url: plain, token, pin: null }), { mode: 0o600 });
    const client = join(cluster.data, "server", "client.json");
    const own = JSON.parse(await readFile(client, "utf8")) as { pin: string };
    await writeFile(client, JSON.stringify({ url: plain, pin: own.pin }), { mode: 0o600 });
    for (const one of [env, cluster.env]) expect((await runOrch(["nodes"], one)).out).toContain("n1");

    await cluster.agent("n1").kill("SIGTERM");
    const file = join(cluster.dataOf("n1"), "agent", "identity.json");
    const identity = JSON.parse(await readFile(file, "utf8")) as { urls: string[]; certificate: string };
    await writeFile(file, JSON.stringify({ ...identity, urls: [plain], certificate: null }), { mode: 0o600 });
    const args = ["agent", "join", "--data", cluster.dataOf("n1"), "--capacity", "cpu=1,memory=1GiB"];
    await cluster.program("n1", args).line(/joined as n1/);
    expect(JSON.parse(await readFile(file, "utf8"))).toMatchObject({
      urls: [cluster.url],
      certificate: identity.certificate,
    });
  });
}, 60_000);
