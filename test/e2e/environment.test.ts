// What a task finds in its environment: the variables of the reference and nothing else, and where the other workloads
// of its app are reached.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { VARIABLES, variableOf } from "../../src/core/model/variables";
import { Cluster, QUICK } from "../support/cluster";

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
