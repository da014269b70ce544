// Joining, with real processes: no token is readable of a process that stays, an agent waits for an operator's word and
// survives its own restart meanwhile, and a data directory that is lost is replaced by approval alone.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { NodeView } from "../../src/wire/api/nodes";
import { Cluster, QUICK } from "../support/cluster";
import { processes } from "../support/processes";
import { Program, runOrch } from "../support/program";
import { waitUntil } from "../support/wait";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({ name: "joining", settings: QUICK, agents: [] });
});
afterAll(async () => expect(await cluster.close()).toEqual([]));

const token = async (...flags: string[]): Promise<string> =>
  (await cluster.json<{ token: string }>("token", "new", "--role", "agent", ...flags)).token;
const argsOf = (name: string, ...more: string[]): string[] => [
  "agent",
  "join",
  cluster.url,
  "--name",
  name,
  "--data",
  cluster.dataOf(name),
  "--capacity",
  "cpu=1,memory=1GiB",
  ...more,
];
const node = async (name: string): Promise<NodeView | undefined> =>
  (await cluster.nodes()).find((one) => one.name === name);
const ready = async (name: string): Promise<unknown> =>
  waitUntil(`${name} to be ready`, async () => (await node(name))?.state === "ready", 30_000);

/** Returns the processes of this machine in whose command line or environment the secret stands. */
function tellers(secret: string): string[] {
  const read = (path: string): string => {
    try {
      return readFileSync(path, "utf8");
    } catch (error) {
      // The process has ended, or belongs to the system.
      return String((error as NodeJS.ErrnoException).code);
    }
  };
  return processes().flatMap(({ pid, command }) =>
    ["cmdline", "environ"].flatMap((file) =>
      read(`/proc/${pid}/${file}`).includes(secret) ? [`${pid} (${command.split(" ")[0] ?? ""}): ${file}`] : [],
    ),
  );
}

describe("a token", () => {
  const ways: readonly (readonly [string, (secret: string, name: string) => Promise<Program>])[] = [
    ["in the command line", async (secret, name) => cluster.program(name, argsOf(name, "--token", secret))],
    ["behind an equals sign", async (secret, name) => cluster.program(name, argsOf(name, `--token=${secret}`))],
    [
      "in the environment",
      async (secret, name) => {
        const env = { ...cluster.env, ORCH_TOKEN: secret };
        const agent = Program.start(name, argsOf(name), join(cluster.dir, `${name}.log`), env);
        cluster.agents.set(name, agent);
        return Promise.resolve(agent);
      },
    ],
    [
      "in a file",
      async (secret, name) => {
        const file = join(cluster.dir, "token");
        await writeFile(file, `${secret}\n`, { mode: 0o600 });
        return cluster.program(name, argsOf(name, "--token-file", file));
      },
    ],
    [
      "on standard input",
      async (secret, name) => {
        const file = join(cluster.dir, "stdin");
        await writeFile(file, `${secret}\n`, { mode: 0o600 });
        const argv = ["sh", "-c", 'exec "$0" "$@" < "$STDIN"', join(import.meta.dir, "../../dist/orch")];
        return Promise.resolve(cluster.program(name, argsOf(name, "--token", "-"), ["env", `STDIN=${file}`, ...argv]));
      },
    ],
  ];
  for (const [n, [where, start]] of ways.entries()) {
    test(`${where} joins, and no process that stays shows it: agent, keeper, task or tool`, async () => {
      const name = `way${n}`;
      const secret = await token();
      const agent = await start(secret, name);
      await agent.line(/joined as way/);
      await ready(name);
      expect(tellers(secret)).toEqual([]);
      const job = ["run", "-d", "--name", name, "--cpu", "10m", "--memory", "8MiB", "--", "sleep", "1000"];
      await cluster.ok(...job);
      await cluster.until("the job to run", (all) => all.some((one) => one.state === "running"));
      expect(tellers(secret)).toEqual([]);
      expect(await node(name)).toMatchObject({ joined_by: expect.any(String) });
      await cluster.killMachine(name);
      await cluster
        .ok("node", "forget", name, "--yes", "--fenced")
        .catch(async () =>
          waitUntil(
            "it to be away",
            async () => (await cluster.orch("node", "forget", name, "--yes", "--fenced")).code === 0,
          ),
        );
      await cluster.ok("cancel", name).catch(() => "");
      cluster.agents.delete(name);
    }, 60_000);
  }
});

