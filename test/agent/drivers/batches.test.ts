// Batches as the agent's driver sees them, over a keeper that does what the test says: their results and places, their
// stop, and what becomes of them when the keeper is dead.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BatchSoFar } from "../../../src/core/agent/results";
import { endWithoutResult } from "../../../src/core/agent/ending";
import type { Assignment, Seen } from "../../../src/core/model/record";
import { BatchKeeper, batchFor } from "../../support/batch-keeper";
import { isAlive } from "../../support/processes";
import { begin, makeSite, type OpenTasks, recordFor, type Site } from "../../support/tasks";
import { waitUntil } from "../../support/wait";

let site: Site;
let keeper: BatchKeeper;
const pids: number[] = [];
beforeEach(async () => {
  site = await makeSite();
  keeper = new BatchKeeper(site.data);
});
afterEach(async () => {
  keeper.die();
  for (const pid of pids.splice(0)) if (isAlive(pid)) process.kill(pid, "SIGKILL");
  expect(await site.close()).toEqual([]);
});

const assignment = batchFor(4, 2);
const { uid } = assignment;
const UNKNOWN = endWithoutResult("unknown", "result_unknown", "its keeper died", 1);

const processOf = ({ driver }: OpenTasks): Seen["process"] | undefined => driver.seen().get(uid)?.process;
const soFar = ({ driver }: OpenTasks, over = false): BatchSoFar | null =>
  driver.batch({ ...recordFor(assignment), end: over ? UNKNOWN : null });
const endsOf = (so_far: BatchSoFar | null) => so_far?.results.map(([index, end]) => [index, end]);

function begins(position: number, place: number, script?: string): number {
  const { pid } = keeper.began(uid, position, place, script);
  pids.push(pid);
  return pid;
}

async function running(): Promise<OpenTasks> {
  const tasks = await site.open();
  await begin(tasks, assignment);
  expect(processOf(tasks)).toMatchObject({ is: "alive", handle: { pid: null }, places: 2 });
  return tasks;
}

const isIn = (tasks: OpenTasks, is: string) => waitUntil(`it to be ${is}`, () => processOf(tasks)?.is === is);

test("the order is one of its elements, with what the keeper needs of the batch", async () => {
  const more: Assignment = { ...assignment, time_limit_ms: 700, env: { ORCH_SLOT: "0", ORCH_ATTEMPT: "1", A: "b" } };
  const tasks = await site.open();
  await begin(tasks, more);
  const [order] = keeper.heard.flatMap((one) => (one.do === "start" ? [one.order] : []));
  expect(order).toMatchObject({
    limits: { cpu_milli: 100 },
    held: { cpu_milli: 200 },
    batch: { ...assignment.batch, time_limit_ms: 700 },
  });
  expect(order?.env).toMatchObject({ A: "b" });
  const { ORCH_SLOT: slot, ORCH_ATTEMPT: attempt } = order!.env;
  expect([slot, attempt]).toEqual([undefined, undefined]);
});

test("results and places come as the keeper says that there are some, and the last ones with the end", async () => {
  const tasks = await running();
  begins(0, 0, "true");
  keeper.ended(uid, 0);
  expect(endsOf(soFar(tasks))).toEqual([]);
  keeper.tell(uid);
  await waitUntil("the first result", () => soFar(tasks)?.results.length === 1);
  keeper.ended(uid, 1, 3);
  keeper.open(uid, 1);
  keeper.tell(uid);
  await waitUntil("the place", () => soFar(tasks)?.places === 1);
  expect(processOf(tasks)).toMatchObject({ is: "alive", places: 1 });
  keeper.ended(uid, 3, "KILL", "out of memory");
  keeper.finish(uid);
  await isIn(tasks, "ended");
  expect(soFar(tasks)?.results).toEqual([
    [0, 0, 5],
    [1, 3, 5],
    [3, "KILL", 5, "out of memory"],
  ]);
});

