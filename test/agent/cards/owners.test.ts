// Whose a process is, found out of real ones: by control group, by mark, by descent, and by what it was before it died.

import { afterAll, afterEach, expect, test } from "bun:test";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createOwners, type Tasks } from "../../../src/agent/cards/owners";
import type { CardTask, CardUser } from "../../../src/core/agent/card-users";
import { shortId } from "../../../src/core/model/task";
import { makeGroup, removeGroup } from "../../../src/os/cgroup/group";
import { basePaths, findCgroups } from "../../../src/os/cgroup/hierarchy";
import { removeBases } from "../../../src/os/cgroup/keeper-group";
import { randomHex } from "../../../src/os/dice";
import { accountOfProcess } from "../../../src/os/machine";
import { beganWith } from "../../../src/os/proc";
import { waitUntil } from "../../support/wait";

const cgroups = findCgroups("owners-of-tests");
const skipped = cgroups.is === "none" ? " (skipped: no cgroups)" : "";
const running: Bun.Subprocess[] = [];
afterEach(async () => {
  for (const child of running.splice(0)) {
    child.kill("SIGKILL");
    await child.exited;
  }
});
afterAll(() => removeBases(cgroups));

const task = (pid: number | null = null): CardTask => {
  const uid = randomHex(16);
  return { uid, name: `t-${uid.slice(0, 4)}`, user: null, pid, started_ms: null, devices: [] };
};

/** A sleeping process; it is looked at once it is the program that was started: its environment comes last. */
async function start(options: { env?: Record<string, string>; cgroup?: string } = {}): Promise<number> {
  const env = { STARTED: "1", ...options.env };
  const child = Bun.spawn(["/bin/sleep", "60"], { stdin: "ignore", stdout: "ignore", ...options, env });
  running.push(child);
  await waitUntil("it to have its environment", () => beganWith(child.pid).includes("STARTED=1"));
  return child.pid;
}

const pastOf = (...tasks: readonly CardTask[]): Tasks["past"] => new Map(tasks.map((one) => [one.uid, one]));
const OWN = accountOfProcess().name;

function whose(
  pid: number,
  living: readonly CardTask[],
  past: Tasks["past"] = new Map(),
  accounts: readonly string[] = [OWN],
): CardUser {
  const [found] = createOwners(basePaths(cgroups)).identify(
    [{ pid, memory_bytes: 5 }],
    { living, past, accounts },
    1_000_000,
  );
  if (found === undefined) throw new Error("nobody");
  return found;
}

test("a process that carries a task's mark is that task's, living or ended", async () => {
  const one = task();
  const pid = await start({ env: { ORCH_TASK: shortId(one.uid) } });
  expect(whose(pid, [one])).toMatchObject({
    pid,
    user: accountOfProcess().name,
    command: "sleep",
    memory_bytes: 5,
    task_uid: one.uid,
    task: { uid: one.uid, name: one.name, lives: true },
  });
  expect(whose(pid, [], pastOf(one))).toMatchObject({ task: { name: one.name, lives: false } });
});

test.if(cgroups.is !== "none")(`a process in a task's group is that task's, without any mark${skipped}`, async () => {
  const one = task();
  const group = makeGroup(cgroups, one.uid, { cpu_milli: 100, memory_bytes: null, pids: 10 });
  const child = await start({ cgroup: group[0] ?? "" });
  expect(whose(child, [one]).task_uid).toBe(one.uid);
  running[0]?.kill("SIGKILL");
  await waitUntil("the group to go", () => removeGroup(group));
});

const others = findCgroups("owners-of-others");
afterAll(() => removeBases(others));
test.if(cgroups.is !== "none")(`a group that only has a task's name is somebody else's${skipped}`, async () => {
  const one = task();
  const group = makeGroup(others, one.uid, { cpu_milli: 100, memory_bytes: null, pids: 10 });
  const child = await start({ cgroup: group[0] ?? "" });
  expect(whose(child, [one]).task).toBeNull();
  running[0]?.kill("SIGKILL");
  await waitUntil("the group to go", () => removeGroup(group));
});

test("the environment of a stranger is read once, whatever its driver holds later", async () => {
  const reads: number[] = [];
  const owners = createOwners([], (pid) => {
    reads.push(pid);
    return [];
  });
  const pid = await start();
  const look = (): unknown =>
    owners.identify([{ pid, memory_bytes: 1 }], { living: [], past: new Map(), accounts: [] }, 0);
  for (let n = 0; n < 3; n++) look();
  expect(reads).toEqual([pid]);
});

test("what descends from a task's process is that task's while it lives, and nobody's afterwards", async () => {
  const child = Bun.spawn(["/bin/sh", "-c", "/bin/sleep 60 & echo $!; wait"], {
    stdin: "ignore",
    stdout: "pipe",
    env: {},
  });
  running.push(child);
  const { value } = await child.stdout.getReader().read();
  const grandchild = Number(new TextDecoder().decode(value).trim());
  const one = task(child.pid);
  expect(whose(grandchild, [one]).task_uid).toBe(one.uid);
  expect(whose(grandchild, [], pastOf(one)).task).toBeNull();
  process.kill(grandchild, "SIGKILL");
});

test("a mark under another account than the task's is nobody's", async () => {
  const one = { ...task(), user: "alice" };
  const pid = await start({ env: { ORCH_TASK: shortId(one.uid) } });
  expect(whose(pid, [one], new Map(), []).task).toBeNull();
  expect(whose(pid, [{ ...one, user: OWN }], new Map(), []).task_uid).toBe(one.uid);
});

test("a name that a process gives itself is told without what steers a terminal", async () => {
  const dir = mkdtempSync(join(tmpdir(), "orch-name-"));
  const program = join(dir, "a\u001b[2J\nb");
  copyFileSync("/bin/sleep", program);
  const child = Bun.spawn([program, "60"], { stdin: "ignore", stdout: "ignore" });
  running.push(child);
  expect(await waitUntil("it to have its name", () => /^a.*b$/s.exec(whose(child.pid, []).command)?.[0])).toBe(
    "a?[2J?b",
  );
  rmSync(dir, { recursive: true });
});

test("a stranger is nobody's: mark of an unknown task, no mark, or this very process", async () => {
  const one = task();
  const marked = await start({ env: { ORCH_TASK: "0123456789" } });
  for (const pid of [marked, await start(), process.pid]) {
    expect(whose(pid, [one])).toMatchObject({ task: null, task_uid: null });
  }
});

test("a process that has just died is still whose it was; one that never was here is unknown", async () => {
  const one = task();
  const owners = createOwners(basePaths(cgroups));
  const pid = await start({ env: { ORCH_TASK: shortId(one.uid) } });
  const look = (living: readonly CardTask[], past: Tasks["past"]): CardUser | undefined =>
    owners.identify([{ pid, memory_bytes: 1 }], { living, past, accounts: [OWN] }, 0)[0];
  await waitUntil("it to be the program that was started", () => look([one], new Map())?.task?.lives === true);
  running[0]?.kill("SIGKILL");
  await running[0]?.exited;
  expect(look([], pastOf(one))).toMatchObject({
    command: "sleep",
    start: null,
    task: { name: one.name, lives: false },
  });
  expect(whose(2 ** 22 + 1, [one])).toMatchObject({ command: "a process unknown here", user: null, task: null });
});
