// What every driver owes the loop, held against real processes: a claim executes once, ends are the process's own, and
// what cannot be done is told with its reason.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { clocksNow } from "../../src/agent/tasks/moments";
import { claimText } from "../../src/agent/tasks/taskdir";
import {
  alive,
  assignmentFor,
  begin,
  ended,
  makeSite,
  type OpenTasks,
  output,
  recordFor,
  type Site,
} from "../support/tasks";
import { damageRecord, dropRecord } from "../support/book";
import { isAlive } from "../support/processes";
import { waitUntil } from "../support/wait";

let site: Site;
let tasks: OpenTasks;

beforeAll(async () => {
  site = await makeSite();
  tasks = await site.open();
  await tasks.load();
});
afterAll(async () => expect(await site.close()).toEqual([]));

describe("ends", () => {
  const cases = [
    ["exit 0", 0, null],
    ["exit 3", 3, null],
    ["exit 137", 137, null],
    ["kill -KILL $$", null, "KILL"],
    ["kill -USR1 $$", null, "USR1"],
  ] as const;
  for (const [script, exit_code, signal] of cases) {
    test(`"${script}" is told as code ${exit_code}, signal ${signal}`, async () => {
      const uid = await begin(tasks, assignmentFor(script));
      expect(await ended(tasks, uid)).toMatchObject({ exit_code, signal, reason: null, oom: false, left: 0 });
    });
  }

  test("come with times, the peak of memory, and the last of the output", async () => {
    const uid = await begin(tasks, assignmentFor("seq 1 2000; echo bad >&2"));
    const end = await ended(tasks, uid);
    expect(end.ended_ms).toBeGreaterThanOrEqual(end.started_ms);
    expect(end.peak_memory_bytes).toBeGreaterThan(0);
    const { stdout, stderr } = tasks.store.tail(uid) ?? { stdout: "", stderr: "" };
    expect(stdout).toEndWith("1999\n2000\n");
    expect(stdout.length).toBeLessThanOrEqual(4_096);
    expect(stderr).toBe("bad\n");
  });
});

describe("stopping", () => {
  test("a signal reaches the whole group of a task", async () => {
    const uid = await begin(tasks, assignmentFor("sleep 60 & sleep 61; wait"));
    await alive(tasks, uid);
    await tasks.driver.signal(uid, "TERM");
    expect(await ended(tasks, uid)).toMatchObject({ exit_code: null, signal: "TERM" });
  });

  test("what ignores the signal is ended by the kill, with all it has started", async () => {
    const uid = await begin(tasks, assignmentFor("trap '' TERM; sleep 60 & echo $!; while :; do sleep 1; done"));
    const child = Number(await waitUntil("the child's pid", () => output(site.data, uid)));
    await tasks.driver.signal(uid, "TERM");
    await tasks.driver.kill(uid);
    expect(await ended(tasks, uid)).toMatchObject({ exit_code: null, signal: "KILL" });
    expect(isAlive(child)).toBe(false);
  });

  test("a task that was claimed by a stop never begins", async () => {
    const record = recordFor(assignmentFor("echo never"));
    const { uid } = record.assignment;
    await tasks.claim(uid);
    await tasks.store.write(record);
    await tasks.driver.start(record);
    expect(tasks.driver.seen().get(uid)).toEqual({ claimed: true, process: { is: "none" } });
    expect(await output(site.data, uid)).toBe("");
  });
});

