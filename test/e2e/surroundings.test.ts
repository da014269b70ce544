// What the environment of a caller can steer in orch itself: not where its requests go, not whose key it believes, not
// what code it runs. Only ORCH_PROXY leads anywhere, and a proxy sees no word of what passes.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { makeCertificate } from "../../src/server/access/certificate";
import { Cluster, QUICK } from "../support/cluster";
import { processesOf } from "../support/processes";
import { BINARY, Program, runOrch } from "../support/program";
import { waitUntil } from "../support/wait";

const ADVERSARIES = join(import.meta.dir, "..", "adversary");
/** An address of this machine that is not its loopback, or null where there is no network. */
const OUTSIDE =
  Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .find(({ family, internal }) => family === "IPv4" && !internal)?.address ?? null;

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({ name: "around", agents: ["n1"], settings: QUICK, listen: "0.0.0.0:0" });
}, 60_000);
afterAll(async () => expect(await cluster.close()).toEqual([]));

interface Adversary {
  readonly port: string;
  heard(): string;
  close(): Promise<unknown>;
}

async function adversary(name: "proxy" | "impostor", ...more: string[]): Promise<Adversary> {
  const log = join(cluster.dir, `${name}.${Bun.randomUUIDv7()}`);
  const argv = [process.execPath, join(ADVERSARIES, `${name}.ts`), "--log", log, ...more];
  const program = Program.startAs(name, argv, `${log}.said`, { PATH: process.env["PATH"] ?? "" });
  const port = (await program.line(/ on 127\.0\.0\.1:(\d+)/))[1] ?? "";
  const heard = (): string => (existsSync(log) ? readFileSync(log, "utf8") : "");
  return { port, heard, close: () => program.kill() };
}

const others = (port: string): Record<string, string> => {
  const names = ["http_proxy", "https_proxy", "all_proxy"].flatMap((name) => [name, name.toUpperCase()]);
  return Object.fromEntries(names.map((name) => [name, `http://127.0.0.1:${port}`]));
};
const outside = (): string => `https://${OUTSIDE}:${new URL(cluster.url).port}`;
const token = async (role: string): Promise<string> =>
  (await cluster.json<{ token: string }>("token", "new", "--role", role)).token;

/** Starts an agent under such an environment, waits until it has joined over `url`, and ends it. */
async function joinUnder(name: string, env: Record<string, string>, url: string, ...more: string[]): Promise<void> {
  const data = cluster.dataOf(name);
  const args = ["--token", await token("agent"), "--name", name, "--data", data, "--capacity", "cpu=1,memory=1GiB"];
  const log = join(cluster.dir, `${name}.log`);
  const agent = Program.start(name, ["agent", "join", url, ...args, ...more], log, { ...cluster.env, ...env });
  await agent.line(/joined as/);
  await agent.kill("SIGTERM");
}

describe("the proxies of other programs", () => {
  test("get nothing of a client's or an agent's, and nothing of the asking for the machine's end", async () => {
    const proxy = await adversary("proxy");
    let asked = 0;
    const owner = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => new Response(String(++asked), { status: 404 }),
    });
    const url = OUTSIDE === null ? cluster.url : outside();
    const env = others(proxy.port);
    try {
      for (const at of [cluster.url, url]) {
        const asked = { ...cluster.env, ...env, ORCH_URL: at, ORCH_TOKEN: await token("viewer") };
        expect((await runOrch(["ps"], asked)).code).toBe(0);
      }
      await joinUnder("n2", env, url, "--termination-notice", owner.url.href);
      await waitUntil("the machine's owner to be asked", () => asked > 0);
      expect(proxy.heard()).toBe("");
    } finally {
      await proxy.close();
      await owner.stop(true);
    }
  }, 60_000);
});

