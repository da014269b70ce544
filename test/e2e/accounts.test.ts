// Who tasks run as, by the agent's own account and its --accounts: accounts are the kernel's, so these tests need root.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmod, chown, copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Cluster } from "../support/cluster";
import { BINARY, Program, runOrch, type Result } from "../support/program";
import { waitUntil } from "../support/wait";

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

  test("of an agent that is not root is its own, and tasks of others are refused with the reason", async () => {
    await cluster.ok("user", "add", "noa", "--role", "admin", "--unix", "nobody");
    const { token } = await cluster.json<{ token: string }>("token", "new", "--role", "admin", "--user", "noa");
    expect((await whoAmI("own", token)).out).toBe("nobody\n");
    const { code, err } = await whoAmI("own", null);
    expect([code, err.includes("its agent runs as nobody and takes no tasks of account root")]).toEqual([125, true]);
  });
  test("of such an agent under --accounts shared is its own for everybody's tasks", async () => {
    expect(await whoAmI("shared", null)).toMatchObject({ code: 0, out: "nobody\n" });
  });
  test("is made under --accounts create where it is missing, which is said as its user is added", async () => {
    const { err, code } = await cluster.orch("user", "add", "cora", "--unix", MADE);
    const where = `made by its first task on create; not needed on shared, where tasks share one; missing on own`;
    expect([code, err]).toEqual([0, expect.stringContaining(`account ${MADE}: ${where}\n`) as string]);
    const { token } = await cluster.json<{ token: string }>("token", "new", "--role", "user", "--user", "cora");
    expect((await whoAmI("create", token)).out).toBe(`${MADE}\n`);
  });
});

/** The accounts of one node, seen by its agent and tasks alone: aliases of root, of the system, and of people. */
const PASSWD = `root:x:0:0::/root:/bin/bash
toor:x:0:0::/root:/bin/sh
boss:x:0:0::/:/bin/sh
sysd:x:250:250::/:/bin/sh
none:x:65534:65534::/:/bin/sh
keeper:x:${NOBODY - 1_000}:1::/:/bin/sh
eve:x:67001:67001::/:/bin/sh
svc:x:67002:67002::/:/bin/sh
`;

