// Every command with a standard output that cannot be written: one line, exit 1 (125 of orch run, whose codes are the
// job's). A reader that went away is no error worth a line, and services go on.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { closeSync, openSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { TABLE } from "../../src/cli/table";
import { Cluster } from "../support/cluster";
import { BINARY, Program, runOrch } from "../support/program";
import { waitUntil } from "../support/wait";

const SPEC = "app: web\nservices:\n  api:\n    run: sleep 1000\n    resources: { cpu: 20m, memory: 16MiB }\n";
const LINE = "orch: standard output cannot be written: no space left on the device\n";

let cluster: Cluster;
let spec: string;
let token: { id: string; token: string };
beforeAll(async () => {
  cluster = await Cluster.start({ name: "full", agents: ["n1"] });
  token = await cluster.json("token", "new", "--role", "viewer");
  spec = join(cluster.dir, "web.yaml");
  await Bun.write(spec, SPEC);
  await cluster.ok("apply", "-f", spec, "--yes");
  await cluster.apply("app: batch\njobs:\n  said: { run: echo once, resources: { cpu: 20m, memory: 16MiB } }\n");
  await runOrch(["login", cluster.url, "--name", "other"], cluster.env, token.token);
  await cluster.ok("run", "--cpu", "20m", "--memory", "16MiB", "--name", "said", "-c", "echo once");
}, 30_000);
afterAll(async () => {
  expect(await cluster.close()).toEqual([]);
});

/** Runs a command whose standard output is a full disk. */
async function full(args: readonly string[], stderr: "pipe" | number = "pipe"): Promise<{ code: number; err: string }> {
  const out = openSync("/dev/full", "w");
  const child = Bun.spawn([BINARY, ...args], {
    env: cluster.env,
    stdin: new TextEncoder().encode(token.token),
    stdout: out,
    stderr,
  });
  closeSync(out);
  const said = child.stderr instanceof ReadableStream ? await new Response(child.stderr).text() : "";
  return { code: await child.exited, err: said };
}

/** A command line for each command that answers, in an order in which all of them have something to say. */
const LINES: Readonly<Record<string, () => readonly string[]>> = {
  version: () => ["version"],
  completion: () => ["completion", "bash"],
  validate: () => ["validate", spec],
  plan: () => ["plan", "-f", spec],
  apply: () => ["apply", "-f", spec, "--yes"],
  spec: () => ["spec", "web"],
  scale: () => ["scale", "web.api=2"],
  restart: () => ["restart", "web.api"],
  run: () => ["run", "--cpu", "20m", "--memory", "16MiB", "-c", "echo out"],
  submit: () => ["submit", "batch.said"],
  queue: () => ["queue", "--json"],
  runs: () => ["runs"],
  apps: () => ["apps"],
  ps: () => ["ps"],
  logs: () => ["logs", "1"],
  explain: () => ["explain", "web.api.0"],
  events: () => ["events"],
  show: () => ["show", "web.api"],
  nodes: () => ["nodes"],
  gpus: () => ["gpus", "--json"],
  "node show": () => ["node", "show", "n1"],
  "node orphans": () => ["node", "orphans", "n1", "--json"],
  "node label": () => ["node", "label", "n1", "zone=a"],
  "node taint": () => ["node", "taint", "n1", "gone=a:no_schedule"],
  "node test": () => ["node", "test", "n1"],
  "node drain": () => ["node", "drain", "n1"],
  "node resume": () => ["node", "resume", "n1"],
  login: () => ["login", cluster.url, "--name", "full"],
  whoami: () => ["whoami"],
  "context ls": () => ["context", "ls"],
  "context use": () => ["context", "use", "other"],
  "context rm": () => ["context", "rm", "other"],
  logout: () => ["logout"],
  "token new": () => ["token", "new", "--role", "viewer"],
  "token ls": () => ["token", "ls"],
  "token revoke": () => ["token", "revoke", token.id],
  "user add": () => ["user", "add", "fay"],
  "user ls": () => ["user", "ls"],
  "user grant": () => ["user", "grant", "fay", "ml-svc"],
  "user rm": () => ["user", "rm", "fay"],
  "install server": () => ["install", "server", "--dry-run"],
  "install agent": () => ["install", "agent", "https://box1:4400", "--token", token.token, "--dry-run"],
  rm: () => ["rm", "web", "--yes"],
  "agent leave": () => ["agent", "leave", "--cancel", "--data", cluster.dataOf("n1")],
};

