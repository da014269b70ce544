// A lease ends its task whatever hangs: the disk, the agent, the keeper, or the guard that watches beside the keeper.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TaskRecord } from "../../../src/core/model/record";
import { blamedUntil, leaseActs } from "../../../src/agent/keeper/lease";
import { LEASE_TIMES } from "../../../src/core/limits";
import { bootMs } from "../../../src/os/clock";
import { AGENT_COMMAND } from "../../support/fixtures/agent";
import { bareKeeperCommand } from "../../support/fixtures/keeper";
import { makeDisk, noDisk, type Disk } from "../../support/frozen";
import { isAlive, processesOf, processOf, signal } from "../../support/processes";
import {
  alive,
  assignmentFor,
  begin,
  ended,
  makeSite,
  output,
  recordFor,
  type OpenTasks,
  type Site,
} from "../../support/tasks";
import { scratchDir } from "../../support/scratch";
import { waitUntil } from "../../support/wait";

const LEASE_MS = 4_000;
const stop = { signal: "TERM", grace_ms: 500 };

let site: Site;
let disk: Disk | null = null;
let scratch = "";
beforeEach(async () => {
  site = await makeSite();
  scratch = join(scratchDir("lease"), "times");
});
afterEach(async () => {
  disk?.thaw();
  // Whatever was stopped goes on, so that it can end.
  for (const found of processesOf(site.data)) signal(found, "SIGCONT");
  // A lazy unmount: what still uses the disk goes on with it.
  disk?.remove();
  disk = null;
  expect(await site.close()).toEqual([]);
});

/** A task that ignores the stop signal, and writes the time outside of the data directory for as long as it runs. */
const counting = (): TaskRecord =>
  recordFor(
    assignmentFor(`trap '' TERM; while :; do date +%s%3N >> ${scratch}; sleep 0.05; done`, {
      lease_ms: LEASE_MS,
      stop,
    }),
  );

/** Starts the fixture agent with a lease that is never renewed. Returns it, and when the lease began. */
async function startAgent(record: TaskRecord): Promise<{ agent: Bun.Subprocess; heard_ms: number }> {
  const file = `${scratch}.records.json`;
  const log = `${scratch}.log`;
  writeFileSync(file, JSON.stringify([record]));
  const agent = Bun.spawn([...AGENT_COMMAND, site.data, file, "LEASE"], {
    stdin: "ignore",
    stdout: Bun.file(log),
    stderr: "inherit",
  });
  await waitUntil("the task to begin", async () => (await Bun.file(log).text()).includes("started 1"));
  await waitUntil("the task to count", () => readFileSync(scratch, "utf8"));
  return { agent, heard_ms: Date.now() };
}

const keeper = (): number => Number.parseInt(readdirSync(join(site.data, "keepers"))[0] ?? "", 10);
const guards = (): number[] =>
  processesOf(site.data)
    .filter(({ command }) => command.includes(" guard "))
    .map(({ pid }) => pid);

/** Waits until a task counts no more, and returns when it last did. */
async function lastCount(): Promise<number> {
  const LONG_MS = 1_000;
  return waitUntil(
    "the task to count no more",
    () => {
      // The last whole line: the task may be killed while it writes one.
      const at_ms = Number(readFileSync(scratch, "utf8").split("\n").at(-2));
      return at_ms > 0 && Date.now() - at_ms > LONG_MS ? at_ms : null;
    },
    15_000,
  );
}

test("with keeper and agent stopped, the guard ends the task, and the keeper says why once it goes on", async () => {
  const record = counting();
  const { agent, heard_ms } = await startAgent(record);
  const stopped = [agent.pid, keeper()];
  for (const pid of stopped) process.kill(pid, "SIGSTOP");
  expect((await lastCount()) - heard_ms).toBeLessThan(LEASE_MS);
  for (const pid of stopped) process.kill(pid, "SIGCONT");
  agent.kill("SIGKILL");
  const tasks = await site.open();
  await tasks.load();
  const end = await ended(tasks, record.assignment.uid);
  expect(end).toMatchObject({ cause: "lease_expired", signal: "KILL" });
}, 30_000);

test("with the guard stopped, the keeper ends the task, and starts another guard", async () => {
  const { heard_ms, agent } = await startAgent(counting());
  const [before = 0] = guards();
  process.kill(before, "SIGSTOP");
  expect((await lastCount()) - heard_ms).toBeLessThan(LEASE_MS);
  agent.kill("SIGKILL");
}, 30_000);

