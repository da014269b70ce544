// A start that a hanging keeper was ordered to make may happen at any time, also under another agent: nothing is told
// of the task's end before the task is claimed.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { accessOf } from "../../../src/agent/devices/access";
import { createActs } from "../../../src/agent/loop/acts";
import { createAgentLoop, type AgentLoop } from "../../../src/agent/loop/loop";
import { createReports } from "../../../src/agent/loop/reports";
import { endWithoutResult } from "../../../src/core/agent/ending";
import type { Promised } from "../../../src/core/model/promised";
import type { TaskRecord } from "../../../src/core/model/record";
import { GIB } from "../../../src/core/units";
import { bootMs } from "../../../src/os/clock";
import { bootId } from "../../../src/os/proc";
import { machineOf } from "../../server/stage";
import { isAlive, processesOf, signal } from "../../support/processes";
import {
  alive,
  assignmentFor,
  begin,
  ended,
  FENCE,
  makeSite,
  output,
  recordFor,
  type OpenTasks,
  type Site,
} from "../../support/tasks";
import { NO_INPUTS } from "../../support/inputs";
import { waitUntil } from "../../support/wait";

const isRoot = process.getuid?.() === 0;

let site: Site;
let loop: AgentLoop | null = null;
let hanging: { pid: number } | null = null;
beforeEach(async () => {
  site = await makeSite();
});
afterEach(async () => {
  loop?.stop();
  goOn();
  expect(await site.close()).toEqual([]);
});

const said: string[] = [];

async function startLoop(tasks: OpenTasks): Promise<AgentLoop> {
  said.length = 0;
  const capacity = { cpu_milli: 1e6, memory_bytes: 999 * GIB, disk_bytes: 0, countables: {} };
  const machine = { ...machineOf("box1", { boot_id: bootId(), capacity }) };
  loop = await createAgentLoop({
    ...tasks,
    inputs: NO_INPUTS,
    machine,
    cards: { gate: () => [], verdicts: () => new Map(), blames: () => new Map() },
    clock: bootMs,
    say: (line) => void said.push(line),
    report: () => undefined,
  });
  return loop;
}

function goOn(): void {
  if (hanging !== null) process.kill(hanging.pid, "SIGCONT");
  hanging = null;
}

/** Has a first agent order a task's start at a keeper that hangs. Returns what the next agent finds. */
async function orderedBefore(record: TaskRecord): Promise<OpenTasks> {
  let is_asked = false;
  const access = (promised: Promised["devices"]) => {
    is_asked = true;
    return accessOf(promised, [], { keeps: false, mps: null });
  };
  const first = await site.open({ owes: true, access });
  await ended(first, await begin(first, assignmentFor("true")));
  const keeper = processesOf(site.data).find(({ command }) => command.includes("keeper"));
  if (keeper === undefined) throw new Error("there is no keeper");
  signal(keeper, "SIGSTOP");
  hanging = keeper;
  await first.store.write(record);
  is_asked = false;
  // Nobody waits for the answer, which never comes.
  first.driver.start(record).catch((error: unknown) => said.push(String(error)));
  // The order is written right after its access to cards is known, before anything else is done here.
  await waitUntil("the order to be sent", () => is_asked);
  first.close();
  return site.open({ owes: true });
}

const claimOf = (uid: string): string | null => {
  const file = join(site.data, "tasks", uid, "claim");
  return existsSync(file) ? readFileSync(file, "utf8") : null;
};
const stateOf = (of: AgentLoop, uid: string): string | undefined =>
  of.inventory().entries.find((entry) => entry.uid === uid)?.reported.state;

/** Lets the keeper go on, and returns once it has taken everything that it was asked. */
async function caughtUp(tasks: OpenTasks): Promise<void> {
  goOn();
  await waitUntil("the keeper to answer", () => tasks.driver.silent() === null);
  await ended(tasks, await begin(tasks, assignmentFor("true")));
}

