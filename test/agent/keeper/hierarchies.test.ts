// The same promises on every kind of machine: control groups of version 2, of version 1, or none at all. What this
// machine has not got is made up from what it has: a bare hierarchy, a plain directory.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { begin } from "../../../src/agent/keeper/begin";
import { Guard } from "../../../src/agent/keeper/guard";
import { finish } from "../../../src/agent/keeper/finish";
import type { TaskOrder } from "../../../src/agent/keeper/messages";
import type { TaskExit } from "../../../src/core/model/end";
import { deviceKeepingProblem } from "../../../src/os/cgroup/devices";
import { killGroup, makeGroup, membersOf, removeGroup } from "../../../src/os/cgroup/group";
import { createGroupJoining } from "../../../src/os/cgroup/enter";
import { findCgroups, type Cgroups } from "../../../src/os/cgroup/hierarchy";
import { removeBases } from "../../../src/os/cgroup/keeper-group";
import { deviceNumber } from "../../../src/os/device-deny";
import { randomHex } from "../../../src/os/dice";
import { bareBaseOf, kindsOfGroups } from "../../support/hierarchies";
import { isAlive } from "../../support/processes";
import { orderOf } from "../../support/orders";

const dir = mkdtempSync(join(tmpdir(), "orch-groups-"));
const name = `test-${randomHex(4)}`;
const here = findCgroups(name);
const kinds = kindsOfGroups(name, here);

beforeAll(() => {
  if ("version 2 without controllers" in kinds) mkdirSync(bareBaseOf(name));
});
afterAll(() => {
  for (const one of Object.values(kinds)) removeBases(one);
  rmSync(dir, { recursive: true });
});

function orderFor(script: string, over: Partial<TaskOrder> = {}): TaskOrder {
  const order = orderOf(script, { limits: { cpu_milli: 500, memory_bytes: null, pids: 1_000 }, ...over });
  mkdirSync(join(dir, order.uid));
  return order;
}

const around = {
  guard: new Guard({ command: [], say: () => undefined, expired: () => undefined }),
  group_name: name,
  tasks: dir,
  wrappers: { setpriv: null, prlimit: null },
  oom_score_adj: 0,
  say: () => undefined,
  journal: { begun: () => undefined, ended: () => undefined },
};

const NOBODY = { isLeased: () => true, onExit: () => undefined };

async function run(cgroups: Cgroups, order: TaskOrder): Promise<TaskExit> {
  const { promise, resolve, reject } = Promise.withResolvers<TaskExit>();
  const all = { ...around, cgroups, joining: createGroupJoining(cgroups, join(dir, "joining")) };
  const begun = await begin(order, all, {
    isLeased: () => true,
    onExit: (held, exit) => void finish(held, exit, all, () => undefined).then(resolve, reject),
  });
  expect(begun.is).toBe("running");
  return promise;
}

for (const [kind, cgroups] of Object.entries(kinds)) {
  test(`${kind}: what a task leaves is killed, in its session and out of it`, async () => {
    const order = orderFor("sleep 60 & echo $!; setsid sh -c 'sleep 60 & echo $!' & wait $!; exit 3");
    const exit = await run(cgroups, order);
    expect(exit).toMatchObject({ exit_code: 3, left: 2, reason: null });
    const pids = readFileSync(join(dir, order.uid, "stdout"), "utf8")
      .trim()
      .split("\n")
      .map(Number);
    expect(pids).toHaveLength(2);
    for (const pid of pids) expect(isAlive(pid)).toBe(false);
  });
}

test.if(here.is === "v1")(
  "v1: a base that an ending keeper has removed is made again, and the task begins",
  async () => {
    const bases = here.is === "v1" ? here.bases : [];
    // The first one holds something of the task already when the second one is found to be gone.
    rmdirSync(bases[1]!.base);
    expect(await run(here, orderFor("exit 3"))).toMatchObject({ exit_code: 3, reason: null });
    expect(readdirSync(bases[0]!.base).filter((one) => /^[0-9a-f]{32}$/.test(one))).toEqual([]);
  },
);

