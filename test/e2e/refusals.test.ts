// What goes wrong before anything works: each gets one clear line that says what it is and what to do, and the exit
// code that scripts can trust.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Cluster } from "../support/cluster";
import { runOrch, type Result } from "../support/program";
import { waitUntil } from "../support/wait";

let cluster: Cluster;
let dir: string;
beforeAll(async () => {
  cluster = await Cluster.start({ name: "refusals", agents: ["n1"] });
  dir = await mkdtemp(join(tmpdir(), "orch-refusals-"));
});
afterAll(async () => {
  await rm(dir, { recursive: true });
  expect(await cluster.close()).toEqual([]);
});

/** A refusal: its exit code, nothing on standard output, and few lines, without a trace of the program's insides. */
function expectRefusal({ code, out, err }: Result, exit: number, ...words: string[]): void {
  expect(`exit ${code}\n${err}`).toStartWith(`exit ${exit}\n`);
  // A first start has made the admin's token by then, and says where.
  expect(out.replace(/^admin token: .*\n/, "")).toBe("");
  for (const word of words) expect(err.toLowerCase()).toContain(word.toLowerCase());
  expect(err.trim().split("\n").length).toBeLessThanOrEqual(3);
  expect(err).not.toMatch(/\bat .*:\d+:\d+|node_modules|\$bunfs/);
}

const elsewhere = (more: Record<string, string>): Record<string, string> => ({
  ...cluster.env,
  ORCH_DATA: join(dir, "nothing"),
  ...more,
});

describe("the client", () => {
  test("says that no server answers", async () => {
    const { token } = await cluster.json<{ token: string }>("token", "new", "--role", "viewer");
    const url = "https://127.0.0.1:9";
    expectRefusal(await runOrch(["ps"], elsewhere({ ORCH_URL: url, ORCH_TOKEN: token })), 3, url, "running");
  });
  test("says that its token is not valid", async () => {
    expectRefusal(await runOrch(["ps"], elsewhere({ ORCH_URL: cluster.url, ORCH_TOKEN: "orch1-wrong" })), 4, "token");
  });
  test("says that it has no token at all", async () => {
    expectRefusal(await runOrch(["ps"], elsewhere({ ORCH_URL: cluster.url })), 4, "login");
  });
  test("says what a role may not do", async () => {
    const { token } = await cluster.json<{ token: string }>("token", "new", "--role", "viewer");
    const env = elsewhere({ ORCH_URL: cluster.url, ORCH_TOKEN: token });
    expect((await runOrch(["ps"], env)).code).toBe(0);
    expectRefusal(await runOrch(["node", "drain", "n1"], env), 4, "viewer");
  });
  test("says that a token was revoked", async () => {
    const { token, id } = await cluster.json<{ token: string; id: string }>("token", "new", "--role", "viewer");
    await cluster.ok("token", "revoke", id);
    expectRefusal(await runOrch(["ps"], elsewhere({ ORCH_URL: cluster.url, ORCH_TOKEN: token })), 4, "revoked");
  });
  test("names a thing that is not there, and a word that is no command", async () => {
    expectRefusal(await cluster.orch("logs", "nothing.here"), 1, "nothing.here", "orch ps");
    expectRefusal(await cluster.orch("pss"), 2, "pss", "ps");
    expectRefusal(await cluster.orch("ps", "--al"), 2, "--al");
  });
  test("shows every error of a file at once, each with its place", async () => {
    const file = join(dir, "bad.yaml");
    await Bun.write(file, "app: X\nservices:\n  web:\n    run: serve\n    replica: 2\n    resources: { cpu: many }\n");
    const { code, err } = await cluster.orch("validate", "-f", file);
    expect(code).toBe(2);
    for (const word of ["bad.yaml:1:6", "bad.yaml:5:5", "replicas", "bad.yaml:6:", "cpu"]) expect(err).toContain(word);
  });
});