/** Commands that are seen with `--help` only. */
const HELP_ONLY: Readonly<Record<string, string>> = {
  up: "stays as a service",
  server: "stays as a service",
  "agent join": "stays as a service",
  cancel: "what it cancels would have to wait for it",
  retry: "needs a run whose end nobody knows",
  settle: "needs a run whose end nobody knows",
  "node approve": "needs a key that waits",
  "node refuse": "needs a key that waits",
  "node forget": "needs a node that is away",
  adopt: "needs a task that only its node knows",
  stop: "needs a task that only its node knows",
  restore: "needs a stopped server",
};

describe("a full disk as standard output", () => {
  test("is known of every command of the table", () => {
    const names = TABLE.map(({ name }) => name);
    expect(Object.keys({ ...LINES, ...HELP_ONLY }).sort()).toEqual(names.toSorted());
  });
  test.each(Object.keys(LINES))("ends `orch %s` with one line and exit 1, orch run with 125", async (name) => {
    const { code, err } = await full(LINES[name]?.() ?? []);
    expect(err.split("\n").filter((line) => line.startsWith("orch: "))).toEqual([LINE.trim()]);
    expect(code).toBe(name === "run" ? 125 : 1);
  });
  test("ends the help of every command, and of none", async () => {
    const helps = [
      ...TABLE.map(({ name }) => [...name.split(" "), "--help"]),
      [],
      ["help"],
      ["--version"],
      ["node", "-h"],
    ];
    for (let at = 0; at < helps.length; at += 4) {
      const some = await Promise.all(helps.slice(at, at + 4).map((args) => full(args)));
      expect(some).toEqual(some.map(() => ({ code: 1, err: LINE })));
    }
  }, 60_000);
  test("ends documents and followed output at once", async () => {
    await cluster.ok("node", "taint", "n1", "gone-");
    await cluster.ok("apply", "-f", spec, "--yes", "--wait");
    for (const args of [
      ["nodes", "--json"],
      ["events", "-f"],
      ["version", "--json"],
    ]) {
      expect(await full(args)).toMatchObject({ code: 1, err: LINE });
    }
    const talks = [
      "run",
      "--cpu",
      "20m",
      "--memory",
      "16MiB",
      "--name",
      "talks",
      "-c",
      "while :; do echo x; sleep 0.1; done",
    ];
    expect((await full(talks)).code).toBe(125);
    expect((await full(["logs", "-f", "talks"])).code).toBe(1);
    // The job itself goes on: only its reader has ended.
    expect((await cluster.json<{ runs: { name: string; state: string }[] }>("runs")).runs).toContainEqual(
      expect.objectContaining({ name: "talks", state: "running" }),
    );
    await cluster.ok("cancel", "talks");
  }, 30_000);
  test("is told by the exit code when standard error is full too", async () => {
    const err = openSync("/dev/full", "w");
    expect((await full(["nodes"], err)).code).toBe(1);
    const child = Bun.spawn([BINARY, "ps", "--all"], { env: cluster.env, stdout: "ignore", stderr: err });
    expect(await child.exited).toBe(0);
    closeSync(err);
  });
});

test("a reader that went away ends the command without a line, and with the exit code of SIGPIPE", async () => {
  const child = Bun.spawn(["sh", "-c", `{ sleep 0.3; "${BINARY}" ps --help; echo "code $?" >&2; } | true`], {
    env: cluster.env,
    stdout: "ignore",
    stderr: "pipe",
  });
  expect(await new Response(child.stderr).text()).toBe("code 141\n");
});

test("a server whose log cannot be written goes on", async () => {
  const data = join(cluster.dir, "mute");
  await mkdir(data);
  const log = join(cluster.dir, "mute.log");
  const argv = ["sh", "-c", `exec "${BINARY}" server --data "${data}" --listen 127.0.0.1:0 >/dev/full`];
  const server = Program.startAs("mute", argv, log, cluster.env);
  await waitUntil("the server to answer", async () => (await cluster.orch("nodes", "--data", data)).code === 0);
  expect(server.running).toBe(true);
  expect(await server.kill("SIGTERM")).toBe(0);
  expect(server.output()).toBe("");
});