describe.skipIf(OUTSIDE === null)("the proxy that ORCH_PROXY names", () => {
  test("carries clients and agents to other machines, and hears neither token nor hello", async () => {
    const proxy = await adversary("proxy");
    // Where other programs ask no proxy, orch asks its own all the same.
    const env = { ORCH_PROXY: `http://127.0.0.1:${proxy.port}`, NO_PROXY: "*" };
    const viewer = await token("viewer");
    try {
      const asked = { ...cluster.env, ...env, ORCH_URL: outside(), ORCH_TOKEN: viewer };
      expect((await runOrch(["ps"], asked)).code).toBe(0);
      const clients = proxy.heard().split("CONNECT ").length - 1;
      expect(clients).toBeGreaterThan(0);
      await joinUnder("n3", env, outside());
      const heard = proxy.heard();
      expect(heard.split("CONNECT ").length - 1).toBeGreaterThan(clients);
      for (const secret of ["orch1-", "earer", "hello", viewer.slice(20)]) expect(heard).not.toContain(secret);
      expect(heard).not.toMatch(/"heard":"(GET|PUT|POST|DELETE) /);
    } finally {
      await proxy.close();
    }
  }, 60_000);
  test("cannot lead to another server", async () => {
    const impostor = await adversary("impostor");
    const proxy = await adversary("proxy", "--to", `127.0.0.1:${impostor.port}`);
    const env = { ...cluster.env, ORCH_PROXY: `http://127.0.0.1:${proxy.port}`, ORCH_URL: outside() };
    const { code, err } = await runOrch(["ps"], { ...env, ORCH_TOKEN: await token("viewer") });
    await Promise.all([proxy.close(), impostor.close()]);
    expect([code, err]).toEqual([3, expect.stringContaining("is not the server of this token") as string]);
    expect(impostor.heard()).not.toContain("earer");
  }, 60_000);
  test("is not asked on loopback, and has to be an address", async () => {
    const nobody = { ...cluster.env, ORCH_PROXY: "http://127.0.0.1:9" };
    const port = new URL(cluster.url).port;
    expect(
      (await runOrch(["ps", "--url", `https://127.0.0.1:${port}`], { ...nobody, ORCH_TOKEN: await token("viewer") }))
        .code,
    ).toBe(0);
    const wrong = { ...cluster.env, ORCH_PROXY: "socks5://127.0.0.1:9", ORCH_URL: outside() };
    const { code, err } = await runOrch(["ps"], { ...wrong, ORCH_TOKEN: await token("viewer") });
    expect([code, err]).toEqual([3, expect.stringContaining("ORCH_PROXY is not the address of a proxy") as string]);
  });
});

test("what an agent starts for itself inherits nothing from whoever started the agent", async () => {
  const env = {
    LD_LIBRARY_PATH: "/nowhere/lib",
    LD_PRELOAD: "",
    PATH: `/nowhere/bin:${cluster.env["PATH"]}`,
    TMPDIR: "/nowhere/tmp",
    LANG: "de_DE.UTF-8",
    LC_ALL: "de_DE.UTF-8",
    NODE_OPTIONS: "--no-warnings",
    BUN_OPTIONS: "--smol",
    HTTPS_PROXY: "http://127.0.0.1:9",
  };
  const data = cluster.dataOf("n4");
  const log = join(cluster.dir, "n4.log");
  const joining = ["--token", await token("agent"), "--name", "n4", "--data", data, "--pool", "trap"];
  const agent = Program.start(
    "n4",
    ["agent", "join", cluster.url, ...joining, "--capacity", "cpu=1,memory=1GiB"],
    log,
    { ...cluster.env, ...env },
  );
  await agent.line(/joined as/);
  await cluster.ok("run", "-d", "--pool", "trap", "--cpu", "20m", "--memory", "16MiB", "--", "sleep", "100");
  const children = await waitUntil("the agent to have started its keeper", () => {
    const all = processesOf(data).filter(({ pid, command }) => pid !== agent.pid && command.startsWith(BINARY));
    return all.some(({ command }) => command.includes(" keeper ")) ? all : null;
  });
  for (const { pid, command } of children) {
    const inherited = readFileSync(`/proc/${pid}/environ`, "utf8")
      .split("\0")
      .filter((one) => one !== "");
    const names = inherited.map((one) => one.split("=")[0] ?? "").filter((name) => !name.startsWith("ORCH_"));
    expect([command, ...names.filter((name) => !["PATH", "LANG", "XDG_RUNTIME_DIR"].includes(name))]).toEqual([
      command,
    ]);
    expect(inherited.join("\n")).not.toContain("/nowhere");
  }
  await agent.kill("SIGTERM");
}, 30_000);

describe("a variable of the runtime", () => {
  const trap = (): string => {
    const dir = join(cluster.dir, "trap");
    mkdirSync(dir, { recursive: true });
    return dir;
  };

  test("that prints requests prints no token", async () => {
    const { out, err } = await cluster.orch("ps");
    const env = { ...cluster.env, BUN_CONFIG_VERBOSE_FETCH: "curl" };
    expect(await runOrch(["ps"], env)).toEqual({ code: 0, out, err });
  });
  test.each(["--preload", "--require", "--import"])("that loads code (%s) loads none", async (flag) => {
    const file = join(trap(), "evil.js");
    const proof = join(trap(), "loaded");
    await Bun.write(file, `require("node:fs").writeFileSync(${JSON.stringify(proof)}, "");`);
    await runOrch(["version"], { ...cluster.env, BUN_OPTIONS: `${flag}=${file}` });
    await runOrch(["version"], { ...cluster.env, NODE_OPTIONS: `${flag}=${file}` });
    expect(existsSync(proof)).toBe(false);
  });
  test("that opens a debugger opens none", async () => {
    const { code, err } = await runOrch(["version"], { ...cluster.env, BUN_INSPECT: "127.0.0.1:0" });
    expect([code, err]).toEqual([1, expect.stringContaining("cannot be used") as string]);
  });
  test("that speaks of certificates makes no other server believed", async () => {
    const own = await makeCertificate("0bad");
    const file = join(trap(), "other.pem");
    await Bun.write(file, own.certificate_pem);
    const heard: string[] = [];
    const other = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      tls: { key: own.key_pem, cert: own.certificate_pem },
      fetch: (request) => {
        heard.push(request.headers.get("authorization") ?? "");
        return new Response(own.certificate_pem);
      },
    });
    const given = { ...cluster.env, ORCH_TOKEN: await token("viewer"), ORCH_URL: other.url.origin };
    for (const env of [
      { NODE_EXTRA_CA_CERTS: file },
      { SSL_CERT_FILE: file },
      { SSL_CERT_DIR: trap(), NODE_USE_SYSTEM_CA: "1", BUN_OPTIONS: "--use-system-ca" },
      { NODE_TLS_REJECT_UNAUTHORIZED: "0" },
    ]) {
      expect((await runOrch(["ps"], { ...given, ...env })).code).toBe(3);
    }
    await other.stop(true);
    expect(heard.filter((one) => one !== "")).toEqual([]);
  }, 20_000);
});

test.skipIf(Bun.which("curl") === null)("curl proves the server's key with its certificate", async () => {
  const { port } = new URL(cluster.url);
  const dir = join(cluster.data, "server");
  const token = `printf 'authorization: Bearer %s' "$(cat ${dir}/admin.token)"`;
  const asking = `${token} | curl -sS --noproxy '*' -H @- --cacert ${dir}/certificate.pem `;
  for (const at of [
    `https://localhost:${port}/v1/me`,
    `--connect-to orch-server:${port}:127.0.0.1:${port} https://orch-server:${port}/v1/me`,
  ]) {
    const child = Bun.spawn(["sh", "-c", asking + at], { env: cluster.env, stdout: "pipe", stderr: "inherit" });
    expect(await new Response(child.stdout).json()).toMatchObject({ role: "admin" });
  }
});