test("a node to be approved waits in the foreground, over its own restart too, without work", async () => {
  const secret = await token("--approve");
  let agent = cluster.program("late", argsOf("late", "--token", secret));
  await agent.line(/waits to join as late: .*orch node approve late/);
  expect(await node("late")).toMatchObject({ state: "joining", reason: "waits for approval: orch node approve late" });
  const small = ["--cpu", "10m", "--memory", "8MiB", "--wait-for-nodes"];
  const run = (await cluster.ok("run", "-d", ...small, "--", "true")).trim();
  expect(await cluster.ok("explain", run)).toContain("waits for approval: orch node approve late");
  await agent.kill("SIGKILL");
  agent = cluster.program("late", argsOf("late"));
  const [, key = ""] = await agent.line(/waits to join as late: .*key ([0-9a-f]{16})/);
  expect((await cluster.json<NodeView>("node", "show", "late")).waiting).toMatchObject({ key, address: "127.0.0.1" });
  expect((await cluster.orch("node", "approve", "late", "--key", "0".repeat(16))).code).toBe(1);
  expect(await cluster.ok("node", "approve", "late", "--key", key)).toContain(`late: approved, key ${key}`);
  await agent.line(/joined as late/, 30_000);
  await ready("late");
  expect(await cluster.ok("events")).toContain("approved");
}, 60_000);

test("a machine that an operator refuses is told so and ends, and its use of the token is given back", async () => {
  const secret = await token("--approve");
  const agent = cluster.program("turned", argsOf("turned", "--token", secret));
  await agent.line(/waits to join as turned/);
  await cluster.ok("node", "refuse", "turned");
  await agent.line(/an operator has refused this machine/, 20_000);
  await waitUntil("it to end", () => !agent.running, 10_000);
  expect(await node("turned")).toBeUndefined();
  const { tokens } = await cluster.json<{ tokens: { joins: { used: number; approve: boolean } | null }[] }>(
    "token",
    "ls",
  );
  expect(tokens.filter(({ joins }) => joins?.approve).some(({ joins }) => joins?.used === 0)).toBe(true);
  cluster.agents.delete("turned");
}, 60_000);

test("the key of before vouches at once for a fresh directory, while its agent is connected and gone", async () => {
  const secret = await token("--uses", "5");
  const before = cluster.program("moved", argsOf("moved", "--token", secret));
  await before.line(/joined as moved/);
  await ready("moved");
  await before.kill("SIGKILL");
  const data = join(cluster.dir, "fresh");
  const old = cluster.dataOf("moved");
  const args = ["agent", "join", cluster.url, "--data", data, "--capacity", "cpu=1,memory=1GiB", "--token", secret];
  const after = Program.start("moved", [...args, "--previous", old], join(cluster.dir, "moved2.log"), cluster.env);
  cluster.agents.set("moved", after);
  await after.line(/joined as moved$/m, 20_000);
  await ready("moved");
  expect((await cluster.nodes()).filter(({ name }) => name.startsWith("moved")).length).toBe(1);
}, 60_000);

test("a data directory that is lost is replaced when an operator approves, and by nothing less", async () => {
  const agent = cluster.agent("late");
  await agent.kill("SIGKILL");
  const lost = join(cluster.dir, "lost");
  await rename(cluster.dataOf("late"), lost);
  const secret = await token("--uses", "5");
  const again = await waitUntil(
    "the old agent to count as away",
    async () => {
      const program = cluster.program("late", argsOf("late", "--token", secret));
      await program.line(/waits to join as late/, 5_000);
      return program;
    },
    40_000,
  );
  expect((await node("late"))?.reason).toContain("orch node approve late");
  await cluster.ok("node", "approve", "late");
  await again.line(/joined as late/, 30_000);
  await ready("late");
  // The key before is nobody's now.
  const old = Program.start("old", argsOf("late").with(6, lost), join(cluster.dir, "old.log"), cluster.env);
  await old.line(/joined again since|is held|another agent/);
  await old.kill("SIGKILL");
  await rm(lost, { recursive: true });
}, 90_000);

test("the printed token lets in one machine, and says so to the second", async () => {
  const printed = /--token (orch1-\S+)/.exec(cluster.server?.output() ?? "")?.[1] ?? "";
  const first = cluster.program("one", argsOf("one", "--token", printed));
  await first.line(/joined as one/);
  const env = { ...cluster.env, ORCH_DATA: cluster.dataOf("two") };
  const second = await runOrch(argsOf("two", "--token", printed), env);
  expect([second.code, second.err]).toEqual([4, expect.stringContaining("is used up: it lets in one machine")]);
  // It is not kept: the next start needs another one.
  const third = await runOrch(argsOf("two"), env);
  expect([third.code, third.err]).toEqual([2, expect.stringContaining("no token was given")]);
  // An address that is wrong is told apart by what is wrong with it.
  await first.kill("SIGKILL");
  const lost = cluster.program("one", argsOf("one").with(2, "https://nosuch.invalid:4400"));
  await lost.line(/no connection to .*: the name nosuch.invalid is not known here/, 20_000);
}, 60_000);
