// No file of a task's can hang its node: whatever a task puts in the place of one, the keeper, the agent and the other
// tasks go on.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { clocksNow } from "../../../src/agent/tasks/moments";
import { dirOfTask } from "../../../src/agent/tasks/taskdir";
import { readLog } from "../../../src/agent/tasks/logs";
import { randomHex } from "../../../src/os/dice";
import { alive, assignmentFor, begin, ended, makeSite, output, type OpenTasks, type Site } from "../../support/tasks";
import { scratchDir } from "../../support/scratch";
import { waitUntil } from "../../support/wait";

let site: Site;
let tasks: OpenTasks;
beforeEach(async () => {
  site = await makeSite();
  tasks = await site.open();
});
afterEach(async () => expect(await site.close()).toEqual([]));

const dirOf = (uid: string): string => join(site.data, "tasks", uid);

/** A task that replaces its own file by a pipe that nobody opens, and then writes output until it is stopped. */
async function sabotage(name: string): Promise<string> {
  const uid = randomHex(16);
  const script = `cd ${dirOf(uid)}; rm -f ${name}; mkfifo ${name}; while :; do echo line; sleep 0.05; done`;
  await begin(tasks, assignmentFor(script, { uid }));
  await alive(tasks, uid);
  await waitUntil("the pipe", () => Bun.spawnSync(["test", "-p", join(dirOf(uid), name)]).exitCode === 0);
  return uid;
}

/** Proves that keeper and agent are not held: another task begins and ends, with two looks at the output meanwhile. */
async function goesOn(): Promise<void> {
  const other = await begin(tasks, assignmentFor("echo out; sleep 0.6; echo more; exit 3"));
  expect(await ended(tasks, other)).toMatchObject({ exit_code: 3 });
  expect(await output(site.data, other)).toBe("out\nmore\n");
}

describe.each(["marks", "claim", "stdout", "record.json"])("a pipe in the place of %s", (name) => {
  test("holds neither the keeper nor the agent, and the task can be stopped", async () => {
    const uid = await sabotage(name);
    await goesOn();
    tasks.driver.look(uid);
    tasks.store.tail(uid);
    const query = { uid, name: "stdout", offset: 0, follow: false, since_age_ms: null } as const;
    const options = {
      dirOf: (one: string) => dirOfTask(site.data, one),
      clocks: clocksNow,
      living: () => true,
      signal: new AbortController().signal,
    };
    for await (const chunk of readLog(query, options)) expect(chunk.length).toBeGreaterThan(0);
    await tasks.driver.signal(uid, "TERM");
    await waitUntil("the task to end", () => {
      const is = tasks.driver.seen().get(uid)?.process.is;
      return is === "ended" || is === "vanished";
    });
    const next = await site.open();
    await next.load();
    next.close();
  }, 20_000);
});

const noFuse = process.getuid?.() === 0 && Bun.which("mount") !== null ? null : "not root";
describe(`a working directory that hangs${noFuse === null ? "" : ` (skipped: ${noFuse})`}`, () => {
  test.if(noFuse === null)(
    "hangs its own task alone, which can be stopped",
    async () => {
      const at = scratchDir("hangs");
      // A FUSE mount whose program never answers: whoever looks into it waits until the program is gone.
      const options = "fd=7,rootmode=40000,user_id=0,group_id=0";
      const script = `exec 7<>/dev/fuse; mount -i -t fuse -o ${options} x ${at}; exec sleep 60`;
      const fuse = Bun.spawn(["bash", "-c", script]);
      await waitUntil("the mount", async () => (await Bun.file("/proc/self/mounts").text()).includes(at));
      try {
        const uid = randomHex(16);
        const assignment = assignmentFor("echo begun", { uid, workdir: join(at, "work") });
        await begin(tasks, assignment);
        await alive(tasks, uid);
        await goesOn();
        await tasks.driver.kill(uid);
        expect(await ended(tasks, uid)).toMatchObject({ signal: "KILL" });
        // A command that is searched for there holds its own task alone, too.
        const found = await begin(tasks, assignmentFor(["tool"], { env: { PATH: `${at}:/usr/bin:/bin` } }));
        await goesOn();
        await tasks.driver.kill(found);
        expect(await ended(tasks, found)).toMatchObject({ signal: "KILL" });
      } finally {
        fuse.kill("SIGKILL");
        await fuse.exited;
      }
    },
    30_000,
  );
});