describe("an agent", () => {
  const join_ = async (token: string, ...more: string[]): Promise<Result> =>
    runOrch(
      [
        "agent",
        "join",
        cluster.url,
        "--token",
        token,
        "--name",
        "n9",
        "--data",
        join(dir, "agent"),
        "--capacity",
        "cpu=1,memory=1GiB",
        ...more,
      ],
      cluster.env,
    );

  test("is refused with an expired join token", async () => {
    const { token, id } = await cluster.json<{ token: string; id: string }>(
      "token",
      "new",
      "--role",
      "agent",
      "--expires",
      "2s",
    );
    await waitUntil("the token to expire", async () => {
      const { tokens } = await cluster.json<{ tokens: { id: string; state: string }[] }>("token", "ls");
      return tokens.some((one) => one.id === id && one.state === "expired");
    });
    expectRefusal(await join_(token), 4, "expired", "orch token new");
  });
  test("is refused with a person's token", async () => {
    const { token } = await cluster.json<{ token: string }>("token", "new", "--role", "admin");
    expectRefusal(await join_(token), 4, "not enough", "orch token new --role agent");
  });
  test("is refused at an address that speaks no TLS, and under a name that is none", async () => {
    const { token } = await cluster.json<{ token: string }>("token", "new", "--role", "agent");
    const at = ["--token", token, "--data", join(dir, "agent"), "--capacity", "cpu=1,memory=1GiB"];
    const plain = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("hello") });
    const there = await runOrch(["agent", "join", `127.0.0.1:${plain.port}`, ...at], cluster.env);
    await plain.stop(true);
    expectRefusal(there, 3, "speaks no TLS", "TLS on every address");
    const named = await runOrch(["agent", "join", cluster.url, ...at, "--name", "N_9"], cluster.env);
    expectRefusal(named, 2, "N_9", "n-9");
  });
  test("is refused on a directory that it may not use", async () => {
    const file = join(dir, "no-directory");
    await Bun.write(file, "");
    const token = await cluster.joinToken();
    for (const data of [file, "/proc/orch"]) {
      const asked = ["agent", "join", cluster.url, "--token", token, "--data", data, "--capacity", "cpu=1,memory=1GiB"];
      expectRefusal(await runOrch(asked, cluster.env), 1, data, "--data DIR");
    }
  });
  test("is refused without a token on a fresh directory", async () => {
    const asked = ["agent", "join", cluster.url, "--data", join(dir, "fresh"), "--capacity", "cpu=1,memory=1GiB"];
    expectRefusal(await runOrch(asked, cluster.env), 2, "--token");
  });
  test("is refused with the token of another cluster", async () => {
    const other = await Cluster.start({ name: "other" });
    try {
      const { token } = await other.json<{ token: string }>("token", "new", "--role", "agent");
      expectRefusal(await join_(token), 3, "is not the server of this token");
    } finally {
      expect(await other.close()).toEqual([]);
    }
  });
});

describe("a server", () => {
  const serve = async (data: string, listen: string): Promise<Result> =>
    runOrch(["server", "--data", data, "--listen", listen], cluster.env);

  test("is refused on a port in use", async () => {
    const { host, port } = new URL(cluster.url);
    expectRefusal(await serve(join(dir, "port"), host), 1, port, "in use");
  });
  test("is refused on a directory that another server holds, which goes on", async () => {
    expectRefusal(await serve(cluster.data, "127.0.0.1:0"), 1, `${cluster.server?.pid}`, "--data");
    expect((await cluster.nodes()).length).toBe(1);
  });
  test("is refused on what is not a directory", async () => {
    await Bun.write(join(dir, "file"), "");
    expectRefusal(await serve(join(dir, "file"), "127.0.0.1:0"), 1, join(dir, "file"));
  });
  test.skipIf(process.getuid?.() !== 0)("is refused on a directory that it may not write", async () => {
    const at = join(dir, "readonly");
    await mkdir(at);
    const mounted = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", at]);
    expect(mounted.exitCode).toBe(0);
    try {
      expectRefusal(await serve(join(at, "data"), "127.0.0.1:0"), 1, at);
    } finally {
      expect(Bun.spawnSync(["umount", at]).exitCode).toBe(0);
    }
  });
});