describe.if(isRoot)(`accounts by uid (root only; this is ${isRoot ? "root" : "not root"})`, () => {
  let cluster: Cluster;
  let eve = "";
  beforeAll(async () => {
    cluster = await Cluster.start({ name: "uids" });
    const passwd = join(cluster.dir, "passwd");
    await Bun.write(passwd, PASSWD);
    // The list is the agent's own by a mount namespace. The machine's list stays as it is.
    const inside = [
      "unshare",
      "--mount",
      "sh",
      "-c",
      `mount --bind "${passwd}" /etc/passwd && exec "$@"`,
      "sh",
      BINARY,
    ];
    const args = ["agent", "join", cluster.url, "--token", await cluster.joinToken(), "--name", "n1"];
    const agent = cluster.program(
      "n1",
      [...args, "--data", cluster.dataOf("n1"), "--accounts", "create", ...SHARE],
      inside,
    );
    await agent.line(/joined as /);
    await cluster.ready();
    const granted = ["--accounts", "boss,sysd,none,svc"];
    eve = (await cluster.json<{ token: string }>("user", "add", "eve", ...granted)).token;
    await chmod(cluster.dir, 0o711);
  }, 30_000);
  afterAll(async () => {
    expect(await cluster.close()).toEqual([]);
  });

  interface Seen {
    readonly state: string;
    readonly reason: string | null;
  }
  const isOver = ({ state }: Seen): boolean => ["succeeded", "failed", "cancelled"].includes(state);
  /** What the node refuses waits, since another node may take it. */
  const isRefused = ({ state, reason }: Seen): boolean =>
    state === "queued" && /1 could not start it/.test(reason ?? "");

  /** Applies a job that asks for an account. Returns how it ended or what it waits for, and its output. */
  async function as(account: string | null, token: string | null): Promise<Seen & { readonly out: string }> {
    const app = `as-${account ?? "own"}-${token === null ? "admin" : "eve"}`;
    const file = join(cluster.dir, `${app}.yaml`);
    const user = account === null ? "" : `\n    user: ${account}`;
    const resources = "resources: { cpu: 20m, memory: 16MiB }";
    await Bun.write(file, `app: ${app}\njobs:\n  who:\n    run: id -u\n    workdir: /${user}\n    ${resources}\n`);
    const who = token === null ? [] : ["--token", token];
    const applied = await runOrch(["apply", "-f", file, "--yes", ...who], cluster.env);
    if (applied.err.includes("not granted")) return { state: "refused", reason: applied.err, out: "" };
    expect(applied).toMatchObject({ code: 0 });
    const { run, state, reason } = await waitUntil(`${app} to end, or to be refused`, async () => {
      const { runs } = await cluster.json<{ runs: (Seen & { run: number; name: string })[] }>("runs");
      return runs.find((one) => one.name === `${app}.who` && (isOver(one) || isRefused(one)));
    });
    const { out } = await cluster.orch("logs", String(run));
    return { state, reason, out };
  }

  test.each(["boss", "sysd", "none"])(
    "that an admin granted by mistake are refused on the node: %s",
    async (account) => {
      const { state, reason } = await as(account, eve);
      expect(state).toBe("queued");
      expect(reason).toContain(`waits: 0 of 1 node fits: 1 could not start it: the account ${account} (uid `);
      expect(reason).toMatch(/ (is the system's|runs this cluster's server), so only an admin's tasks may have it\b/);
    },
  );
  test("that were granted and are people's are taken, and one's own", async () => {
    expect(await as("svc", eve)).toMatchObject({ state: "succeeded", out: "67002\n" });
    expect(await as(null, eve)).toMatchObject({ state: "succeeded", out: "67001\n" });
  });
  test("that were not granted are refused by the server", async () => {
    for (const account of ["toor", "root", "keeper"])
      expect(await as(account, eve)).toMatchObject({ state: "refused" });
  });
  test("are an admin's, all of them", async () => {
    expect(await as("toor", null)).toMatchObject({ state: "succeeded", out: "0\n" });
    expect(await as("sysd", null)).toMatchObject({ state: "succeeded", out: "250\n" });
  });
  test("of the system are not made under --accounts create", async () => {
    // `games` is in no list of this node. An admin may name it, and still it is not made.
    const { state, reason } = await as("games", null);
    expect([state, reason]).toEqual(["queued", expect.stringContaining("games is a name of the system's own")]);
  });
  test("of a removed user start nothing more", async () => {
    const go = join(cluster.dir, "go");
    const kept = "restart: { offline: false }\n    resources: { cpu: 20m, memory: 16MiB }";
    const run = `run: until [ -e ${go} ]; do sleep 0.05; done`;
    const text = `app: stays\nservices:\n  api:\n    ${run}\n    workdir: /\n    ${kept}\n`;
    const applied = await runOrch(["apply", "-f", "-", "--yes", "--wait", "--token", eve], cluster.env, text);
    expect(applied).toMatchObject({ code: 0 });
    await cluster.ok("user", "rm", "eve");
    expect((await cluster.tasks()).find(({ app }) => app === "stays")).toMatchObject({ state: "running" });
    await Bun.write(go, "");
    const waits = await cluster.until("the replica to wait", (tasks) =>
      tasks.some(
        (task) => task.app === "stays" && task.reason?.includes("eve, whose it is, is no user any more") === true,
      ),
    );
    expect(waits.length).toBeGreaterThan(0);
    expect((await cluster.orch("user", "add", "eve")).err).toContain("orch user add eve --again");
    await cluster.ok("rm", "eve/stays", "--yes");
  }, 30_000);
});
