// The agent's loop over real tasks: orders for what has lost its record, and orders that a bad disk cannot keep.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createAgentLoop, type AgentLoop } from "../../../src/agent/loop/loop";
import { successorUid } from "../../../src/core/fresh";
import type { TaskRecord, TaskReport, Verb } from "../../../src/core/model/record";
import { GIB } from "../../../src/core/units";
import { bootMs } from "../../../src/os/clock";
import { bootId } from "../../../src/os/proc";
import { machineOf } from "../../server/stage";
import { bookOf, damageRecord } from "../../support/book";
import { isAlive, processesOf, signal } from "../../support/processes";
import {
  alive,
  assignmentFor,
  begin,
  FENCE,
  makeSite,
  type OpenTasks,
  output,
  recordFor,
  type Site,
} from "../../support/tasks";
import { NO_INPUTS } from "../../support/inputs";
import { waitUntil } from "../../support/wait";

const RESTART = { backoff_min_ms: 1_000, backoff_max_ms: 60_000, attempts: null, offline: true };

let site: Site;
let loop: AgentLoop | null = null;
beforeEach(async () => {
  site = await makeSite();
});
afterEach(async () => {
  loop?.stop();
  loop = null;
  expect(await site.close()).toEqual([]);
});

interface Started {
  readonly loop: AgentLoop;
  readonly reports: readonly TaskReport[];
  /** When each line of the loop was said. */
  readonly said: readonly { readonly line: string; readonly at_ms: number }[];
}

async function startLoop(tasks: OpenTasks): Promise<Started> {
  const reports: TaskReport[] = [];
  const said: { line: string; at_ms: number }[] = [];
  const capacity = { cpu_milli: 1e6, memory_bytes: 999 * GIB, disk_bytes: 0, countables: {} };
  const machine = { ...machineOf("box1", { boot_id: bootId(), capacity }) };
  const report = (entries: readonly TaskReport[]): void => void reports.push(...entries);
  const say = (line: string): void => void said.push({ line, at_ms: performance.now() });
  const cards = { gate: () => [], verdicts: () => new Map(), blames: () => new Map() };
  loop = await createAgentLoop({
    ...tasks,
    inputs: NO_INPUTS,
    machine,
    cards,
    clock: bootMs,
    say,
    report,
  });
  return { loop, reports, said };
}

const stopOf = (uid: string): Verb => ({
  verb: "stop",
  uid,
  attempt: 1,
  assigned_revision: 5,
  signal: "TERM",
  grace_ms: 2_000,
  why: "it is not wanted",
});

/** Lives until it is told to end, and a little longer. */
const SLOW_END = "trap 'sleep 0.5; exit 0' TERM; echo ready; while :; do sleep 0.05; done";

async function living(tasks: OpenTasks): Promise<{ uid: string; pid: number }> {
  const uid = await begin(tasks, assignmentFor(SLOW_END));
  await waitUntil("it to be ready", async () => (await output(site.data, uid)).includes("ready"));
  return { uid, pid: await alive(tasks, uid) };
}

async function isToldUntilHeard({ loop: of, reports }: Started, uid: string): Promise<void> {
  expect(of.inventory()).toEqual({ entries: reports, unreadable: [] });
  await of.acknowledged([uid]);
  expect(of.inventory()).toEqual({ entries: [], unreadable: [] });
}

for (const [what, lose] of [
  ["record can no longer be read", (data: string, uid: string) => damageRecord(data, uid)],
  [
    "record and whole directory are lost",
    (data: string, uid: string) => {
      rmSync(bookOf(data));
      rmSync(join(data, "tasks", uid), { recursive: true });
    },
  ],
] as const) {
  test(`a stop ends a task whose ${what}, and its end is told only when it has come`, async () => {
    const { uid, pid } = await living(await site.open());
    lose(site.data, uid);
    const next = await startLoop(await site.open());
    expect(next.loop.inventory().unreadable).toMatchObject([{ uid, pid }]);
    const stamp = { ...FENCE, revision: 5 };
    expect(await next.loop.take(FENCE, stamp, 1, [stopOf(uid)])).toMatchObject({ applied_n: 1 });
    expect(next.reports).toEqual([]);
    await waitUntil("its end to be told", () => next.reports.length > 0);
    expect(isAlive(pid)).toBe(false);
    expect(next.reports).toMatchObject([{ uid, reported: { state: "unknown" } }]);
    await isToldUntilHeard(next, uid);
  });

  test(`a task that ends by itself after its ${what} holds nothing any more, and its end is told`, async () => {
    const { uid, pid } = await living(await site.open());
    lose(site.data, uid);
    const next = await startLoop(await site.open());
    expect(next.loop.inventory().unreadable).toMatchObject([{ uid, pid }]);
    process.kill(pid, "SIGTERM");
    await waitUntil("its end to be told", () => next.reports.length > 0);
    // Its keeper knows how it ended.
    expect(next.reports).toMatchObject([{ uid, reported: { state: "succeeded", exit_code: 0 } }]);
    await isToldUntilHeard(next, uid);
  });
}