test("the next agent has the results of before, also of a batch that is over", async () => {
  const first = await running();
  keeper.ended(uid, 2, 1);
  first.close();
  const second = await site.open();
  await second.load();
  expect(processOf(second)).toMatchObject({ is: "alive", places: 2 });
  expect(endsOf(soFar(second))).toEqual([[2, 1]]);
  keeper.ended(uid, 0);
  keeper.finish(uid);
  await isIn(second, "ended");
  second.close();
  const third = await site.open();
  await third.load();
  expect(endsOf(soFar(third))).toEqual([
    [2, 1],
    [0, 0],
  ]);
});

test("a stop has the keeper begin nothing more, and reaches every element and nothing else of them", async () => {
  const tasks = await running();
  const log = join(site.data, "told");
  writeFileSync(log, "");
  // The child is in another session, and is not asked.
  const child = `trap 'echo child >> ${log}' TERM; echo up >> ${log}; sleep 60 & wait`;
  const script = (name: string) =>
    `trap 'echo ${name} >> ${log}; exit 0' TERM; setsid sh -c "${child}" & while :; do sleep 0.05; done`;
  begins(0, 0, script("a"));
  begins(1, 1, script("b"));
  const lines = (): string[] => readFileSync(log, "utf8").trim().split("\n").sort();
  await waitUntil("the elements to be up", () => lines().join() === "up,up");
  await tasks.driver.signal(uid, "TERM");
  await keeper.hears("halt");
  await waitUntil("both to be told", () => lines().join() === "a,b,up,up");
  await tasks.driver.kill(uid);
  keeper.die();
  await isIn(tasks, "vanished");
  expect(lines()).toEqual(["a", "b", "up", "up"]);
});

test("an element that began while the stop was on its way is asked as well", async () => {
  const tasks = await running();
  await tasks.driver.signal(uid, "TERM");
  const late = begins(0, 0);
  await waitUntil("it to be asked", () => !isAlive(late));
});

test("a kill ends all that carries the mark, and no other process", async () => {
  const tasks = await running();
  const stranger = Bun.spawn(["sleep", "60"], { detached: true, stdio: ["ignore", "ignore", "ignore"] });
  pids.push(stranger.pid);
  const own = [begins(0, 0, "setsid sleep 60 & sleep 60"), begins(1, 1)];
  await waitUntil("they to run", () => own.every(isAlive));
  // What has just been started may not carry the mark yet, so an agent kills again.
  await waitUntil("they to be dead", async () => {
    await tasks.driver.kill(uid);
    return !own.some(isAlive);
  });
  await keeper.hears("halt");
  expect(isAlive(stranger.pid)).toBe(true);
  expect(processOf(tasks)).toMatchObject({ is: "alive" });
});

test.each(["this agent", "the next agent"])(
  "without its keeper it lives as long as its elements, for %s",
  async (who) => {
    let tasks = await running();
    begins(0, 0, "true");
    const pid = begins(1, 1);
    keeper.ended(uid, 0);
    if (who === "the next agent") tasks.close();
    keeper.die();
    if (who === "the next agent") {
      tasks = await site.open();
      await tasks.load();
    }
    await waitUntil("it to be looked at", () => {
      const seen = processOf(tasks);
      return seen?.is === "alive" && seen.handle.pid === pid;
    });
    process.kill(pid, "SIGKILL");
    await isIn(tasks, "vanished");
    const all = [
      [0, 0],
      [1, "unknown"],
    ];
    expect(endsOf(soFar(tasks, true))).toEqual(all);
    expect(endsOf(soFar(tasks, true))).toEqual(all);
  },
);

test("one whose directory is lost is never begun again, and any of its elements may have begun", async () => {
  const tasks = await running();
  const { pid } = keeper.began(uid, 0, 0);
  pids.push(pid);
  rmSync(join(site.data, "tasks", uid), { recursive: true });
  keeper.die();
  process.kill(pid, "SIGKILL");
  await isIn(tasks, "vanished");
  expect(endsOf(soFar(tasks, true))).toEqual([0, 1, 2, 3].map((index) => [index, "unknown"]));
});
