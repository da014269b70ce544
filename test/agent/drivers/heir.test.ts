// What a dead keeper did for its tasks goes on: caps and marks of their output, the end of a main process, and what it
// has left.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isAlive, processOf, signal } from "../../support/processes";
import { alive, assignmentFor, begin, makeSite, output, type OpenTasks, type Site } from "../../support/tasks";
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