describe("claims", () => {
  test("a task that is started again and again executes once", async () => {
    const record = recordFor(assignmentFor("echo begun"));
    const { uid } = record.assignment;
    await tasks.store.write(record);
    await Promise.all([tasks.driver.start(record), tasks.driver.start(record), tasks.driver.start(record)]);
    await ended(tasks, uid);
    await tasks.driver.start(record);
    expect(await output(site.data, uid)).toBe("begun\n");
  });

  test("a claim whose keeper died before it began is never executed again", async () => {
    const record = recordFor(assignmentFor("echo begun"));
    const { uid } = record.assignment;
    await tasks.store.write(record);
    writeFileSync(join(site.data, "tasks", uid, "claim"), claimText(clocksNow(), []));
    await tasks.driver.start(record);
    expect(tasks.driver.seen().get(uid)).toMatchObject({ claimed: true, process: { is: "vanished" } });
    expect(await output(site.data, uid)).toBe("");
  });

  test("a claim that was cut off while it was written counts", async () => {
    const record = recordFor(assignmentFor("echo begun"));
    const { uid } = record.assignment;
    await tasks.store.write(record);
    writeFileSync(join(site.data, "tasks", uid, "claim"), "");
    await tasks.driver.start(record);
    expect(tasks.driver.seen().get(uid)?.process.is).toBe("vanished");
  });

  test("a claim of an earlier boot has vanished with it", async () => {
    const record = recordFor(assignmentFor("echo begun"));
    const { uid } = record.assignment;
    await tasks.store.write(record);
    writeFileSync(join(site.data, "tasks", uid, "claim"), claimText({ ...clocksNow(), boot_id: "another-boot" }, []));
    await tasks.driver.start(record);
    expect(tasks.driver.seen().get(uid)?.process).toEqual({
      is: "vanished",
      rebooted: true,
      why: "the machine was restarted while it ran",
    });
  });
});

describe("what cannot begin says why", () => {
  const reasonOf = async (command: string | readonly string[], workdir: string | null = null) =>
    ended(tasks, await begin(tasks, assignmentFor(command, { workdir })));

  test("a directory that is not there", async () => {
    const end = await reasonOf("true", "/no/such/place");
    expect(end).toMatchObject({
      exit_code: null,
      cause: "no_directory",
      reason: "could not start: the directory /no/such/place is not there",
    });
  });
  test("a directory that is none", async () => {
    expect((await reasonOf("true", "/etc/passwd")).reason).toBe("could not start: /etc/passwd is not a directory");
  });
  test("a command that is nowhere: 127", async () => {
    expect(await reasonOf(["no-such-command"])).toMatchObject({
      exit_code: 127,
      cause: "no_command",
      reason: "could not start: the command no-such-command is in no directory of PATH",
    });
    expect(await reasonOf(["/no/such/command"])).toMatchObject({
      exit_code: 127,
      reason: "could not start: /no/such/command is not there (or the interpreter that it names is not)",
    });
  });
  test("arguments that no system takes: 126, which is nobody's node", async () => {
    expect(await reasonOf(["/bin/true", "x".repeat(200_000)])).toMatchObject({ exit_code: 126, cause: "start_failed" });
  });
  test("a command that cannot be executed: 126", async () => {
    const path = join(site.data, "plain");
    writeFileSync(path, "text\n");
    expect(await reasonOf([path])).toMatchObject({
      exit_code: 126,
      cause: "no_command",
      reason: `could not start: ${path} is not executable`,
    });
    chmodSync(path, 0o755);
    expect(await reasonOf([path])).toMatchObject({
      exit_code: 126,
      reason: `could not start: ${path} is not a program (a script without #!)`,
    });
  });
  test("a shell's own 127 is the task's", async () => {
    expect(await reasonOf("no-such-command")).toMatchObject({ exit_code: 127, reason: null });
  });
});

describe("a process finds", () => {
  test("a fresh environment and nothing of the agent's", async () => {
    process.env["AGENT_SECRET"] = "1";
    const uid = await begin(tasks, assignmentFor(["/usr/bin/env"], { env: { A: "b c", PATH: "/usr/bin:/bin" } }));
    await ended(tasks, uid);
    const names = (await output(site.data, uid))
      .trim()
      .split("\n")
      .map((line) => line.split("=")[0]);
    expect(new Set(names)).toEqual(
      new Set([
        "A",
        "CUDA_DEVICE_ORDER",
        "CUDA_VISIBLE_DEVICES",
        "HOME",
        "LANG",
        "LOGNAME",
        "NVIDIA_VISIBLE_DEVICES",
        "ORCH_GPU_UUIDS",
        "ORCH_TASK",
        "PATH",
        "ROCR_VISIBLE_DEVICES",
        "SHELL",
        "USER",
        "ZE_AFFINITY_MASK",
      ]),
    );
  });
  test("a session of its own, no input, sane limits and no way to more privileges", async () => {
    const uid = await begin(
      tasks,
      assignmentFor(
        "ps -o sid= -p $$; echo $$; readlink /proc/self/fd/0; ulimit -Sn; " +
          "grep NoNewPrivs /proc/self/status; ls /proc/self/fd | wc -l",
      ),
    );
    await ended(tasks, uid);
    const lines = (await output(site.data, uid)).split("\n").map((one) => one.trim());
    const [sid, pid, input, files, privileges, open] = lines;
    expect(sid).toBe(pid);
    expect(input).toBe("/dev/null");
    expect(Number(files)).toBeLessThanOrEqual(65_536);
    expect(privileges).toBe("NoNewPrivs:\t1");
    // Its three, and the directory that `ls` itself reads.
    expect(Number(open)).toBe(4);
  });
});

