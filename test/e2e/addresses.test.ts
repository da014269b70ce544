// What is printed for other machines works from them, or says that nothing does yet.

import { expect, test } from "bun:test";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { machineAddresses } from "../../src/os/addresses";
import { BINARY, Program } from "../support/program";
import { withCluster } from "../support/with-cluster";

/** What another machine has: an empty home, and no data of this server. */
async function away(dir: string, env: Record<string, string>): Promise<Record<string, string>> {
  const home = join(dir, "away");
  await mkdir(home, { recursive: true });
  return { ...env, HOME: home, ORCH_DATA: join(home, "none") };
}

const shell = (line: string): string[] => ["sh", "-c", line.replace(/\borch (login|agent)/, `'${BINARY}' $1`)];

test("a server on loopback says that no other machine reaches it, and how one would", async () => {
  await withCluster({ name: "near" }, async (cluster) => {
    expect(cluster.server?.output()).toMatch(
      /^one more agent, on this machine: orch agent join https:\/\/127\.0\.0\.1:/m,
    );
    expect(cluster.server?.output()).toMatch(/^other machines: none can reach it yet.* --listen 0\.0\.0\.0:4400$/m);
    const added = await cluster.orch("user", "add", "alice");
    expect(added.out).toContain(`| orch login ${cluster.url}`);
    expect(added.err).toMatch(/^for this machine; other machines: none can reach it yet.* --listen 0\.0\.0\.0:4400$/m);
    const made = await cluster.orch("token", "new", "--role", "agent");
    expect(made.err).toContain("other machines: none can reach it yet");
    const quiet = await cluster.orch("token", "new", "--role", "agent", "-q");
    expect([quiet.out.replace(/[0-9a-z]{96}\n$/, "…"), quiet.err]).toEqual(["orch1-…", ""]);
    const told = await cluster.json<{ server_url: null }>("user", "add", "bob");
    expect(told.server_url).toBeNull();
  });
}, 60_000);

test.skipIf(machineAddresses().every((one) => one.includes(":")))(
  "a server on every address gives one of its machine, and both lines work with it",
  async () => {
    await withCluster({ name: "far", listen: "0.0.0.0:0" }, async (cluster) => {
      const { port } = new URL(cluster.url);
      const first = machineAddresses().find((one) => !one.includes(":")) ?? "";
      expect(cluster.url).toBe(`https://${first}:${port}`);
      const env = await away(cluster.dir, cluster.env);

      const added = await cluster.orch("user", "add", "alice");
      expect([added.out.trim().replace(/orch1-\w+/, "T"), added.err]).toEqual([
        `echo T | orch login ${cluster.url}`,
        "",
      ]);
      const login = Bun.spawn(shell(added.out), { env, stdout: "pipe", stderr: "inherit" });
      expect(await new Response(login.stdout).text()).toContain(`logged in to ${cluster.url} as alice`);

      const line = /^one more machine: (.+)$/m.exec(cluster.server?.output() ?? "")?.[1] ?? "";
      expect(line).toStartWith(`orch agent join ${cluster.url} --token `);
      const argv = line.split(" ").slice(1);
      const agent = Program.start("away", [...argv, "--capacity", "cpu=1", "--name", "away"], join(cluster.dir, "a"), {
        ...env,
        ORCH_DATA: cluster.dataOf("away"),
      });
      await agent.line(/joined as away/);
      await agent.kill("SIGTERM");
    });
  },
  60_000,
);

test("the name that a server was given stands in both lines", async () => {
  await withCluster({ name: "named", listen: "0.0.0.0:0" }, async (cluster) => {
    await cluster.server?.kill("SIGTERM");
    await cluster.startServer("--host", "box1.lab");
    const { port } = new URL(cluster.url);
    expect(await cluster.ok("user", "add", "alice")).toContain(`orch login https://box1.lab:${port}\n`);
    expect(await cluster.ok("token", "new", "--role", "agent")).toContain(`join https://box1.lab:${port} --token`);
  });
}, 60_000);
