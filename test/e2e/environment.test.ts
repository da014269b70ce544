// What a task finds in its environment: the variables of the reference and nothing else, where the other workloads of
// its app are reached, what is active where `orch run` was typed, and what a login's profiles make.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { VARIABLES, variableOf } from "../../src/core/model/variables";
import { Cluster, QUICK } from "../support/cluster";
import { runOrch, type Result } from "../support/program";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({ name: "environment", agents: ["n1"], settings: QUICK });
}, 60_000);
afterAll(async () => expect(await cluster.close()).toEqual([]));

const LITTLE = ["--cpu", "20m", "--memory", "16MiB"];
const little = "resources: { cpu: 20m, memory: 16MiB }";

/** Returns the variables in the output of `env`. */
const variablesIn = (out: string): Record<string, string> =>
  Object.fromEntries(
    out
      .split("\n")
      .filter((line) => line.includes("="))
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );

/** Where an agent that is root switches to another account, a shell does it, and adds these. */
const OF_A_SHELL = new Set(["PWD", "OLDPWD", "SHLVL", "_"]);

describe("the environment of a task", () => {
  test("is what the reference lists and what its spec says", async () => {
    const out = await cluster.ok("run", ...LITTLE, "-e", "MODE=fast", "--", "/usr/bin/env");
    const names = Object.keys(variablesIn(out)).filter((name) => !OF_A_SHELL.has(name));
    expect(names.filter((name) => variableOf(name) === null)).toEqual(["MODE"]);
    const always = Object.entries(VARIABLES).flatMap(([name, { when }]) => (when === "always" ? [name] : []));
    expect(always.filter((name) => !names.includes(name))).toEqual([]);
  });

  test("names where the running replicas of its app are reached", async () => {
    await cluster.apply(`app: shop
services:
  web-api:
    run: exec sleep 1000
    replicas: 2
    ports: { http: auto, admin: { published: auto, bind: loopback } }
    ${little}
jobs:
  probe: { run: env, after: [web-api], ${little} }
`);
    const tasks = await cluster.until("the probe to end", (all) =>
      all.some(({ workload, state }) => workload === "probe" && state === "succeeded"),
    );
    const ports = tasks
      .filter(({ workload }) => workload === "web-api")
      .sort((a, b) => a.slot - b.slot)
      .map((task) => task.ports);
    const env = variablesIn(await cluster.ok("logs", "shop.probe"));
    const host = env["ORCH_ADDR_WEB_API"]?.split(":")[0] ?? "";
    expect(host).toMatch(/^\d+(\.\d+){3}$/);
    const http = ports.map((port) => `${host}:${port["http"]}`).join(",");
    expect(env).toMatchObject({
      ORCH_ADDR_WEB_API: http,
      ORCH_ADDR_WEB_API_HTTP: http,
      ORCH_ADDR_WEB_API_ADMIN: ports.map((port) => `127.0.0.1:${port["admin"]}`).join(","),
    });
    expect(Object.keys(env).filter((name) => variableOf(name) === null && !OF_A_SHELL.has(name))).toEqual([]);
    await cluster.ok("rm", "shop", "--yes");
  }, 30_000);
});

/** Makes an environment of programs by hand, with a program of its own. */
function makeVenv(name: string): string {
  const venv = join(cluster.dir, name);
  mkdirSync(join(venv, "bin"), { recursive: true });
  writeFileSync(
    join(venv, "bin", "python"),
    `#!/bin/sh\necho "${name}: $VIRTUAL_ENV$CONDA_PREFIX $CONDA_DEFAULT_ENV"\n`,
  );
  chmodSync(join(venv, "bin", "python"), 0o755);
  return venv;
}

const runWith = (env: Record<string, string>, ...args: string[]): Promise<Result> =>
  runOrch(["run", ...LITTLE, ...args], { ...cluster.env, ...env });

describe("what is active where a run is typed", () => {
  test("leads its PATH: a venv", async () => {
    const venv = makeVenv("venv");
    const { code, out } = await runWith({ VIRTUAL_ENV: venv }, "--", "python", "-c", "pass");
    expect([code, out]).toEqual([0, `venv: ${venv} \n`]);
    expect((await runWith({ VIRTUAL_ENV: venv }, "-c", "python")).out).toBe(`venv: ${venv} \n`);
    expect((await runWith({}, "--activate", `venv=${venv}`, "--", "python")).out).toBe(`venv: ${venv} \n`);
  });

  test("leads its PATH: conda's", async () => {
    const conda = makeVenv("conda");
    const env = { CONDA_PREFIX: conda, CONDA_DEFAULT_ENV: "base" };
    expect((await runWith(env, "--", "python")).out).toBe(`conda: ${conda} base\n`);
  });

  test("does not go along where somebody says so", async () => {
    const venv = makeVenv("venv");
    const { out } = await runWith({ VIRTUAL_ENV: venv }, "--activate", "none", "-c", 'echo "$VIRTUAL_ENV|$PATH"');
    expect(out).toStartWith("|");
    expect(out).not.toContain(venv);
  });

  test("is a key of a spec as well", async () => {
    const venv = makeVenv("venv");
    await cluster.apply(`app: py\njobs: { job: { run: python, activate: { venv: ${venv} }, ${little} } }`, "--wait");
    await cluster.until("the job to end", (all) => all.some(({ app, state }) => app === "py" && state === "succeeded"));
    expect(await cluster.ok("logs", "py.job")).toBe(`venv: ${venv} \n`);
    await cluster.ok("rm", "py", "--yes");
  }, 30_000);
});

describe("a login", () => {
  test("reads the profiles before the command, and what is active still leads PATH", async () => {
    const venv = makeVenv("venv");
    const home = join(cluster.dir, "a home");
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, ".bash_profile"), 'export SITE=lab PATH=/usr/bin:/bin\nmodule() { echo "module $*"; }\n');
    const env = { VIRTUAL_ENV: venv };
    const own = ["-e", `HOME=${home}`];
    expect((await runWith(env, ...own, "--login", "-c", "module load 'a b'; echo $SITE; python")).out).toBe(
      `module load a b\nlab\nvenv: ${venv} \n`,
    );
    expect((await runWith(env, ...own, "--login", "--", "module", "avail", "x  y")).out).toBe("module avail x  y\n");
    expect(
      await runWith(env, ...own, "--login", "--", "sh", "-c", 'echo "<$1>"; exit 9', "sh", "$a 'b'"),
    ).toMatchObject({
      code: 9,
      out: "<$a 'b'>\n",
    });
    expect((await runWith(env, ...own, "-c", "echo [$SITE]")).out).toBe("[]\n");
  });
});
