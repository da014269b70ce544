// What a kill without control groups reaches: the session of the main process for as long as the number is that
// process's, and no session that a stranger may lead by now.

import { afterEach, expect, test } from "bun:test";
import { killTask } from "../../../src/os/cgroup/kill";
import { Processes } from "../../../src/os/process/find";
import { statOf } from "../../../src/os/proc";
import { isAlive } from "../../support/processes";
import { waitUntil } from "../../support/wait";

let child = 0;
afterEach(() => {
  if (child > 0 && isAlive(child)) process.kill(child, "SIGKILL");
});

/** Starts a session whose leader prints the pid of a child in it, and ends. Its parent collects it, or does not. */
async function session(collects: boolean): Promise<{ leader: number; start: string }> {
  const own = "sleep 60 > /dev/null 2>&1 & echo $! $$ $(cut -d' ' -f22 /proc/$$/stat)";
  const parent = `setsid sh -c "${own.replaceAll("$", "\\$")}" & ${collects ? "wait" : "exec sleep 60"}`;
  const started = Bun.spawn(["sh", "-c", parent], { stdout: "pipe" });
  const reader = started.stdout.getReader();
  const said = new TextDecoder().decode((await reader.read()).value);
  const [sleeper = 0, leader = 0, start = 0] = said.trim().split(" ").map(Number);
  child = sleeper;
  if (collects) await started.exited;
  const gone = (): boolean => (collects ? statOf(leader) === null : statOf(leader)?.state === "Z");
  await waitUntil("the leader to be over", gone);
  reader.releaseLock();
  return { leader, start: String(start) };
}

test.if(process.platform === "linux")(
  "what a main process has left dies with it while its number is its own",
  async () => {
    const { leader, start } = await session(false);
    killTask({ pid: leader, start }, [], new Processes());
    await waitUntil("the child to be dead", () => !isAlive(child));
  },
);

test.if(process.platform === "linux")(
  "a session whose leader was collected may be a stranger's, and lives on",
  async () => {
    const { leader, start } = await session(true);
    killTask({ pid: leader, start }, [], new Processes());
    expect(isAlive(child)).toBe(true);
    // What was found while the leader lived is the task's all the same.
    killTask({ pid: leader, start }, [], new Processes(), [{ pid: child, start: statOf(child)?.start ?? "" }]);
    await waitUntil("the child to be dead", () => !isAlive(child));
  },
);
