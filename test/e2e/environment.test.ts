// What a task finds in its environment: the variables of the reference and nothing else, where the other workloads of
// its app are reached, what is active where `orch run` was typed, and what a login's profiles make.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { VARIABLES, variableOf } from "../../src/core/model/variables";
import type { PlanView } from "../../src/wire/api/plans";
import { Cluster, QUICK } from "../support/cluster";
import { BINARY, runOrch, type Result } from "../support/program";

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
      // An attempt is rejected where somebody else on this machine holds its port.
      .filter(({ workload, state }) => workload === "web-api" && state === "running")
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

/** An agent that does not see a directory, as one on another machine would not: another file system lies over it. */
const without = (path: string): string[] => [
  "unshare",
  "-m",
  "sh",
  "-c",
  'mount --make-rprivate / && mount -t tmpfs none "$1" && shift && exec "$@"',
  "sh",
  path,
  BINARY,
];

describe.skipIf(process.getuid?.() !== 0)("a node without a directory", () => {
  test("does not fit, and says so before anything is placed", async () => {
    const apart = join(cluster.dir, "apart");
    const venv = makeVenv("apart/venv");
    const work = join(apart, "work");
    mkdirSync(work);
    await cluster.startAgentAs("n2", without(apart), "--label", "far=yes");
    await cluster.ready();

    const refused = await runWith({ VIRTUAL_ENV: makeVenv("nowhere/venv").replace("nowhere", "nosuch") }, "--", "true");
    expect([refused.code, refused.err]).toEqual([125, expect.stringMatching(/have no .*nosuch\/venv/) as string]);
    expect(refused.err).toContain("--activate none");

    const far = `app: far
jobs:
  env: { run: "true", activate: { venv: ${venv} }, place: { labels: { far: yes } }, ${little} }
  dir: { run: "true", workdir: ${work}, place: { labels: { far: yes } }, ${little} }
  near: { run: "true", workdir: ${work}, activate: { venv: ${venv} }, ${little} }
`;
    const file = join(cluster.dir, "far.yaml");
    writeFileSync(file, far);
    const plan = await cluster.json<PlanView>("plan", "-f", file);
    const checks = plan.blocked.map(({ name, nodes }) => [
      name,
      nodes.find(({ node }) => node === "n2")?.checks.map(({ check, detail }) => `${check}: ${detail}`),
    ]);
    expect(checks).toEqual([
      ["far.env.0", [`environment: has no ${venv}`]],
      ["far.dir.0", [`workdir: has no ${work}`]],
    ]);
    expect(plan.ops.filter(({ op }) => op === "place").map(({ task, node }) => [task, node])).toEqual([
      ["far.near.0", "n1"],
    ]);
    await cluster.apply(far);
    await cluster.until("what fits to end", (all) =>
      all.some(({ workload, state, node }) => workload === "near" && state === "succeeded" && node === "n1"),
    );
    expect(await cluster.ok("explain", "far.dir")).toContain(`has no ${work}`);

    // The node notices by itself that the directory is there.
    const agent = cluster.agent("n2");
    await Bun.$`nsenter -t ${agent.pid} -m mkdir -p ${work}`.quiet();
    await cluster.until("the directory to be found", (all) =>
      all.some(({ workload, state, node }) => workload === "dir" && state === "succeeded" && node === "n2"),
    );
    await cluster.ok("rm", "far", "--yes");
  }, 60_000);
});
