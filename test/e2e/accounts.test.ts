// Who tasks run as, by the agent's own account and its --accounts: accounts are the kernel's, so these tests need root.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmod, chown, copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Cluster } from "../support/cluster";
import { BINARY, Program, runOrch, type Result } from "../support/program";

const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;
const SHARE = ["--capacity", "cpu=1,memory=1GiB"];
const LITTLE = ["--cpu", "20m", "--memory", "16MiB", "--workdir", "/"];
/** An account that no other run of these tests makes. */
const MADE = `orch-t${process.pid}`;

describe.if(isRoot)(`the account of a task (root only; this is ${isRoot ? "root" : "not root"})`, () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start({ name: "accounts" });
    await Promise.all([joinAsNobody("own"), joinAsNobody("shared", "--accounts", "shared")]);
    await cluster.startAgent("create", "--pool", "create", "--accounts", "create");
    await cluster.ready();
  }, 30_000);
  afterAll(async () => {
    expect(await cluster.close()).toEqual([]);
    if (Bun.spawnSync(["id", MADE]).exitCode === 0) {
      expect(Bun.spawnSync(["userdel", "--remove", MADE], { stderr: "ignore" }).exitCode).toBe(0);
    }
  });

  /** An agent that is not root, in a pool of its own name. Its files lie where its account may go. */
  async function joinAsNobody(name: string, ...more: string[]): Promise<void> {
    const home = join(cluster.dir, "agents", name);
    await mkdir(home, { recursive: true });
    await chown(home, NOBODY, NOBODY);
    for (const dir of [cluster.dir, join(cluster.dir, "agents")]) await chmod(dir, 0o711);
    const binary = join(cluster.dir, `orch-${name}`);
    await copyFile(BINARY, binary);
    await chmod(binary, 0o755);
    const ids = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
    const asked = ["agent", "join", cluster.url, "--token", await cluster.joinToken(), "--name", name, "--pool", name];
    const env = { ...cluster.env, HOME: home, XDG_RUNTIME_DIR: home, ORCH_DATA: join(home, "data") };
    const argv = ["setpriv", ...ids, "--", binary, ...asked, ...SHARE, ...more];
    const agent = Program.startAs(name, argv, join(cluster.dir, `${name}.log`), env);
    cluster.agents.set(name, agent);
    await agent.line(/joined as /);
  }

  async function whoAmI(pool: string, token: string | null): Promise<Result> {
    const who = token === null ? [] : ["--token", token];
    return runOrch(["run", ...LITTLE, ...who, "--pool", pool, "--", "id", "-un"], cluster.env);
  }
  async function person(name: string, unix: string): Promise<string> {
    return (await cluster.json<{ token: string }>("user", "add", name, "--unix", unix)).token;
  }

  test("of an agent that is not root is its own, and tasks of others are refused with the reason", async () => {
    expect((await whoAmI("own", await person("nora", "nobody"))).out).toBe("nobody\n");
    const { code, err } = await whoAmI("own", null);
    expect([code, err.includes("its agent runs as nobody and takes no tasks of account root")]).toEqual([125, true]);
  });
  test("of such an agent under --accounts shared is its own for everybody's tasks", async () => {
    expect(await whoAmI("shared", null)).toMatchObject({ code: 0, out: "nobody\n" });
  });
  test("is made under --accounts create where it is missing", async () => {
    const token = await person("cora", MADE);
    expect((await whoAmI("create", token)).out).toBe(`${MADE}\n`);
  });
});