for (const [kind, cgroups] of Object.entries(kinds)) {
  test(`${kind}: what a task leaves is killed with what that has started, without a mark and a session`, async () => {
    const child = join(dir, randomHex(8));
    const left = `setsid sh -c 'env -i setsid sleep 60 & echo $! > ${child}; wait' &`;
    await run(cgroups, orderFor(`${left} until [ -s ${child} ]; do sleep 0.01; done`));
    expect(isAlive(Number(readFileSync(child, "utf8")))).toBe(false);
  });
}

test.if(here.is === "v1")(
  "v1: a task is in all of its directories from its first instruction on, and alone",
  async () => {
    const ownGroups = (): string[] =>
      readdirSync("/proc/self/task").map((thread) => readFileSync(`/proc/self/task/${thread}/cgroup`, "utf8"));
    const before = new Set(ownGroups());
    const order = orderFor("while read -r line; do echo $line; done < /proc/self/cgroup");
    expect(await run(here, order)).toMatchObject({ exit_code: 0 });
    const groups = outputOf(order)
      .split("\n")
      .filter((line) => line.endsWith(order.uid));
    expect(groups).toHaveLength(here.is === "v1" ? here.bases.length : 0);
    expect(new Set(ownGroups())).toEqual(before);
  },
);

const outputOf = (order: TaskOrder): string => readFileSync(join(dir, order.uid, "stdout"), "utf8");

for (const [kind, cgroups] of Object.entries(kinds).filter(([, { is }]) => is !== "none")) {
  test(`${kind}: denied devices cannot be opened, from the first instruction on; all others can`, async () => {
    const tries = ["/dev/full", "/dev/zero", "/dev/null", "/dev/urandom", "/dev/ptmx"]
      .map((path) => `if ( : < ${path} ) 2>/dev/null; then echo ${path}; fi`)
      .join("\n");
    const opened = async (denied: TaskOrder["denied"]): Promise<string[]> => {
      const order = orderFor(tries, denied === undefined ? {} : { denied });
      expect(await run(cgroups, order)).toMatchObject({ exit_code: 0, left: 0, reason: null });
      return outputOf(order).trim().split("\n");
    };
    const all = ["/dev/full", "/dev/zero", "/dev/null", "/dev/urandom", "/dev/ptmx"];
    const [full, zero] = ["/dev/full", "/dev/zero"].map(deviceNumber);
    expect({ full, zero }).toEqual({ full: { major: 1, minor: 7 }, zero: { major: 1, minor: 5 } });
    expect(await opened(undefined)).toEqual(all);
    expect(await opened([{ major: 1, minor: 7 }])).toEqual(all.slice(1));
    expect(await opened([full!, zero!])).toEqual(all.slice(2));
  });

  test(`${kind}: a denied device stays denied for what descends, in a session of its own`, async () => {
    const script = "setsid sh -c 'if ( : < /dev/full ) 2>/dev/null; then echo open; else echo closed; fi'";
    const order = orderFor(script, { denied: [{ major: 1, minor: 7 }] });
    await run(cgroups, order);
    expect(outputOf(order)).toBe("closed\n");
  });
}

test("a task whose devices cannot be kept from it does not begin", async () => {
  const order = orderFor("echo ran", { denied: [{ major: 1, minor: 7 }] });
  const none: Cgroups = { is: "none", detail: "made up" };
  expect(deviceKeepingProblem(none)).toBe("this machine has no control groups that keep devices away");
  const begun = await begin(order, { ...around, cgroups: none, joining: createGroupJoining(none, dir) }, NOBODY);
  expect(begun).toMatchObject({ is: "failed", why: expect.stringContaining("keep devices away") });
});

