// A task cannot leave anything behind, take more than it was promised, or become somebody it is not.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runName } from "../../../src/agent/machine/rundir";
import { MIB } from "../../../src/core/units";
import { findCgroups } from "../../../src/os/cgroup/hierarchy";
import { removeBases } from "../../../src/os/cgroup/keeper-group";
import { isAlive } from "../../support/processes";
import { alive, assignmentFor, begin, ended, makeSite, type OpenTasks, output, type Site } from "../../support/tasks";

const probed = findCgroups("probe-of-tests");
removeBases(probed);
const controls = (controller: "memory" | "pids"): boolean =>
  probed.is === "v2"
    ? probed.controllers.includes(controller)
    : probed.is === "v1" && probed.bases.some((one) => one.controller === controller);
const root = process.getuid?.() === 0;

let site: Site;
let tasks: OpenTasks;
beforeAll(async () => {
  site = await makeSite();
  tasks = await site.open();
});
afterAll(async () => expect(await site.close()).toEqual([]));

const promised = (over: object) => ({ ...assignmentFor("true").promised, ...over });

describe("what a task leaves", () => {
  test("is killed when its main process ends, counted, and does not change its code", async () => {
    const uid = await begin(tasks, assignmentFor("sleep 60 & echo $!; sleep 60 & echo $!; exit 3"));
    expect(await ended(tasks, uid)).toMatchObject({ exit_code: 3, left: 2 });
    const pids = (await output(site.data, uid)).trim().split("\n").map(Number);
    expect(pids.filter((pid) => pid > 1)).toHaveLength(2);
    expect(pids.filter(isAlive)).toEqual([]);
  });

  test("is found also when it has a session of its own and another parent", async () => {
    const script = "setsid sh -c 'sleep 60 & echo $!' & wait; exit 0";
    const uid = await begin(tasks, assignmentFor(script));
    expect(await ended(tasks, uid)).toMatchObject({ exit_code: 0, left: 1 });
    const pid = Number((await output(site.data, uid)).trim());
    expect([pid > 1, isAlive(pid)]).toEqual([true, false]);
  });
});

describe("limits", () => {
  const skipped = (what: "memory" | "pids"): string => (controls(what) ? "" : ` (skipped: no ${what} cgroup here)`);

  test.if(controls("memory"))(`a task over its memory is ended, and told apart${skipped("memory")}`, async () => {
    const uid = await begin(
      tasks,
      assignmentFor("head -c 200000000 /dev/zero | tail -n 1 >/dev/null; exit $?", {
        promised: promised({ memory_bytes: 48 * MIB, memory_limited: true }),
      }),
    );
    const end = await ended(tasks, uid);
    expect(end.oom).toBe(true);
    expect(end.peak_memory_bytes).toBeLessThanOrEqual(48 * MIB);
    expect(end.peak_memory_bytes).toBeGreaterThan(40 * MIB);
  });

  test.if(controls("memory"))(`a promise without a limit is only counted${skipped("memory")}`, async () => {
    const uid = await begin(
      tasks,
      assignmentFor("head -c 60000000 /dev/zero | tail -n 1 >/dev/null", {
        promised: promised({ memory_bytes: 8 * MIB }),
      }),
    );
    expect(await ended(tasks, uid)).toMatchObject({ exit_code: 0, oom: false });
  });
});

