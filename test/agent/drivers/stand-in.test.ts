// What a dead keeper did for its tasks goes on: caps and marks of their output, the end of a main process, and what it
// has left.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bootMs } from "../../../src/os/clock";
import { bareKeeperCommand, KEEPER_COMMAND } from "../../support/fixtures/keeper";
import { isAlive, processesOf, processOf, signal } from "../../support/processes";
import { alive, assignmentFor, begin, ended, makeSite, output, type OpenTasks, type Site } from "../../support/tasks";
import { waitUntil } from "../../support/wait";

const CAP = 1024 * 1024;

let site: Site;
beforeEach(async () => {
  site = await makeSite();
});
afterEach(async () => expect(await site.close()).toEqual([]));

async function killKeepers(): Promise<void> {
  const pids = readdirSync(join(site.data, "keepers")).map((name) => Number.parseInt(name, 10));
  for (const pid of pids) {
    const found = processOf(pid);
    if (found !== null) signal(found, "SIGKILL");
  }
  await waitUntil("the keepers to be dead", () => !pids.some(isAlive));
}

const fileOf = (uid: string, name: string): string => join(site.data, "tasks", uid, name);
const usedBytes = (uid: string): number => statSync(fileOf(uid, "stdout")).blocks * 512;
const marksOf = (uid: string): number => readFileSync(fileOf(uid, "marks"), "utf8").split("\n").length;

const vanished = async (tasks: OpenTasks, uid: string): Promise<unknown> =>
  waitUntil("the task to be over", () => {
    const seen = tasks.driver.seen().get(uid)?.process;
    return seen?.is === "vanished" ? seen : null;
  });

test("output stays capped and marked, by this agent and by the next", async () => {
  let tasks = await site.open({ log_cap_bytes: CAP });
  const flood = "while :; do head -c 300000 /dev/zero | tr '\\0' x; echo; sleep 0.05; done";
  const uid = await begin(tasks, assignmentFor(flood));
  await alive(tasks, uid);
  await waitUntil("the first cut", () => readFileSync(fileOf(uid, "marks"), "utf8").includes("from stdout"));
  await killKeepers();
  for (const who of ["this agent", "the next agent"]) {
    const [marks, size] = [marksOf(uid), statSync(fileOf(uid, "stdout")).size];
    await waitUntil(`ten caps more with ${who}`, () => statSync(fileOf(uid, "stdout")).size > size + 10 * CAP, 20_000);
    expect(marksOf(uid)).toBeGreaterThan(marks);
    await waitUntil("what is over the cap to be freed", () => usedBytes(uid) < 4 * CAP);
    tasks.close();
    tasks = await site.open({ log_cap_bytes: CAP });
    await tasks.load();
  }
  await tasks.driver.kill(uid);
  await vanished(tasks, uid);
}, 60_000);

test("a task is over when its main process ends, and what that has left is killed", async () => {
  let tasks = await site.open();
  const gate = `${site.data}.go`;
  const script = `setsid sleep 60 & echo $!; until [ -e ${gate} ]; do sleep 0.05; done; exit 5`;
  const uids = [await begin(tasks, assignmentFor(script)), await begin(tasks, assignmentFor(script))];
  const children = await Promise.all(
    uids.map(async (uid) => Number(await waitUntil("the child's pid", async () => output(site.data, uid)))),
  );
  // Keeper and agent die, and so does the main process before another agent comes.
  tasks.close();
  await killKeepers();
  writeFileSync(gate, "");
  tasks = await site.open();
  await tasks.load();
  for (const uid of uids) {
    expect(await vanished(tasks, uid)).toMatchObject({ why: expect.stringContaining("exit is not known") });
  }
  expect(children.filter(isAlive)).toEqual([]);
});

/** Leaves all control groups, as a task of root can. Elsewhere it does nothing. */
const ESCAPE = `for g in /sys/fs/cgroup/*/cgroup.procs /sys/fs/cgroup/cgroup.procs; do
  { echo $$ > $g; } 2>/dev/null; done;`;
/** Prints the pids of a daemon, and of its child in another session and without an environment. */
const DAEMON = "setsid sh -c 'echo $$; env -i setsid sleep 60 & echo $!; exec sleep 60' &";

const printed = async (uid: string, count: number): Promise<number[]> =>
  waitUntil("the pids of what the task has started", async () => {
    const pids = (await output(site.data, uid)).split("\n").slice(0, -1).map(Number);
    return pids.length === count ? pids : null;
  });

/** Kills the keeper, and before it the guard, which would end exclusive tasks, and which the keeper would replace. */
async function killKeeperAndGuard(): Promise<void> {
  const guards = processesOf(site.data).filter(({ command }) => command.includes(" guard "));
  const [keeper = 0] = readdirSync(join(site.data, "keepers")).map((name) => Number.parseInt(name, 10));
  process.kill(keeper, "SIGSTOP");
  for (const one of guards) signal(one, "SIGKILL");
  await waitUntil("the guard to be dead", () => !guards.some(({ pid }) => isAlive(pid)));
  await killKeepers();
}

const bare = bareKeeperCommand();
const KINDS = [
  { kind: "with what control groups there are", command: KEEPER_COMMAND },
  { kind: "without control groups", command: bare ?? [] },
].filter(({ command }) => command.length > 0);

describe.each(KINDS)("$kind", ({ command }) => {
  test("what a task has left is killed with what that has started", async () => {
    const tasks = await site.open({ keeper_command: command });
    const gate = `${site.data}.go`;
    const uid = await begin(tasks, assignmentFor(`${ESCAPE} ${DAEMON} until [ -e ${gate} ]; do sleep 0.05; done`));
    const pids = await printed(uid, 2);
    await killKeepers();
    writeFileSync(gate, "");
    await vanished(tasks, uid);
    expect(pids.filter(isAlive)).toEqual([]);
  });

  test.each(["this agent", "the next agent"])(
    "an exclusive task whose process died with its keeper is cleared by %s",
    async (who) => {
      let tasks = await site.open({ keeper_command: command });
      tasks.driver.lease(bootMs());
      const lease = { lease_ms: 60_000, stop: { signal: "TERM", grace_ms: 500 } };
      const uid = await begin(tasks, assignmentFor(`${ESCAPE} ${DAEMON} sleep 60 & echo $!; wait`, lease));
      const pids = await printed(uid, 3);
      if (who === "the next agent") tasks.close();
      await killKeeperAndGuard();
      if (who === "the next agent") {
        tasks = await site.open({ keeper_command: command });
        await tasks.load();
      }
      await vanished(tasks, uid);
      expect(pids.filter(isAlive)).toEqual([]);
    },
  );
});

test.if(bare !== null)("without control groups, a kill reaches what a task has started in other sessions", async () => {
  const tasks = await site.open({ keeper_command: bare ?? [] });
  const uid = await begin(tasks, assignmentFor("env -i setsid sh -c 'sleep 60 & echo $!; wait' & wait"));
  const [child = 0] = await printed(uid, 1);
  await tasks.driver.kill(uid);
  expect(await ended(tasks, uid)).toMatchObject({ signal: "KILL" });
  expect(isAlive(child)).toBe(false);
});
