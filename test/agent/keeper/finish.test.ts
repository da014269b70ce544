// A task is finished only once nothing of it is left, whatever fails meanwhile.

import { afterEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HeldTask } from "../../../src/agent/keeper/begin";
import { finish } from "../../../src/agent/keeper/finish";
import { Guard } from "../../../src/agent/keeper/guard";
import { parseAttempt } from "../../../src/agent/tasks/taskdir";
import { own } from "../../../src/os/process/own";
import { isAlive } from "../../support/processes";
import { waitUntil } from "../../support/wait";

const dir = mkdtempSync(join(tmpdir(), "orch-finish-"));
afterEach(() => rmSync(dir, { recursive: true }));

const claim = join(dir, "claim");

/** A task whose main process has ended, and whose control group is a plain directory. */
function heldIn(group: string): HeldTask {
  return {
    order: {
      uid: "u",
      name: "t",
      argv: ["true"],
      env: {},
      workdir: null,
      home: "/",
      account: null,
      limits: { cpu_milli: 1, memory_bytes: null, pids: 1 },
      oom_score_adj: 0,
      marker: `ORCH_TASK=${dir}`,
      stop: { signal: "TERM", grace_ms: 0 },
      lease_ms: null,
      log_cap_bytes: 1,
      held: null,
    },
    dir,
    claim: openSync(claim, "a+"),
    group: [group],
    pid: 2 ** 22,
    start: "0",
    started_ms: 0,
    wrapped: { argv: ["true"], env: {}, cwd: "/", tells: false },
    blamed_until_ms: 0,
  };
}

test("what is left of a task is killed once it can be looked at, and only then its end is told", async () => {
  const group = join(dir, "group");
  const procs = join(group, "cgroup.procs");
  // Reading a directory fails with EISDIR, which no caller expects, as it expects no EIO and no EMFILE.
  mkdirSync(procs, { recursive: true });
  const left = own(Bun.spawn(["sleep", "60"]));
  const said: string[] = [];
  const say = (line: string): void => void said.push(line);
  const around = {
    guard: new Guard({ command: [], say, expired: () => undefined }),
    cgroups: { is: "none", detail: "made up" },
    group_name: "t",
    tasks: dir,
    wrappers: { setpriv: null, prlimit: null },
    oom_score_adj: 0,
    say,
    journal: { begun: () => undefined, ended: () => undefined },
  } as const;
  const exit = { exit_code: 7, signal: null, max_rss_bytes: null };
  const told = finish(heldIn(group), exit, around, () => undefined);
  await waitUntil("the keeper to say so", () => said.some((line) => line.includes("is tried again")));
  // The exit code is safe already, also from the death of the keeper.
  const noted = parseAttempt(readFileSync(claim, "utf8"));
  expect(noted).toMatchObject({ code: { exit_code: 7 }, exit: null });
  expect(isAlive(left.pid)).toBe(true);
  rmdirSync(procs);
  writeFileSync(procs, `${left.pid}\n`);
  await left.exited;
  expect(left.signalCode).toBe("SIGKILL");
  rmSync(procs);
  expect(await told).toMatchObject({ exit_code: 7, left: 1, reason: null });
  expect(parseAttempt(readFileSync(claim, "utf8")).exit).toMatchObject({ exit_code: 7, left: 1 });
  expect(said.filter((line) => line.includes("is tried again"))).toHaveLength(1);
});