describe.if(root)(`another account (root only; this is ${root ? "root" : "not root"})`, () => {
  const open = mkdtempSync(join(tmpdir(), "orch-account-"));
  beforeAll(() => chmodSync(open, 0o777));
  afterAll(() => rmSync(open, { recursive: true }));
  const as = (command: string | readonly string[], over: object = {}) =>
    begin(tasks, assignmentFor(command, { unix_user: "nobody", ...over }));

  test("runs the task, in its directory, with its environment, code and output", async () => {
    const script = 'id -un; pwd; echo "$GREETING"; exit 9';
    const uid = await as(script, { workdir: open, env: { GREETING: "a 'b' \"c\" $d" } });
    expect(await ended(tasks, uid)).toMatchObject({ exit_code: 9, reason: null });
    expect(await output(site.data, uid)).toBe(`nobody\n${open}\na 'b' "c" $d\n`);
  });

  test("has no privileges, and no descriptor more than it should", async () => {
    const uid = await as(
      "grep -E 'CapEff|NoNewPrivs' /proc/self/status; ls /proc/self/fd | wc -l; env | grep -c HIDDEN",
    );
    await ended(tasks, uid);
    expect(await output(site.data, uid)).toBe("CapEff:\t0000000000000000\nNoNewPrivs:\t1\n4\n0\n");
  });

  test("is entered before anything of the task's own is looked at", async () => {
    const uid = await as("echo ran", { env: { LD_PRELOAD: "/no/such/library.so" } });
    await ended(tasks, uid);
    const errors = await output(site.data, uid, "stderr");
    // The loader of the task's own shell complains; the loader of the switch, as root, never saw the name.
    expect(errors).toContain("/no/such/library.so");
    expect(errors).not.toContain("setpriv");
  });

  test("may not enter what root may: told with the directory", async () => {
    const closed = join(open, "closed");
    mkdirSync(closed, { mode: 0o700 });
    expect(await ended(tasks, await as("true", { workdir: closed }))).toMatchObject({
      exit_code: 126,
      cause: "no_directory",
      reason: `could not start: the directory ${closed} cannot be entered by nobody`,
    });
  });

  test("may not run what only root may: told with the command", async () => {
    const tool = join(open, "tool");
    writeFileSync(tool, "#!/bin/sh\nexit 0\n", { mode: 0o700 });
    expect(await ended(tasks, await as([tool]))).toMatchObject({
      exit_code: 126,
      reason: `could not start: ${tool} is not executable for nobody`,
    });
    expect(await ended(tasks, await as(["no-such-command"]))).toMatchObject({
      exit_code: 127,
      cause: "no_command",
      reason: "could not start: the command no-such-command is in no directory of PATH",
    });
    const lost = join(open, "lost");
    writeFileSync(lost, "#! /no/such/python -u\n", { mode: 0o755 });
    expect(await ended(tasks, await as([lost]))).toMatchObject({
      exit_code: 127,
      cause: "no_command",
      reason: `could not start: the interpreter /no/such/python of ${lost} is not there or not executable`,
    });
  });

  test("is killed with all it has started, and its own 127 stays its own", async () => {
    const end = await ended(tasks, await as("setsid sleep 60 & exit 127"));
    expect(end).toMatchObject({ exit_code: 127, reason: null, left: 1 });
  });

  test("keeps its end also where nothing can be removed from its directory", async () => {
    const go = join(open, "go");
    const uid = await as(`until [ -e ${go} ]; do sleep 0.02; done; exit 5`);
    await alive(tasks, uid);
    const dir = join(site.data, "tasks", uid);
    // An immutable directory stands for a file system that has become read-only.
    expect(Bun.spawnSync(["chattr", "+i", dir]).exitCode).toBe(0);
    try {
      writeFileSync(go, "");
      expect(await ended(tasks, uid)).toMatchObject({ exit_code: 5, reason: null });
    } finally {
      Bun.spawnSync(["chattr", "-i", dir]);
    }
  });

  test("that is not there is a reason, and nothing runs", async () => {
    const uid = await begin(tasks, assignmentFor("echo ran", { unix_user: "no-such-account" }));
    expect(await ended(tasks, uid)).toMatchObject({
      exit_code: null,
      cause: "no_account",
      reason: "could not start: no account no-such-account on this node (--accounts create would make it)",
    });
    expect(await output(site.data, uid)).toBe("");
  });

  test("of an exclusive task dies with its keeper too", async () => {
    tasks.driver.lease(Date.now());
    const uid = await as("exec sleep 0.2", { lease_ms: 60_000 });
    expect(await ended(tasks, uid)).toMatchObject({ exit_code: 0 });
  });
});

test("groups of this machine are named after the data directory", () => {
  expect(runName(site.data)).toMatch(/^[0-9a-f]{12}$/);
});
