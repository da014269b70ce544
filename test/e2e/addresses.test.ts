// What is printed for other machines works from them, or says that nothing does yet.

import { describe, expect, test } from "bun:test";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { machineAddresses } from "../../src/os/addresses";
import type { Cluster } from "../support/cluster";
import { BINARY, Program, runOrch } from "../support/program";
import { waitUntil } from "../support/wait";
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

describe.skipIf(process.getuid?.() !== 0)("the line for one more agent on this machine (root only: namespaces)", () => {
  async function startAgain(cluster: Cluster, url: string, inside: readonly string[]): Promise<void> {
    await cluster.agent("up").kill("SIGTERM");
    const listen = new URL(url).host;
    const again = cluster.program("up", ["up", "--listen", listen, "--capacity", "cpu=2,memory=4GiB"], inside);
    await again.line(/joined as up/);
  }

  test.each([
    ["given a share", ["--capacity", "cpu=1,memory=1GiB"], "", () => Promise.resolve()],
    [
      "started without one, which is to get one",
      [],
      "end this one, start it again with a share (--capacity cpu=2,memory=4GiB), then: ",
      startAgain,
    ],
  ] as const)(
    "works as it is typed beside orch up that is %s",
    async (_, share, first, prepare) => {
      await withCluster({ name: "more" }, async (cluster) => {
        // Other tests' agents on this machine would forbid one without a share: here it sees none of them.
        const space = Bun.spawn(
          ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /run && echo made && exec sleep 1000"],
          {
            stdout: "pipe",
          },
        );
        try {
          expect(new TextDecoder().decode((await space.stdout.getReader().read()).value)).toBe("made\n");
          const inside = ["nsenter", "-t", String(space.pid), "-m", BINARY];
          const up = cluster.program("up", ["up", "--listen", "127.0.0.1:0", "--name", "up", ...share], inside);
          const [, url = ""] = await up.line(/listening on (https:\S+)/);
          await up.line(/joined as up/);
          const [, before, line = ""] = await up.line(/^one more agent, on this machine: (.*?)orch (agent join .*)$/m);
          expect(before).toBe(first);
          await prepare(cluster, url, inside);
          const more = cluster.program("up-more", line.split(" "), inside);
          await more.line(/joined as more/);
          const env = { ...cluster.env, ORCH_DATA: cluster.dataOf("up") };
          await waitUntil("both to be ready", async () =>
            /more +ready[^]*up +ready/.test((await runOrch(["nodes"], env)).out),
          );
          for (const one of cluster.agents.values()) await one.kill("SIGTERM");
        } finally {
          space.kill("SIGKILL");
        }
      });
    },
    60_000,
  );
});

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
