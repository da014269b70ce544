// A keeper is dead when its process is, and not when its socket refuses or a connection to it breaks: until then
// nobody else judges its tasks, and it is connected to again.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runDirOf } from "../../../src/agent/machine/rundir";
import { FILES } from "../../../src/agent/tasks/taskdir";
import { makeDisk, noDisk } from "../../support/frozen";
import { isAlive, processOf, signal } from "../../support/processes";
import { alive, assignmentFor, begin, ended, makeSite, type OpenTasks, type Site } from "../../support/tasks";
import { waitUntil } from "../../support/wait";

let site: Site;
beforeEach(async () => {
  site = await makeSite();
});
afterEach(async () => expect(await site.close()).toEqual([]));

const keepers = (): number[] => readdirSync(join(site.data, "keepers")).map((name) => Number.parseInt(name, 10));
const socketOf = (pid: number): string => join(site.data, "keepers", `${pid}.sock`);
const until = (gate: string): string => `until [ -e ${gate} ]; do sleep 0.05; done; exit 6`;

/** Connects to a socket until it refuses: a process that is stopped accepts nothing. Returns what frees it again. */
async function fill(path: string): Promise<() => void> {
  const held: Bun.Socket[] = [];
  for (let refused = false; !refused;) {
    try {
      held.push(await Bun.connect({ unix: path, socket: { data: () => undefined } }));
    } catch {
      refused = true;
    }
  }
  return () => {
    for (const one of held) one.terminate();
  };
}

for (const journal of ["its journal", "no journal"]) {
  test(`a keeper that hangs and refuses connections is no dead one, with ${journal}`, async () => {
    const first = await site.open();
    const uid = await begin(first, assignmentFor(until(`${site.data}.go`)));
    const pid = await alive(first, uid);
    const [keeper = 0] = keepers();
    first.close();
    process.kill(keeper, "SIGSTOP");
    const free = await fill(socketOf(keeper));
    try {
      if (journal === "no journal") rmSync(join(runDirOf(site.data), `living.${keeper}`));
      const next = await site.open();
      expect(next.driver.silent()).toContain(`its keeper (PID ${keeper}) does not answer`);
      await next.load();
      writeFileSync(`${site.data}.go`, "");
      await waitUntil("the task to end", () => !isAlive(pid));
      next.driver.look(uid);
      expect(next.driver.seen().get(uid)?.process.is).toBe("alive");
      expect(existsSync(socketOf(keeper))).toBe(true);
      free();
      process.kill(keeper, "SIGCONT");
      expect(await ended(next, uid)).toMatchObject({ exit_code: 6, reason: null });
      await waitUntil("the keeper to be known", () => next.driver.silent() === null);
    } finally {
      process.kill(keeper, "SIGCONT");
    }
  }, 30_000);
}

/** Makes the agent fail over the next message of its keeper, which breaks their connection. */
function breakConnection({ driver }: OpenTasks): void {
  driver.onChange(() => {
    driver.onChange(() => undefined);
    throw new Error("this message is too much");
  });
}

test("a connection that breaks costs no end: the keeper lives, and is connected to again", async () => {
  const tasks = await site.open();
  const uids = await Promise.all(
    Array.from({ length: 5 }, async () => begin(tasks, assignmentFor(until(`${site.data}.go`)))),
  );
  for (const uid of uids) await alive(tasks, uid);
  const before = keepers();
  breakConnection(tasks);
  const last = await begin(tasks, assignmentFor("exit 3"));
  // These end while nobody hears of it, or soon after.
  writeFileSync(`${site.data}.go`, "");
  for (const uid of uids) expect(await ended(tasks, uid)).toMatchObject({ exit_code: 6, reason: null });
  expect(await ended(tasks, last)).toMatchObject({ exit_code: 3 });
  expect(site.said).toEqual([expect.stringContaining("is made again: this message is too much")]);
  expect(await ended(tasks, await begin(tasks, assignmentFor("exit 4")))).toMatchObject({ exit_code: 4 });
  expect(keepers()).toEqual(before);
});