test("an agent that finds no room for what an earlier one has ordered claims it before it says so", async () => {
  const { promised } = assignmentFor("true");
  const task = assignmentFor("echo I RUN; exec sleep 1000", {
    promised: { ...promised, devices: [{ id: "gpu0", bytes: null }] },
  });
  const next = await orderedBefore({ ...recordFor(task), accepted_ms: bootMs() - 70_000 });
  const found = await startLoop(next);
  await waitUntil("it to be turned away", () => stateOf(found, task.uid) === "rejected");
  // An agent that dies now leaves its reason to the next one.
  expect(claimOf(task.uid)).toMatch(/^stopped\ntold \{"state":"rejected","cause":"no_room",/);
  await caughtUp(next);
  expect(await output(site.data, task.uid)).toBe("");
  expect(next.driver.seen().get(task.uid)?.process.is).toBe("none");
}, 60_000);

test.if(isRoot)(
  `what an earlier agent has ordered is not told as stopped while the disk takes no claim (root only; this is ${
    isRoot ? "root" : "not root"
  })`,
  async () => {
    const { promised } = assignmentFor("true");
    // It waits for its card, so that this agent orders nothing.
    const task = assignmentFor("echo I RUN; exec sleep 1000", {
      promised: { ...promised, devices: [{ id: "gpu0", bytes: null }] },
    });
    const next = await orderedBefore({ ...recordFor(task), accepted_ms: bootMs() });
    const found = await startLoop(next);
    expect(next.driver.isOrdered(task.uid)).toBe(true);
    // No earlier agent can have ordered what was not here.
    expect(next.driver.isOrdered("f".repeat(32))).toBe(false);
    const dir = join(site.data, "tasks", task.uid);
    expect(Bun.spawnSync(["chattr", "+i", dir]).exitCode).toBe(0);
    try {
      const stop = { verb: "stop", uid: task.uid, attempt: 1, assigned_revision: 5 } as const;
      const how = { signal: "TERM", grace_ms: 1_000, why: "it is not wanted" };
      await found.take(FENCE, { ...FENCE, revision: 5 }, 1, [{ ...stop, ...how }]);
      await waitUntil("a claim to fail", () => said.some((line) => line.includes("claim: ")));
      expect(stateOf(found, task.uid)).toBe("stopping");
    } finally {
      expect(Bun.spawnSync(["chattr", "-i", dir]).exitCode).toBe(0);
    }
    await waitUntil("it to be told as stopped", () => stateOf(found, task.uid) === "stopped");
    expect(claimOf(task.uid)).toMatch(/^stopped\ntold \{/);
    await caughtUp(next);
    expect(await output(site.data, task.uid)).toBe("");
  },
  60_000,
);

test("what lives although its end was told is killed, also where the server has heard of the end", async () => {
  const tasks = await site.open();
  const script = "exec sleep 1000";
  const [told, heard] = [await begin(tasks, assignmentFor(script)), await begin(tasks, assignmentFor(script))];
  const pids = [await alive(tasks, told), await alive(tasks, heard)];
  const end = endWithoutResult("rejected", "no_room", "no room", bootMs());
  for (const uid of [told, heard]) {
    const { records } = await tasks.load();
    const record = records.get(uid);
    if (record !== undefined) await tasks.store.write({ ...record, end });
  }
  const found = await startLoop(tasks);
  await found.acknowledged([heard]);
  await waitUntil("both to end", () => !pids.some((pid) => isAlive(pid)), 20_000);
  expect(said.filter((line) => line.includes("it lives although its end was told"))).not.toEqual([]);
}, 60_000);

test("a start that takes long has been failing since it failed, and not since it began", async () => {
  const tasks = await site.open();
  let now_ms = 1_000;
  const record = recordFor(assignmentFor("true"));
  const { uid } = record.assignment;
  const records = new Map([[uid, record]]);
  const start = (): Promise<void> => {
    now_ms += 20_000;
    return Promise.reject(new Error("no keeper"));
  };
  const driver = { ...tasks.driver, start };
  const reports = createReports(records, tasks.store, tasks.driver);
  const over = Promise.withResolvers<void>();
  const clock = (): number => now_ms;
  const say = (): void => undefined;
  const acts = createActs({ store: tasks.store, driver, records, reports, clock, say, done: over.resolve });
  acts.begin({ do: "start", uid }, now_ms);
  await over.promise;
  expect(acts.failing.get(uid)).toMatchObject({ since_ms: 21_000, at: "start" });
});
