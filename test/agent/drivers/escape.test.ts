// A task of root can leave its control group and its session. It is still found at its end, and collected.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { markerOf } from "../../../src/agent/drivers/order";
import { beganWith } from "../../../src/os/proc";
import { findCgroups } from "../../../src/os/cgroup/hierarchy";
import { removeBases } from "../../../src/os/cgroup/keeper-group";
import { isAlive, processOf } from "../../support/processes";
import { alive, assignmentFor, begin, ended, makeSite, output, type OpenTasks, type Site } from "../../support/tasks";
import { waitUntil } from "../../support/wait";

const probed = findCgroups("probe-of-tests");
removeBases(probed);
const top = probed.is === "none" ? null : probed.is === "v2" ? probed.base : (probed.bases[0]?.base ?? null);
const why = process.getuid?.() !== 0 ? "not root" : top === null ? "no control groups" : null;

let site: Site;
let tasks: OpenTasks;
beforeAll(async () => {
  site = await makeSite();
  tasks = await site.open();
});
afterAll(async () => expect(await site.close()).toEqual([]));

const keeper = (): number => Number.parseInt(readdirSync(join(site.data, "keepers"))[0] ?? "", 10);

/** Leaves all control groups of orch, and the session, and its parent; then says its pid and stays. */
const ESCAPE = `for g in /sys/fs/cgroup/*/cgroup.procs /sys/fs/cgroup/cgroup.procs; do
  { echo $$ > $g; } 2>/dev/null; done; setsid sh -c 'sh -c "echo \\$\\$; sleep 60 & echo \\$!; exec sleep 60" &' &`;

describe(`a task that leaves its group${why === null ? "" : ` (skipped: ${why})`}`, () => {
  test.if(why === null)("is killed at its end, with what it has started", async () => {
    const uid = await begin(tasks, assignmentFor(`${ESCAPE} sleep 0.5; exit 3`));
    const end = await ended(tasks, uid);
    expect(end.exit_code).toBe(3);
    expect(end.left).toBeGreaterThanOrEqual(2);
    const pids = (await output(site.data, uid)).trim().split("\n").map(Number);
    expect(pids).toHaveLength(2);
    expect(pids.filter(isAlive)).toEqual([]);
  });

  test.if(why === null)("leaves another task's processes alone, whose parents are dead as well", async () => {
    const other = await begin(tasks, assignmentFor("sh -c 'sleep 60 & echo $!'; exec sleep 60"));
    const orphan = Number(await waitUntil("the orphan's pid", () => output(site.data, other)));
    await ended(tasks, await begin(tasks, assignmentFor(`${ESCAPE} sleep 0.2`)));
    expect(isAlive(orphan)).toBe(true);
    await tasks.driver.kill(other);
    expect(await ended(tasks, other)).toMatchObject({ signal: "KILL" });
    expect(isAlive(orphan)).toBe(false);
  });
});

test.if(why === null)("a process that began elsewhere is none of a task's, also with the task's mark", async () => {
  const uid = await begin(tasks, assignmentFor("exec sleep 60"));
  const [name = "", mark = ""] = markerOf(uid).split("=");
  const stranger = Bun.spawn(["sleep", "60"], { env: { [name]: mark } });
  try {
    await waitUntil("its mark", () => beganWith(stranger.pid).includes(markerOf(uid)));
    await tasks.driver.kill(uid);
    expect(await ended(tasks, uid)).toMatchObject({ signal: "KILL", left: 0 });
    expect(isAlive(stranger.pid)).toBe(true);
  } finally {
    stranger.kill();
    await stranger.exited;
  }
});

test("what a task leaves behind is collected, and the codes of others stay their own", async () => {
  const leave = "for i in 1 2 3 4 5 6 7 8 9 10; do sh -c 'sh -c \"echo \\$\\$; exit 9\" &' ; done; sleep 0.8; exit 4";
  const uids = await Promise.all(Array.from({ length: 5 }, async () => begin(tasks, assignmentFor(leave))));
  for (const uid of uids) expect(await ended(tasks, uid)).toMatchObject({ exit_code: 4, signal: null });
  const pids = (await Promise.all(uids.map(async (uid) => output(site.data, uid)))).join("").trim().split("\n");
  expect(pids).toHaveLength(50);
  const hold = await begin(tasks, assignmentFor("exec sleep 60"));
  await waitUntil("no dead process to be left", () => pids.every((pid) => processOf(Number(pid))?.ppid !== keeper()));
  await tasks.driver.kill(hold);
  await ended(tasks, hold);
});

test("a task that is stopped obeys a stop signal, and ends with its own code", async () => {
  const uid = await begin(tasks, assignmentFor("trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done"));
  const pid = await alive(tasks, uid);
  await waitUntil("its trap", async () => (await output(site.data, uid)).includes("ready"));
  process.kill(-pid, "SIGSTOP");
  // A shell that waits for the child it has just made, which is stopped before it executes, is in state D.
  await waitUntil("it to be stopped", () => ["T", "D"].includes(processOf(pid)?.state ?? ""));
  await tasks.driver.signal(uid, "TERM");
  expect(await ended(tasks, uid)).toMatchObject({ exit_code: 7 });
});
