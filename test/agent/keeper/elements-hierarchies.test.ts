// The elements of a batch on every kind of machine: control groups of version 2, of version 1, or none at all.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { begin, type Surroundings } from "../../../src/agent/keeper/begin";
import { Guard } from "../../../src/agent/keeper/guard";
import type { OrderOfBatch } from "../../../src/agent/keeper/messages";
import { RunningBatch } from "../../../src/agent/keeper/running-batch";
import type { TaskExit } from "../../../src/core/model/end";
import { makeGroup, openGroup, weigh } from "../../../src/os/cgroup/group";
import { findCgroups, groupOf, type Cgroups } from "../../../src/os/cgroup/hierarchy";
import { removeBases } from "../../../src/os/cgroup/keeper-group";
import { randomHex } from "../../../src/os/dice";
import { batchOf, endsOf, readBatch } from "../../support/batches";
import { bareBaseOf, kindsOfGroups } from "../../support/hierarchies";
import { isAlive } from "../../support/processes";
import { makeScratch, removeScratch } from "../../support/scratch";

const dir = makeScratch("elements");
const name = `test-${randomHex(4)}`;
const here = findCgroups(name);
const kinds = Object.entries(kindsOfGroups(name, here));

beforeAll(() => {
  for (const [, { is }] of kinds) if (is === "v2") mkdirSync(bareBaseOf(name), { recursive: true });
});
afterAll(() => {
  for (const [, one] of kinds) removeBases(one);
  removeScratch(dir);
});

const aroundOf = (cgroups: Cgroups): Surroundings => ({
  guard: new Guard({ command: [], say: () => undefined, expired: () => undefined }),
  cgroups,
  group_name: name,
  joining: { dirFor: ([first]) => first ?? null },
  tasks: dir,
  wrappers: { setpriv: null, prlimit: null },
  oom_score_adj: 0,
  say: () => undefined,
  journal: { begun: () => undefined, ended: () => undefined },
});

async function run(cgroups: Cgroups, order: OrderOfBatch): Promise<TaskExit> {
  mkdirSync(join(dir, order.uid));
  const around = aroundOf(cgroups);
  const begun = await begin(order, around, { isLeased: () => true, onExit: () => undefined });
  if (begun.is !== "batch") throw new Error(`it is ${begun.is}`);
  return new RunningBatch(begun.ready, around, () => undefined).run();
}

const outputOf = ({ uid }: OrderOfBatch, number: number): string =>
  readFileSync(join(dir, uid, String(number), "stdout"), "utf8");

for (const [kind, cgroups] of kinds) {
  test(`${kind}: what elements leave is killed, their groups are gone, and each has its end`, async () => {
    const order = batchOf("sleep 60 & echo $!; setsid sleep 60 & echo $!; exit $ORCH_SLOT", { parts: [[1, 6]] });
    expect(await run(cgroups, order)).toMatchObject({ exit_code: 0, left: 0, reason: null });
    expect(endsOf(readBatch(join(dir, order.uid), order).results)).toEqual([1, 2, 3, 4, 5, 6].map((n) => [n, n]));
    const pids = [1, 2, 3, 4, 5, 6].flatMap((number) => outputOf(order, number).trim().split("\n").map(Number));
    expect(pids).toHaveLength(12);
    expect(pids.filter(isAlive)).toEqual([]);
    expect(groupOf(cgroups, order.uid, true).filter((group) => existsSync(group))).toEqual([]);
  }, 20_000);
}

for (const [kind, cgroups] of kinds.filter(([, { is }]) => is !== "none")) {
  test(`${kind}: devices are kept from each element, and from nothing else`, async () => {
    const script = "for one in full zero; do if ( : < /dev/$one ) 2>/dev/null; then echo $one; fi; done";
    const order = batchOf(script, { parts: [[1, 3]] }, { denied: [{ major: 1, minor: 7 }] });
    await run(cgroups, order);
    expect([1, 2, 3].map((number) => outputOf(order, number))).toEqual(["zero\n", "zero\n", "zero\n"]);
    expect(() => closeSync(openSync("/dev/full", "r"))).not.toThrow();
  });
}

const limits = { cpu_milli: 1_000, memory_bytes: 64 * 1024 * 1024, pids: 50 };
const said = (path: string): string => readFileSync(path, "utf8").trim();

test.if(here.is === "v1")("v1: a batch has the limits of its places together, and each element its own", async () => {
  const bases = here.is === "v1" ? here.bases.map(({ base }) => base) : [];
  const memory = bases.find((base) => base.includes("/memory/")) ?? "";
  const cpu = bases.find((base) => base.includes("/cpu/")) ?? "";
  const order = batchOf("", { parts: [[0, 0]], places: 3 }, { limits });
  const of = (base: string, file: string): string => `cat ${base}/${order.uid}/${file} ${base}/${order.uid}/0/${file}`;
  const inside = `grep -c ${order.uid}/0$ /proc/self/cgroup`;
  const script = `${of(memory, "memory.limit_in_bytes")}; ${of(cpu, "cpu.shares")}; ${inside}`;
  await run(here, { ...order, argv: ["/bin/sh", "-c", `sleep 0.1; ${script}`] });
  expect(outputOf(order, 0).trim().split("\n")).toEqual(["201326592", "67108864", "3072", "1024", "3"]);
});

test.if(here.is === "v1")("v1: a batch has no weight for places that it has given up", async () => {
  const cpu = here.is === "v1" ? here.bases.find(({ controller }) => controller === "cpu")?.base : undefined;
  const order = batchOf("", { parts: [[0, 2]], places: 3 }, { limits });
  const shares = `${cpu}/${order.uid}/cpu.shares`;
  const script = `[ $ORCH_SLOT != 0 ] || { cat ${shares}; until [ $(cat ${shares}) = 1024 ]; do sleep 0.02; done; }`;
  await run(here, { ...order, argv: ["/bin/sh", "-c", script] });
  expect(outputOf(order, 0)).toBe("3072\n");
});

test("version 2: controllers are handed down to the groups of the places", () => {
  const base = join(dir, "plain");
  mkdirSync(base);
  const v2: Cgroups = { is: "v2", base, controllers: ["cpu", "pids"], devices: null, detail: null };
  const group = makeGroup(v2, "task", limits);
  openGroup(v2, group);
  expect(said(join(base, "task", "cgroup.subtree_control"))).toBe("+cpu +pids");
  makeGroup(v2, "task/0", limits);
  expect(said(join(base, "task", "0", "pids.max"))).toBe("50");
  weigh(v2, group, { ...limits, cpu_milli: 3_000, pids: 1 });
  expect(said(join(base, "task", "cpu.weight"))).toBe("118");
  expect(said(join(base, "task", "pids.max"))).toBe("50");
});