describe("records", () => {
  test("an acknowledged end is kept, no longer loaded, and still claimed", async () => {
    const record = recordFor(assignmentFor("echo kept"));
    const { uid } = record.assignment;
    await tasks.store.write(record);
    await tasks.driver.start(record);
    const end = await ended(tasks, uid);
    await tasks.store.write({
      ...record,
      end: {
        state: "succeeded",
        started_ms: end.started_ms,
        finished_ms: end.ended_ms,
        exit_code: 0,
        signal: null,
        reason: null,
        peak_memory_bytes: null,
        next_uid: null,
      },
    });
    await tasks.store.acknowledge(uid);
    tasks.driver.drop(uid);
    expect(tasks.driver.seen().has(uid)).toBe(false);
    expect(tasks.store.wasClaimed(uid)).toBe(true);
    expect(await output(site.data, uid)).toBe("kept\n");
    expect((await tasks.load()).records.has(uid)).toBe(false);
    expect((await tasks.store.kept()).map(({ assignment }) => assignment.uid)).toContain(uid);
    expect((await tasks.load()).records.get(uid)?.end?.state).toBe("succeeded");
    await tasks.store.forget(uid);
    expect(tasks.store.wasClaimed(uid)).toBe(false);
  });

  test("a record that cannot be read is set aside and told, with what lives of it", async () => {
    const uid = await begin(tasks, assignmentFor("sleep 60"));
    const pid = await alive(tasks, uid);
    damageRecord(site.data, uid);
    const next = await site.open();
    const { records, orphans } = await next.load();
    expect(records.has(uid)).toBe(false);
    expect(orphans).toMatchObject([{ uid, pid, held: { cpu_milli: 100 } }]);
    expect(existsSync(join(site.data, "tasks", `${uid}.bad`))).toBe(true);
    expect(site.said.join()).toContain("the book of tasks is damaged: 1 of its lines");
    // Still there, and still told, at the next start: until somebody stops it.
    expect((await next.load()).orphans).toHaveLength(1);
    await next.claim(uid);
    await ended(next, uid);
    await next.store.acknowledge(uid);
    expect((await next.load()).orphans).toEqual([]);
  });

  test("what lives and has lost its data directory is found", async () => {
    const uid = await begin(tasks, assignmentFor("sleep 60"));
    const pid = await alive(tasks, uid);
    rmSync(join(site.data, "tasks", uid), { recursive: true });
    dropRecord(site.data, uid);
    const next = await site.open();
    expect((await next.load()).orphans).toMatchObject([{ uid, pid, name: expect.stringContaining("test.task") }]);
    expect(next.store.wasClaimed(uid)).toBe(false);
    expect(next.driver.wasBegun(uid)).toBe(true);
    await next.claim(uid);
    await waitUntil("it to end", () => !isAlive(pid));
  });

  test("writes of one task follow each other, and the last one stands", async () => {
    const record = recordFor(assignmentFor("true"));
    await Promise.all(Array.from({ length: 20 }, (_, n) => tasks.store.write({ ...record, accepted_ms: n })));
    const { uid } = record.assignment;
    expect((await tasks.load()).records.get(uid)?.accepted_ms).toBe(19);
    expect(existsSync(join(site.data, "tasks", uid, "claim"))).toBe(false);
  });

  test("strange names in the directory of tasks are left alone", async () => {
    mkdirSync(join(site.data, "tasks", "not-a-task"));
    await tasks.load();
    expect(existsSync(join(site.data, "tasks", "not-a-task"))).toBe(true);
  });
});
