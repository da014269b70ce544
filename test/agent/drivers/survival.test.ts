// What outlives what: tasks and their exits the agent, tasks the keeper, and nothing an exclusive task's lease.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runName } from "../../../src/agent/machine/rundir";
import type { TaskRecord } from "../../../src/core/model/record";
import { AGENT_COMMAND } from "../../support/fixtures/agent";
import { cgroupsOf, isAlive, processOf, processesOf, signal } from "../../support/processes";
import { alive, assignmentFor, begin, ended, makeSite, output, recordFor, type Site } from "../../support/tasks";
import { waitUntil } from "../../support/wait";

const ROUNDS = 20;
const TASKS = 20;

let site: Site;
beforeEach(async () => {
  site = await makeSite();
});
afterEach(async () => expect(await site.close()).toEqual([]));

let agents = 0;

/** Starts the fixture agent with these records and waits until it says that all have begun. */
async function startAgent(records: readonly TaskRecord[], ...more: string[]): Promise<Bun.Subprocess> {
  const file = `${site.data}.records.json`;
  writeFileSync(file, JSON.stringify(records));
  const log = `${site.data}.${agents++}.log`;
  const agent = Bun.spawn([...AGENT_COMMAND, site.data, file, ...more], {
    stdin: "ignore",
    stdout: Bun.file(log),
    stderr: "inherit",
  });
  await waitUntil("the agent to have begun its tasks", async () =>
    (await Bun.file(log).text()).includes(`started ${records.length}`),
  );
  return agent;
}

/** The keepers of the site, by the names of their sockets. */
const keepers = (): number[] => readdirSync(join(site.data, "keepers")).map((name) => Number.parseInt(name, 10));

function killNow(pid: number): void {
  const found = processOf(pid);
  if (found !== null) signal(found, "SIGKILL");
}

test(`${TASKS} tasks survive ${ROUNDS} × kill -9 of their agent, codes right, lines whole, none twice`, async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const go = `${site.data}.go.${round}`;
    const count = `i=0; until [ -e ${go} ]; do i=$((i+1)); echo line $i; sleep 0.05; done`;
    const records = Array.from({ length: TASKS }, (_, n) =>
      recordFor(assignmentFor(`echo begin; ${count}; echo end $i; exit ${n * 7}`)),
    );
    const agent = await startAgent(records);
    agent.kill("SIGKILL");
    await agent.exited;
    // Half of them end while there is no agent at all.
    if (round % 2 === 0) writeFileSync(go, "");
    const next = await site.open();
    const found = await next.load();
    expect(found.records.size).toBe(TASKS * (round + 1));
    expect(found.orphans).toEqual([]);
    writeFileSync(go, "");
    for (const [
      n,
      {
        assignment: { uid },
      },
    ] of records.entries()) {
      expect(await ended(next, uid)).toMatchObject({ exit_code: n * 7, signal: null, reason: null });
      const lines = (await output(site.data, uid)).trimEnd().split("\n");
      const last = lines.length - 2;
      expect(lines).toEqual(["begin", ...Array.from({ length: last }, (_, i) => `line ${i + 1}`), `end ${last}`]);
    }
    next.close();
  }
}, 120_000);

test("a keeper that is killed leaves its tasks running; they end with a reason instead of a code", async () => {
  const tasks = await site.open();
  const stays = await begin(tasks, assignmentFor("sleep 60"));
  const ends = await begin(tasks, assignmentFor(`until [ -e ${site.data}.go ]; do sleep 0.05; done; exit 5`));
  const pid = await alive(tasks, stays);
  for (const keeper of keepers()) killNow(keeper);
  await waitUntil("the driver to notice", () => site.said.some((line) => line.includes("a keeper is gone")));
  expect(tasks.driver.seen().get(stays)?.process).toMatchObject({ is: "alive", handle: { pid } });
  writeFileSync(`${site.data}.go`, "");
  await waitUntil("the one to vanish", () => tasks.driver.seen().get(ends)?.process.is === "vanished");
  expect(tasks.driver.seen().get(ends)?.process).toMatchObject({ why: expect.stringContaining("keeper had died") });
  await tasks.driver.signal(stays, "TERM");
  await waitUntil("the other to vanish", () => tasks.driver.seen().get(stays)?.process.is === "vanished");
  // And the next task gets a new keeper.
  const after = await begin(tasks, assignmentFor("exit 4"));
  expect(await ended(tasks, after)).toMatchObject({ exit_code: 4 });
});