test("a guard that is killed or that hangs is replaced, and its task goes on", async () => {
  const tasks = await site.open();
  tasks.driver.lease(Date.now());
  const uid = await begin(tasks, assignmentFor("exec sleep 60", { lease_ms: 60_000, stop }));
  const pid = await alive(tasks, uid);
  for (const how of ["SIGKILL", "SIGSTOP"] as const) {
    const [before = 0] = await waitUntil("a guard", () => (guards().length === 1 ? guards() : null));
    process.kill(before, how);
    await waitUntil(`another guard after ${how}`, () => guards().some((one) => one !== before) && !isAlive(before));
  }
  expect(isAlive(pid)).toBe(true);
  tasks.driver.lease(Date.now() - 60_000 + 2_000);
  await tasks.driver.kill(uid);
  await ended(tasks, uid);
}, 30_000);

test("a guard that hangs between two exclusive tasks is replaced for the second one", async () => {
  const tasks = await site.open();
  tasks.driver.lease(bootMs());
  // It keeps the keeper, and with it the guard, between the two.
  const stays = await begin(tasks, assignmentFor("exec sleep 60"));
  const script = { lease_ms: 60_000, stop };
  expect(await ended(tasks, await begin(tasks, assignmentFor("exit 3", script)))).toMatchObject({ exit_code: 3 });
  const [guard = 0] = await waitUntil("the guard", () => (guards().length === 1 ? guards() : null));
  process.kill(guard, "SIGSTOP");
  expect(await ended(tasks, await begin(tasks, assignmentFor("exit 4", script)))).toMatchObject({ exit_code: 4 });
  expect(guards()).not.toContain(guard);
  await tasks.driver.kill(stays);
  await ended(tasks, stays);
}, 30_000);

test("two exclusive tasks that begin on one hanging guard both get the guard that replaces it", async () => {
  const tasks = await site.open();
  tasks.driver.lease(bootMs());
  const stays = await begin(tasks, assignmentFor("exec sleep 60"));
  const script = { lease_ms: 60_000, stop };
  await ended(tasks, await begin(tasks, assignmentFor("exit 3", script)));
  const [guard = 0] = await waitUntil("the guard", () => (guards().length === 1 ? guards() : null));
  process.kill(guard, "SIGSTOP");
  const began_ms = bootMs();
  const first = begin(tasks, assignmentFor("exit 4", script));
  await waitUntil("the first one to have waited for a while", () => bootMs() - began_ms > 500);
  const second = begin(tasks, assignmentFor("exit 5", script));
  expect(await ended(tasks, await first)).toMatchObject({ exit_code: 4, reason: null });
  expect(await ended(tasks, await second)).toMatchObject({ exit_code: 5, reason: null });
  await tasks.driver.kill(stays);
  await ended(tasks, stays);
}, 30_000);

test("a guard that dies with its task keeps no end from being told", async () => {
  const tasks = await site.open();
  tasks.driver.lease(bootMs());
  const uid = await begin(tasks, assignmentFor("exec sleep 60", { lease_ms: 60_000, stop }));
  const pid = await alive(tasks, uid);
  for (const one of [...guards(), pid]) process.kill(one, "SIGKILL");
  expect(await ended(tasks, uid)).toMatchObject({ exit_code: null, signal: "KILL", reason: null });
}, 30_000);

const GRACE_MS = 2_000;

/** A task that writes "asked" at each TERM. It ends with 0: at the gate or, where it obeys, a while after the first. */
async function asked(tasks: OpenTasks, then: "goes on" | "obeys"): Promise<{ uid: string; gate: string }> {
  const gate = `${scratch}.go`;
  const trap = then === "obeys" ? "echo asked; sleep 0.5; exit 0" : "echo asked";
  const script = `trap '${trap}' TERM; until [ -e ${gate} ]; do sleep 0.05; done; exit 0`;
  tasks.driver.lease(bootMs());
  const times = { lease_ms: 5_000, stop: { signal: "TERM", grace_ms: GRACE_MS } };
  const uid = await begin(tasks, assignmentFor(script, times));
  await waitUntil("the task to be asked", async () => output(site.data, uid));
  return { uid, gate };
}

