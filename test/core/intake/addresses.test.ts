// The addresses of an app's running replicas, as a task of the app finds them.

import { expect, test } from "bun:test";
import { addressVariables } from "../../../src/core/intake/addresses";
import { HOUSE_LIMITS } from "../../../src/core/limits";
import type { PortRequest, TaskSpec } from "../../../src/core/model/workload";
import { buildNode, buildSpec, buildState, buildTask, buildWorkload, NOW_MS } from "../../support/build";

const port = (name: string, bind: PortRequest["bind"] = "cluster"): PortRequest => ({
  name,
  target: null,
  published: null,
  bind,
});
const SPECS: Record<string, TaskSpec> = {
  one: buildSpec({ ports: [port("http")] }),
  two: buildSpec({ ports: [port("grpc"), port("admin-x", "loopback")] }),
  none: buildSpec(),
};
const [near, far] = [buildNode("near"), buildNode("far")];
const here = { ...near, facts: { ...near.facts, address: "10.0.0.1" } };
const there = { ...far, facts: { ...far.facts, address: "fd00::2" } };
const api = buildWorkload("recs", "api", "one");
const db = buildWorkload("recs", "db-main", "two");
const idle = buildWorkload("recs", "idle", "none");
const other = buildWorkload("shop", "api", "one");

const RUNS = { observed: { state: "running", pid: 1, started_ms: NOW_MS } } as const;
const taskOf = (workload: typeof api, node: string, slot: number, published: number, over = {}) => {
  const base = buildTask(workload, node, { ...RUNS, slot, ...over });
  const { ports } = SPECS[workload.spec_hash] as TaskSpec;
  const given = ports.map(({ name, bind }, at) => ({ name, bind, target: published + at, published: published + at }));
  return { ...base, promised: { ...base.promised, ports: given } };
};
const found = (tasks: ReturnType<typeof taskOf>[], of: typeof near = here) =>
  addressVariables(
    buildState({ nodes: [here, there], workloads: [api, db, idle, other], tasks }),
    { app_uid: api.app_uid },
    of,
    (hash) => SPECS[hash] as TaskSpec,
  );

test("are those of the running replicas of the app, in the order of their slots", () => {
  const tasks = [taskOf(api, "far", 1, 4_001), taskOf(api, "near", 0, 4_000), taskOf(other, "near", 0, 9_000)];
  expect(found(tasks)).toMatchObject({ ORCH_ADDR_API: "10.0.0.1:4000,[fd00::2]:4001" });
  expect(Object.keys(found(tasks)).toSorted()).toEqual([
    "ORCH_ADDR_API",
    "ORCH_ADDR_DB_MAIN",
    "ORCH_ADDR_DB_MAIN_ADMIN_X",
    "ORCH_ADDR_DB_MAIN_GRPC",
  ]);
});

test("leave out what does not run, or is to stop", () => {
  const stop = { why: "x", signal: "TERM", grace_ms: 1, at_ms: NOW_MS };
  const gone = [
    taskOf(api, "near", 0, 4_000, { desired: "stop", stop }),
    taskOf(api, "near", 1, 4_001, { observed: { state: "starting" } }),
    taskOf(api, "near", 2, 4_002, { written_off: { at_ms: NOW_MS, why: "silent" } }),
  ];
  expect(found(gone)).toMatchObject({ ORCH_ADDR_API: "", ORCH_ADDR_DB_MAIN: "" });
});

test("have each port by name, and one on loopback only on its own node", () => {
  const tasks = [taskOf(db, "near", 0, 5_000)];
  expect(found(tasks)).toMatchObject({
    ORCH_ADDR_DB_MAIN: "10.0.0.1:5000",
    ORCH_ADDR_DB_MAIN_GRPC: "10.0.0.1:5000",
    ORCH_ADDR_DB_MAIN_ADMIN_X: "127.0.0.1:5001",
  });
  expect(found(tasks, there)).toMatchObject({ ORCH_ADDR_DB_MAIN_ADMIN_X: "" });
});

test("are bounded", () => {
  const many = Array.from({ length: HOUSE_LIMITS.addresses + 5 }, (_, n) => taskOf(api, "near", n, 4_000 + n));
  expect(found(many).ORCH_ADDR_API?.split(",")).toHaveLength(HOUSE_LIMITS.addresses);
});