test("an agent of another version keeps the old keeper for its tasks and starts a new one for others", async () => {
  const go = `${site.data}.go`;
  const old = await site.open({ version: "1" });
  const uid = await begin(old, assignmentFor(`until [ -e ${go} ]; do sleep 0.05; done; exit 6`));
  const before = keepers();
  old.close();
  const next = await site.open({ version: "2" });
  await next.load();
  const other = await begin(next, assignmentFor("exit 7"));
  expect(await ended(next, other)).toMatchObject({ exit_code: 7 });
  expect(keepers()).toHaveLength(2);
  writeFileSync(go, "");
  expect(await ended(next, uid)).toMatchObject({ exit_code: 6 });
  expect(before.map(isAlive)).toEqual([true]);
});

test("a keeper that hangs while an agent starts still tells the codes of its tasks when it goes on", async () => {
  const go = `${site.data}.go`;
  const first = await site.open();
  const uid = await begin(first, assignmentFor(`until [ -e ${go} ]; do sleep 0.05; done; exit 6`));
  const pid = await alive(first, uid);
  const [keeper = 0] = keepers();
  process.kill(keeper, "SIGSTOP");
  try {
    first.close();
    const next = await site.open();
    expect(next.driver.silent()).toContain(`its keeper (PID ${keeper}) does not answer`);
    await next.load();
    writeFileSync(go, "");
    await waitUntil("the task to end", () => !isAlive(pid) || processOf(pid)?.state === "Z");
    // Whatever is looked at meanwhile, its end is the keeper's to tell.
    next.driver.look(uid);
    expect(next.driver.seen().get(uid)?.process.is).toBe("alive");
    const other = await begin(next, assignmentFor("exit 7"));
    expect(await ended(next, other)).toMatchObject({ exit_code: 7 });
    process.kill(keeper, "SIGCONT");
    expect(await ended(next, uid)).toMatchObject({ exit_code: 6, reason: null });
    expect(next.driver.silent()).toBeNull();
  } finally {
    process.kill(keeper, "SIGCONT");
  }
}, 30_000);

test("a keeper ends when it has neither task nor agent", async () => {
  const tasks = await site.open();
  await ended(tasks, await begin(tasks, assignmentFor("true")));
  const [pid = 0] = keepers();
  expect(isAlive(pid)).toBe(true);
  tasks.close();
  await waitUntil("the keeper to end", () => !isAlive(pid));
  expect(keepers()).toEqual([]);
});

test("an exclusive task does not begin without a lease", async () => {
  const tasks = await site.open();
  const record = recordFor(assignmentFor("echo begun", { lease_ms: 60_000 }));
  await tasks.store.write(record);
  const why = await tasks.driver.start(record).then(() => "begun", String);
  expect(why).toContain("no valid lease");
  expect(tasks.store.wasClaimed(record.assignment.uid)).toBe(false);
});

test("an exclusive task ends within its lease, with its agent dead: asked first, then killed", async () => {
  const stop = { signal: "TERM", grace_ms: 1_000 };
  const kind = recordFor(
    assignmentFor("trap 'echo asked; exit 0' TERM; while :; do sleep 0.1; done", { lease_ms: 4_000, stop }),
  );
  const deaf = recordFor(assignmentFor("trap '' TERM; while :; do sleep 0.1; done", { lease_ms: 4_000, stop }));
  const agent = await startAgent([kind, deaf], "LEASE");
  const heard_ms = Date.now();
  agent.kill("SIGKILL");
  await agent.exited;
  const tasks = await site.open();
  await tasks.load();
  const [asked, killed] = await Promise.all([kind, deaf].map(async ({ assignment }) => ended(tasks, assignment.uid)));
  expect(asked).toMatchObject({ exit_code: 0, reason: expect.stringContaining("lease") });
  expect(killed).toMatchObject({ signal: "KILL", reason: expect.stringContaining("lease") });
  expect(killed!.ended_ms - heard_ms).toBeLessThan(4_000);
  expect(asked!.ended_ms - heard_ms).toBeLessThan(3_500);
  expect(await output(site.data, kind.assignment.uid)).toBe("asked\n");
}, 20_000);

test("an exclusive task dies with its keeper, and so does everything it has started", async () => {
  const tasks = await site.open();
  tasks.driver.lease(Date.now());
  const script = "setsid sleep 60 & echo $!; while :; do sleep 1; done";
  const uid = await begin(tasks, assignmentFor(script, { lease_ms: 60_000 }));
  const main = await alive(tasks, uid);
  const child = Number(await waitUntil("the child's pid", () => output(site.data, uid)));
  for (const keeper of keepers()) killNow(keeper);
  await waitUntil("both to end", () => !isAlive(main) && !isAlive(child));
  await waitUntil("the driver to see it", () => tasks.driver.seen().get(uid)?.process.is === "vanished");
  await waitUntil("its companion to end", () => processesOf(site.data).length === 0);
  tasks.close();
  await waitUntil("another agent's start to find its groups empty, and to remove them", async () => {
    (await site.open()).close();
    return cgroupsOf(runName(site.data)).length === 0;
  });
});