test("a task that outlives the ask of its lease, since the server is heard again, ends with its own exit", async () => {
  const tasks = await site.open();
  const { uid, gate } = await asked(tasks, "goes on");
  const asked_ms = bootMs();
  await waitUntil("the task to have outlived its grace", () => {
    tasks.driver.lease(bootMs());
    return bootMs() - asked_ms > GRACE_MS + 2 * LEASE_TIMES.look_ms;
  });
  writeFileSync(gate, "");
  const { cause, ...end } = await ended(tasks, uid);
  expect(end).toMatchObject({ exit_code: 0, reason: null });
  expect(cause).toBeUndefined();
}, 30_000);

test("a task that obeys the ask of its lease has not done its work, although the server is heard again", async () => {
  const tasks = await site.open();
  const { uid } = await asked(tasks, "obeys");
  const end = waitUntil("the task to end", () => {
    tasks.driver.lease(bootMs());
    const seen = tasks.driver.seen().get(uid)?.process;
    return seen?.is === "ended" ? seen : null;
  });
  expect(await end).toMatchObject({ exit_code: 0, cause: "lease_expired" });
}, 30_000);

const bare = bareKeeperCommand();
describe(`without control groups${bare === null ? " (skipped: they cannot be hidden here)" : ""}`, () => {
  /** Prints the pid of a process in a session of its own, which ignores the stop signal. */
  const STAYS = `setsid sh -c "trap '' TERM; echo \\$\\$; exec sleep 60" &`;

  async function exclusive(script: string): Promise<{ tasks: OpenTasks; uid: string; child: number }> {
    const tasks = await site.open({ keeper_command: bare ?? [] });
    tasks.driver.lease(bootMs());
    const uid = await begin(tasks, assignmentFor(script, { lease_ms: LEASE_MS, stop }));
    const child = Number(await waitUntil("the child's pid", async () => (await output(site.data, uid)).trim()));
    return { tasks, uid, child };
  }

  test.if(bare !== null)("a guard whose keeper and agent are gone ends what the task has started", async () => {
    const { tasks, child } = await exclusive(`${STAYS} wait`);
    tasks.close();
    process.kill(keeper(), "SIGKILL");
    await waitUntil("the child to be dead", () => !isAlive(child));
  });

  test.if(bare !== null)("a guard whose keeper hangs ends what outlives the stop signal", async () => {
    const began_ms = bootMs();
    const { child } = await exclusive(`${STAYS} exec sleep 60`);
    process.kill(keeper(), "SIGSTOP");
    await waitUntil("the child to be dead", () => !isAlive(child));
    expect(bootMs() - began_ms).toBeLessThan(LEASE_MS);
  });
});

const why = noDisk();
describe(`a disk that hangs${why === null ? "" : ` (skipped: ${why})`}`, () => {
  test.if(why === null)(
    "keeps agent and keeper from everything, and not the guard from the kill",
    async () => {
      disk = makeDisk(`${scratch}.img`, site.data);
      const record = counting();
      const { agent, heard_ms } = await startAgent(record);
      disk.freeze();
      expect((await lastCount()) - heard_ms).toBeLessThan(LEASE_MS);
      disk.thaw();
      agent.kill("SIGKILL");
      const tasks = await site.open();
      await tasks.load();
      expect(await ended(tasks, record.assignment.uid)).toMatchObject({ cause: "lease_expired" });
      tasks.close();
      await waitUntil("the keeper to leave the disk", () => processOf(keeper()) === null);
    },
    30_000,
  );
});

test("a task that outlived an ask is asked again at the next silence, and not before", () => {
  const leased = [{ uid: "a", lease_ms: 10_000, grace_ms: 2_000 }];
  const asks = (heard_ms: number, now_ms: number): string[] => {
    const asked = new Map([["a", blamedUntil("ask", 2_000, 7_000)]]);
    return leaseActs({ leased, heard_ms, asked, said: new Set() }, now_ms).map((act) => act.do);
  };
  expect([asks(0, 7_000), asks(0, 8_999), asks(0, 9_000)]).toEqual([[], [], ["kill", "say"]]);
  expect([asks(8_000, 8_100), asks(8_000, 15_000), asks(8_000, 17_000)]).toEqual([[], ["ask"], ["kill", "say"]]);
});

test("signals come before words, also for many tasks", () => {
  const leased = ["a", "b"].map((uid) => ({ uid, lease_ms: 10_000, grace_ms: 0 }));
  const acts = leaseActs({ leased, heard_ms: 0, asked: new Map(), said: new Set() }, 10_000);
  expect(acts.map((act) => act.do)).toEqual(["kill", "kill", "say", "say"]);
});
