// The same promises on every kind of machine: control groups of version 2, of version 1, or none at all. What this
// machine has not got is made up from what it has: a bare hierarchy, a plain directory.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { begin } from "../../src/agent/keeper/begin";
import { finish } from "../../src/agent/keeper/finish";
import type { TaskOrder } from "../../src/agent/keeper/messages";
import type { TaskExit } from "../../src/agent/taskdir";
import {
  findCgroups,
  killGroup,
  makeGroup,
  membersOf,
  removeBases,
  removeGroup,
  type Cgroups,
} from "../../src/os/cgroup";
import { randomHex } from "../../src/os/dice";
import { isAlive } from "../support/processes";

const dir = mkdtempSync(join(tmpdir(), "orch-groups-"));
const name = `test-${randomHex(4)}`;
const bare = "/sys/fs/cgroup/unified";
const bareBase = join(bare, name);
const here = findCgroups(name);

const kinds: Record<string, Cgroups> = {
  "no control groups": { is: "none", detail: "made up" },
  [`this machine's own (${here.is})`]: here,
};
if (process.getuid?.() === 0 && existsSync(join(bare, "cgroup.procs"))) {
  kinds["version 2 without controllers"] = { is: "v2", base: bareBase, controllers: [], detail: null };
}

beforeAll(() => {
  if ("version 2 without controllers" in kinds) mkdirSync(bareBase);
});
afterAll(() => {
  for (const one of Object.values(kinds)) removeBases(one);
  rmSync(dir, { recursive: true });
});

function orderFor(script: string): TaskOrder {
  const uid = randomHex(16);
  mkdirSync(join(dir, uid));
  return {
    uid,
    name: "t",
    argv: ["/bin/sh", "-c", script],
    env: { PATH: "/usr/bin:/bin", ORCH_TASK: uid },
    workdir: "/",
    home: "/",
    account: null,
    limits: { cpu_milli: 500, memory_bytes: null, pids: 1_000 },
    oom_score_adj: 0,
    marker: `ORCH_TASK=${uid}`,
    stop: { signal: "TERM", grace_ms: 0 },
    lease_ms: null,
    log_cap_bytes: 1,
    held: null,
  };
}

async function run(cgroups: Cgroups, order: TaskOrder): Promise<TaskExit> {
  const around = {
    cgroups,
    group_name: name,
    tasks: dir,
    setpriv: null,
    oom_score_adj: 0,
    say: () => undefined,
    journal: { begun: () => undefined, ended: () => undefined },
  };
  const { promise, resolve, reject } = Promise.withResolvers<TaskExit>();
  const begun = await begin(order, around, (held, exit) => void finish(held, exit, around).then(resolve, reject));
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

const without = kinds["version 2 without controllers"];
test.if(without !== undefined)("a group is killed with groups that a task has made in it", async () => {
  const base = without!;
  const group = makeGroup(base, "nested", { cpu_milli: 1, memory_bytes: null, pids: 1 });
  const inner = join(group[0]!, "inner");
  mkdirSync(inner);
  const child = Bun.spawn(["sleep", "60"], { cgroup: inner });
  expect(membersOf(group)).toEqual([]);
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
    const all: Cgroups = { is: "v2", base, controllers: ["memory", "cpu", "pids"], detail: null };
    const [group = ""] = makeGroup(all, sub, limits);
    return Object.fromEntries(readdirSync(group).map((file) => [file, readFileSync(join(group, file), "utf8")]));
  };
  test("are a weight, a maximum without swap, one death for all, and a count of processes", () => {
    expect(made({ cpu_milli: 1_000, memory_bytes: 4_096, pids: 7 })).toEqual({
      "cpu.weight": "39",
      "memory.max": "4096",
      "memory.oom.group": "1",
      "memory.swap.max": "0",
      "pids.max": "7",
    });
  });
  test("leave memory open that was only promised", () => {
    expect(made({ cpu_milli: 1, memory_bytes: null, pids: 7 })).toEqual({
      "cpu.weight": "1",
      "memory.oom.group": "1",
      "pids.max": "7",
    });
  });
});