test("a task that was here, of which nothing is left, is unknown when it comes again, and does not begin", async () => {
  const began = join(site.data, "..", "began");
  const first = await site.open();
  const task = assignmentFor(`echo it >> ${began}; exec sleep 1000`);
  await begin(first, task);
  await waitUntil("it to begin", () => existsSync(began));
  const pid = await alive(first, task.uid);
  first.close();
  // Its keeper, which would note its end, dies before it.
  const keepers = processesOf(site.data).filter(({ command }) => command.includes("keeper"));
  expect(keepers.length).toBe(1);
  for (const one of keepers) signal(one, "SIGKILL");
  await waitUntil("the keeper to be gone", () => !keepers.some((one) => isAlive(one.pid)));
  process.kill(pid, "SIGKILL");
  await waitUntil("it to be gone", () => !isAlive(pid));
  rmSync(join(site.data, "tasks", task.uid), { recursive: true });
  const next = await startLoop(await site.open());
  await next.loop.take(FENCE, { ...FENCE, revision: 5 }, 1, [{ verb: "assign", task }]);
  await waitUntil("its end to be told", () => next.reports.some(({ reported }) => reported.state === "unknown"));
  expect(next.reports.at(-1)).toMatchObject({ uid: task.uid, reported: { state: "unknown" } });
  expect(readFileSync(began, "utf8")).toBe("it\n");
});

test("a stop that the disk cannot keep is carried out all the same, and asked for again", async () => {
  const { uid, pid } = await living(await site.open());
  const { loop: found, said } = await startLoop(await site.open());
  const file = bookOf(site.data);
  rmSync(file);
  mkdirSync(file);
  const stamp = { ...FENCE, revision: 5 };
  const taken = await found.take(FENCE, stamp, 1, [stopOf(uid)]).then(() => "kept", String);
  expect(taken).toContain("records.log is a directory");
  await waitUntil("it to end", () => !isAlive(pid));
  // Its end cannot be written either: that is tried now and then, not all the time.
  const [first, second] = await waitUntil("the loop to say so twice", () => {
    const tries = said.filter(({ line }) => line.includes("end: "));
    return tries.length > 1 ? tries : null;
  });
  expect(second!.at_ms - first!.at_ms).toBeGreaterThan(900);
  rmSync(file, { recursive: true });
  await waitUntil("its end to be written", () => found.inventory().entries[0]?.reported.state === "stopped");
});

test("a successor whose making was cut short is named only with the end that it follows", async () => {
  const { identity, ...rest } = assignmentFor("sleep 1000", { grant_until: 3, restart: { ...RESTART } });
  const first: TaskRecord = { ...recordFor({ ...rest, identity }), boot_id: "an earlier boot" };
  const uid = successorUid(rest.uid, 2);
  const second: TaskRecord = {
    ...recordFor({ ...rest, uid, identity: { ...identity, attempt: 2 } }),
    not_before_ms: bootMs() + 600_000,
  };
  const tasks = await site.open();
  await tasks.store.write(second);
  await tasks.store.write(first);
  const { loop: found, reports } = await startLoop(await site.open());
  expect(found.inventory().entries.map((entry) => entry.uid)).toEqual([rest.uid]);
  await waitUntil("both to be told", () => reports.some((entry) => entry.uid === uid));
  const told = reports.map((entry) => [entry.uid, entry.reported.state]);
  const end = told.findIndex(([, state]) => state === "gone");
  expect(end).toBeGreaterThanOrEqual(0);
  expect(end).toBeLessThan(told.findIndex(([one]) => one === uid));
  expect(reports[end]?.reported).toMatchObject({ next: { uid } });
  expect(
    found
      .inventory()
      .entries.map((entry) => entry.uid)
      .toSorted(),
  ).toEqual([rest.uid, uid].toSorted());
});