test("a keeper without its socket is not gone before its process is, and its tasks' ends are found then", async () => {
  const tasks = await site.open();
  const uid = await begin(tasks, assignmentFor(until(`${site.data}.go`)));
  const [keeper = 0] = keepers();
  renameSync(socketOf(keeper), `${site.data}.away`);
  breakConnection(tasks);
  const other = begin(tasks, assignmentFor("exit 3"));
  await waitUntil("the keeper to be missed", () => tasks.driver.silent());
  expect(tasks.driver.seen().get(uid)?.process.is).toBe("alive");
  writeFileSync(`${site.data}.go`, "");
  expect(await ended(tasks, uid)).toMatchObject({ exit_code: 6, reason: null });
  expect(isAlive(keeper)).toBe(false);
  expect(tasks.driver.silent()).toBeNull();
  expect(await ended(tasks, await other)).toMatchObject({ exit_code: 3 });
});

const why = noDisk();
test.if(why === null)("an end that a broken disk does not take stays the end, also for the next agent", async () => {
  const image = `${site.data}.img`;
  const disk = makeDisk(image, site.data);
  try {
    const before = await site.open();
    const uid = await begin(before, assignmentFor(until(`${site.data}.go`)));
    await alive(before, uid);
    const [keeper = 0] = keepers();
    // As after an error of the device: the file system takes nothing more.
    expect(Bun.spawnSync(["mount", "-o", "remount,abort", site.data]).exitCode).toBe(0);
    writeFileSync(`${site.data}.go`, "");
    expect(await ended(before, uid)).toMatchObject({ exit_code: 6 });
    before.driver.look(uid);
    expect(before.driver.seen().get(uid)?.process).toMatchObject({ is: "ended", exit_code: 6 });
    before.close();
    const after = await site.open();
    await after.driver.find(await after.store.read());
    expect(after.driver.seen().get(uid)?.process).toMatchObject({ is: "ended", exit_code: 6 });
    after.close();
    // It would try to write the end for as long as it lives. The next agent removes its control groups.
    process.kill(keeper, "SIGKILL");
    await waitUntil("the keeper to be dead", () => !isAlive(keeper));
  } finally {
    disk.remove();
  }
  (await site.open()).close();
});

test("a look that fails when a keeper is gone keeps no other task from its own, and is repeated", async () => {
  const tasks = await site.open();
  const start = async (): Promise<string> => begin(tasks, assignmentFor(until(`${site.data}.go`)));
  const [broken, ...others] = [await start(), await start(), await start()];
  const pids = await Promise.all([broken, ...others].map(async (uid) => alive(tasks, uid)));
  // The path of this group is longer than the kernel takes.
  const claim = join(site.data, "tasks", broken, FILES.claim);
  const text = await Bun.file(claim).text();
  writeFileSync(claim, text.replace(/^group .*$/m, `group /${"x/".repeat(3_000)}`).replace(/^pid .*\n/m, ""));
  for (const pid of keepers()) {
    const found = processOf(pid);
    if (found !== null) signal(found, "SIGKILL");
  }
  await waitUntil("the look to fail", () => site.said.some((line) => line.includes("could not be looked at")));
  writeFileSync(`${site.data}.go`, "");
  await waitUntil("the tasks to end", () => !pids.some(isAlive));
  for (const uid of others) {
    await waitUntil("the others to vanish", () => tasks.driver.seen().get(uid)?.process.is === "vanished");
  }
  expect(tasks.driver.seen().get(broken)?.process.is).toBe("alive");
  writeFileSync(claim, text);
  await waitUntil("it to vanish", () => tasks.driver.seen().get(broken)?.process.is === "vanished");
  expect(site.said.filter((line) => line.includes("could not be looked at"))).toHaveLength(1);
});