test.if(here.is !== "none")("whether devices can be kept away is found out by doing it, and leaves nothing", () => {
  expect(deviceKeepingProblem(here)).toBeNull();
});

const without = kinds["version 2 without controllers"];
test.if(without !== undefined)("a group is killed with groups that a task has made in it", async () => {
  const base = without!;
  const group = makeGroup(base, "nested", { cpu_milli: 1, memory_bytes: null, pids: 1 });
  const inner = join(group[0]!, "inner");
  mkdirSync(inner);
  const child = Bun.spawn(["sleep", "60"], { cgroup: inner });
  expect(membersOf(group)).toEqual([child.pid]);
  expect(killGroup(group)).toBe(1);
  await child.exited;
  expect(child.signalCode).toBe("SIGKILL");
  expect(removeGroup(group)).toBe(true);
});

describe("limits of version 2", () => {
  const base = join(dir, "plain");
  const made = (limits: Parameters<typeof makeGroup>[2]): Record<string, string> => {
    const sub = randomHex(4);
    mkdirSync(base, { recursive: true });
    const all: Cgroups = { is: "v2", base, controllers: ["memory", "cpu", "pids"], devices: null, detail: null };
    const [group = ""] = makeGroup(all, sub, limits);
    return Object.fromEntries(readdirSync(group).map((file) => [file, readFileSync(join(group, file), "utf8")]));
  };
  test("are a weight, a maximum without swap, and a count of processes", () => {
    expect(made({ cpu_milli: 1_000, memory_bytes: 4_096, pids: 7 })).toEqual({
      "cpu.weight": "39",
      "memory.max": "4096",
      "memory.oom.group": "0",
      "memory.swap.max": "0",
      "pids.max": "7",
    });
  });
  test("let one death be that of all where the task asks for it", () => {
    const limits = made({ cpu_milli: 1_000, memory_bytes: 4_096, pids: 7, oom_kills_all: true });
    expect(limits["memory.oom.group"]).toBe("1");
  });
  test("leave memory open that was only promised", () => {
    expect(made({ cpu_milli: 1, memory_bytes: null, pids: 7 })).toEqual({
      "cpu.weight": "1",
      "memory.oom.group": "0",
      "pids.max": "7",
    });
  });
});

describe("a group whose processes cannot be listed", () => {
  // Reading a directory fails with EISDIR, which no caller expects, as it expects no EIO and no EMFILE.
  const unlisted = (): string => {
    const group = mkdtempSync(join(dir, "unlisted-"));
    mkdirSync(join(group, "cgroup.procs"));
    return group;
  };
  test("is killed as a whole where the kernel does that, and is looked at again", () => {
    const group = unlisted();
    writeFileSync(join(group, "cgroup.kill"), "");
    expect(killGroup([group])).toBe(1);
    expect(readFileSync(join(group, "cgroup.kill"), "utf8")).toBe("1");
  });
  test("throws elsewhere, after the processes of the groups below it were killed", async () => {
    const group = unlisted();
    const child = Bun.spawn(["sleep", "60"]);
    mkdirSync(join(group, "inner"));
    writeFileSync(join(group, "inner", "cgroup.procs"), `${child.pid}\n`);
    expect(() => killGroup([group])).toThrow("EISDIR");
    expect(await child.exited).not.toBe(0);
    expect(child.signalCode).toBe("SIGKILL");
  });
});

test("a lease that ran out while the task was claimed lets nothing begin", async () => {
  const order = orderFor("echo began");
  const none: Cgroups = { is: "none", detail: "made up" };
  const all = { ...around, cgroups: none, joining: createGroupJoining(none, dir) };
  const begun = await begin(order, all, { ...NOBODY, isLeased: () => false });
  expect(begun).toMatchObject({ is: "failed", why: "its lease was over before it began" });
  expect(existsSync(join(dir, order.uid, "stdout"))).toBe(false);
});