test("an exclusive task that came while the lease was over starts with the next answered heartbeat", async () => {
  const clock = bootMs;
  const tasks = await site.open();
  const started: string[] = [];
  const start = tasks.driver.start.bind(tasks.driver);
  tasks.driver.start = (record) => {
    started.push(record.assignment.uid);
    return start(record);
  };
  const { loop: found } = await startLoop(tasks);
  found.heard(clock() - 600_000);
  const task = assignmentFor("exec sleep 1000", { lease_ms: 60_000 });
  await found.take(FENCE, { ...FENCE, revision: 5 }, 1, [{ verb: "assign", task }]);
  const reported = () => found.inventory().entries[0]?.reported;
  // Each of these turns of the event loop is a decision.
  for (let turn = 0; turn < 20; turn++) {
    found.wake();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(started).toEqual([]);
  expect(reported()).toMatchObject({ state: "preparing", reason: "waits for a valid lease" });
  found.heard(clock());
  await waitUntil("it to run", () => reported()?.state === "running");
  expect(started).toEqual([task.uid]);
});

test("an exclusive task whose grace leaves nothing of its lease is turned away, and says why", async () => {
  const { loop: found } = await startLoop(await site.open());
  found.heard(bootMs());
  const task = assignmentFor("exec sleep 1000", { lease_ms: 60_000, stop: { signal: "TERM", grace_ms: 60_000 } });
  await found.take(FENCE, { ...FENCE, revision: 5 }, 1, [{ verb: "assign", task }]);
  const end = await waitUntil("it to be turned away", () => {
    const reported = found.inventory().entries[0]?.reported;
    return reported?.state === "rejected" ? reported : null;
  });
  expect(end.reason).toBe("its stop grace of 1m leaves nothing of the lease of 1m that an exclusive task has");
});

test.each([
  ["since which the disk vouches is stopped", 4, "stopped", ["stopped"]],
  ["before the disk was new is unknown", 5, "unknown", []],
] as const)("what was assigned %s, also to a later agent", async (_what, since, state, found) => {
  const uid = "f".repeat(32);
  const fence = { ...FENCE, since };
  for (const told of [[], found]) {
    const { loop: agent, reports } = await startLoop(await site.open());
    expect(agent.inventory().entries.map((entry) => entry.reported.state)).toEqual([...told]);
    await agent.take(fence, { ...fence, revision: 9 }, 1, [stopOf(uid)]);
    expect(reports.map((entry) => [entry.uid, entry.reported.state])).toEqual([[uid, state]]);
    agent.stop();
  }
});

test("what a hanging keeper was asked to begin for another timeline never begins", async () => {
  const tasks = await site.open();
  const first = await begin(tasks, assignmentFor("exec sleep 1000"));
  const { loop: found } = await startLoop(tasks);
  const keeper = processesOf(site.data).find(({ command }) => command.includes("keeper"));
  if (keeper === undefined) throw new Error("there is no keeper");
  const task = assignmentFor("echo it began; exec sleep 1000");
  signal(keeper, "SIGSTOP");
  try {
    await found.take(FENCE, { ...FENCE, revision: 5 }, 1, [{ verb: "assign", task }]);
    await waitUntil("the start to be ordered", () => tasks.driver.isOrdered(task.uid));
    await found.newTimeline();
    const told = found.inventory().entries.map(({ uid, reported }) => [uid, reported.state]);
    expect(Object.fromEntries(told)).toEqual({ [first]: "running", [task.uid]: "stopped" });
  } finally {
    signal(keeper, "SIGCONT");
  }
  await waitUntil("the keeper to answer", () => !tasks.driver.isOrdered(task.uid));
  expect(tasks.driver.seen().get(task.uid)).toEqual({ claimed: true, process: { is: "none" } });
  expect(await output(site.data, task.uid)).toBe("");
});

test("of many tasks that come together the first begin while the last are being written", async () => {
  const tasks = await site.open();
  const orders = Array.from({ length: 100 }, () => assignmentFor("sleep 60"));
  const last = orders.at(-1)!.uid;
  const held = Promise.withResolvers<void>();
  const write: typeof tasks.store.write = async (record) => {
    if (record.assignment.uid === last) await held.promise;
    return tasks.store.write(record);
  };
  const { loop: of } = await startLoop({ ...tasks, store: { ...tasks.store, write } });
  const stamp = { ...FENCE, revision: 5 };
  const verbs = orders.map((assignment): Verb => ({ verb: "assign", task: assignment }));
  const taken = of.take(FENCE, stamp, 1, verbs);
  await alive(tasks, orders[0]!.uid);
  expect(of.knows(last)).toBe(false);
  held.resolve();
  expect(await taken).toMatchObject({ applied_n: 1 });
  await alive(tasks, last);
});
