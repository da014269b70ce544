// A task cannot take more of the disk by its output than the cap allows, whatever it does with the files that its
// descriptors lead to.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { capAtEnd, look, judgeOver, resumeGrowth, watchGrowth } from "../../../src/agent/keeper/growth";
import { dirOfTask } from "../../../src/agent/tasks/taskdir";
import { readLog, readMarks } from "../../../src/agent/tasks/logs";
import { clocksNow } from "../../../src/agent/tasks/moments";
import { launch } from "../../../src/os/process/spawn";
import { STILL } from "../../support/clocks";
import { alive, assignmentFor, begin, ended, makeSite, type OpenTasks, type Site } from "../../support/tasks";
import { waitUntil } from "../../support/wait";

const CAP = 1024 * 1024;
const HIDDEN = 32 * CAP;

/** A program that calls the C library as programs in other languages do. */
const program = (body: string): string[] => [
  process.execPath,
  "-e",
  `const { dlopen } = require("bun:ffi"); const fs = require("node:fs");
   const c = dlopen("libc.so.6", {
     fallocate: { args: ["i32", "i32", "i64", "i64"], returns: "i32" },
     fcntl: { args: ["i32", "i32", "i64"], returns: "i32" },
     signal: { args: ["i32", "u64"], returns: "u64" },
   }).symbols;
   const stay = () => setInterval(() => undefined, 1000);
   ${body}`,
];

let site: Site;
let tasks: OpenTasks;
beforeEach(async () => {
  site = await makeSite();
  tasks = await site.open({ log_cap_bytes: CAP });
});
afterEach(async () => expect(await site.close()).toEqual([]));

const fileOf = (uid: string): string => join(site.data, "tasks", uid, "stdout");
const taken = (file: string): number => statSync(file).blocks * 512;

async function logOf(uid: string, data = site.data): Promise<string> {
  const query = { uid, name: "stdout", offset: 0, follow: false, since_age_ms: null } as const;
  const options = {
    dirOf: (one: string) => dirOfTask(data, one),
    clocks: clocksNow,
    living: () => false,
    signal: new AbortController().signal,
  };
  return (await Array.fromAsync(readLog(query, options), (bytes) => new TextDecoder().decode(bytes))).join("");
}

describe("a living task", () => {
  test("keeps no blocks beyond the end of its output", async () => {
    const grab = `fs.writeSync(1, "begun\\n"); c.fallocate(1, 1, 0, ${HIDDEN}); fs.writeSync(2, "done"); stay();`;
    const uid = await begin(tasks, assignmentFor(program(grab)));
    await waitUntil("the call", () => statSync(fileOf(uid).replace("stdout", "stderr")).size > 0);
    await waitUntil("the blocks to be freed", () => taken(fileOf(uid)) < 2 * CAP, 15_000);
    expect(await logOf(uid)).toBe("begun\n");
    await tasks.driver.kill(uid);
    await ended(tasks, uid);
  }, 30_000);

  test("cannot hold its output open for itself alone", async () => {
    const lease = `c.signal(29, 1); c.fcntl(1, 1024, 1); fs.writeSync(2, "done"); stay();`;
    const uid = await begin(tasks, assignmentFor(program(lease)));
    await waitUntil("the lease", () => statSync(fileOf(uid).replace("stdout", "stderr")).size > 0);
    await alive(tasks, uid);
    expect(await logOf(uid)).toBe("[this output cannot be read now: its task holds a lease on it]\n");
    await tasks.driver.kill(uid);
    await ended(tasks, uid);
    expect(await logOf(uid)).toBe("");
  }, 30_000);
});

test("what a task wrote at once beyond the cap is freed at its end, and its last part is kept", async () => {
  const uid = await begin(tasks, assignmentFor("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end"));
  await ended(tasks, uid);
  expect(taken(fileOf(uid))).toBeLessThan(1.25 * CAP);
  const log = await logOf(uid);
  expect(log).toMatch(/^\[\d+ older bytes were removed: the log is at its cap\]\nx/);
  expect(log).toEndWith("x\nend\n");
  expect(log.length).toBeGreaterThan(CAP);
}, 30_000);

test("what a task took in its last moment is freed at its end", async () => {
  const grab = `fs.writeSync(1, "begun\\n"); c.fallocate(1, 1, 0, ${HIDDEN}); c.fallocate(2, 0, 0, ${HIDDEN});`;
  const uid = await begin(tasks, assignmentFor(program(grab)));
  await ended(tasks, uid);
  expect(taken(fileOf(uid))).toBeLessThan(1.25 * CAP);
  expect(taken(fileOf(uid).replace("stdout", "stderr"))).toBeLessThan(1.25 * CAP);
  expect(await logOf(uid)).toBe("begun\n");
}, 30_000);

describe("output whose freed blocks its file system still counts", () => {
  const at = (boot_ms: number) => ({ ...clocksNow(), boot_ms });
  const later = { impossible: false, why: "no room" };
  test("is kept for as long as the count may lag, also where a hole could not be punched just now", () => {
    for (const failed of [null, later]) {
      expect(judgeOver(null, failed, at(1_000))).toEqual({ since_ms: null, empties: false });
      expect(judgeOver(1_000, failed, at(1_000))).toEqual({ since_ms: 1_000, empties: false });
      expect(judgeOver(1_000, failed, at(10_999))).toEqual({ since_ms: 1_000, empties: false });
      expect(judgeOver(1_000, failed, at(11_000))).toEqual({ since_ms: null, empties: true });
    }
  });
  test("is emptied at once where there are no holes, and never once its task has ended", () => {
    expect(judgeOver(1_000, { impossible: true, why: "no holes" }, at(1_000)).empties).toBe(true);
    for (const failed of [null, later, { impossible: true, why: "no holes" }])
      expect(judgeOver(1_000, failed, null).empties).toBe(false);
  });
});

describe("a file that its task cuts off", () => {
  let data: string;
  let dir: string;
  const uid = "0".repeat(32);
  beforeEach(() => {
    data = mkdtempSync(join(tmpdir(), "orch-growth-"));
    dir = join(data, "tasks", uid);
    mkdirSync(dir, { recursive: true });
  });
  afterEach(() => rmSync(data, { recursive: true }));

  test.each([2 ** 43, 10])("after it was as large as %d stays capped, and can be read", async (large) => {
    const file = join(dir, "stdout");
    const growth = watchGrowth(dir, CAP);
    let now_ms = 0;
    const said: string[] = [];
    const again = (): void => look(growth, { ...STILL, boot_ms: (now_ms += 5_000) }, (why) => void said.push(why));
    writeFileSync(file, "");
    truncateSync(file, large);
    again();
    truncateSync(file, 0);
    again();
    writeFileSync(file, "new\n");
    again();
    expect(await logOf(uid, data)).toBe(`[${large} older bytes were removed: the log is at its cap]\nnew\n`);
    writeFileSync(file, "x".repeat(8 * CAP), { flag: "a" });
    again();
    expect(taken(file)).toBeLessThan(1.25 * CAP);
    expect(await logOf(uid, data)).toEndWith("x");
    expect(resumeGrowth(dir, CAP).streams[0]).toMatchObject({ base: large, size: large + 4 + 8 * CAP });
    expect([readMarks(dir, "stdout").from > large, said]).toEqual([true, []]);
  });

  test("cannot keep what was allocated where its oldest bytes were", () => {
    const file = join(dir, "stdout");
    const growth = watchGrowth(dir, CAP);
    writeFileSync(file, "x".repeat(8 * CAP));
    look(growth, { ...STILL, boot_ms: 5_000 }, () => undefined);
    expect(taken(file)).toBeLessThan(1.25 * CAP);
    Bun.spawnSync(["dd", "if=/dev/zero", `of=${file}`, "bs=1M", "count=7", "conv=notrunc"]);
    expect(taken(file)).toBeGreaterThan(4 * CAP);
    look(growth, { ...STILL, boot_ms: 50_000 }, () => undefined);
    expect(taken(file)).toBeLessThan(1.25 * CAP);
    expect(readFileSync(file).at(-1)).toBe(120);
    capAtEnd(dir, CAP / 2, () => undefined);
    expect(taken(file)).toBeLessThan(0.75 * CAP);
  });
});

const notRoot = process.getuid?.() === 0 && Bun.which("setpriv") !== null ? null : "not root";
describe(`the output of another account${notRoot === null ? "" : ` (skipped: ${notRoot})`}`, () => {
  const as = async (script: string, input: string | null = null): Promise<{ out: string; err: string }> => {
    const dir = mkdtempSync(join(tmpdir(), "orch-given-"));
    const [stdout, stderr] = [join(dir, "stdout"), join(dir, "stderr")];
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const argv = ["setpriv", "--reuid=4321", "--regid=4322", "--clear-groups", "/bin/sh", "-c", script];
    const env = { PATH: process.env["PATH"] ?? "" };
    const stdin = input === null ? null : join(dir, "stdin");
    if (stdin !== null) writeFileSync(stdin, input ?? "", { mode: 0o600 });
    launch({ argv, env, cwd: "/", cgroup: null, stdin, stdout, stderr, writer: { gid: 4322 }, notes: null }, resolve);
    await promise;
    const owner = statSync(stdout).uid;
    const read = { out: readFileSync(stdout, "utf8"), err: readFileSync(stderr, "utf8") };
    rmSync(dir, { recursive: true });
    expect(owner).toBe(0);
    return read;
  };

  test.if(notRoot === null)("can be opened again by its name, as programs do", async () => {
    const script = "echo a; echo b >> /dev/stdout; echo c | tee -a /dev/stderr; echo d >> /proc/self/fd/1";
    expect(await as(script)).toEqual({ out: "a\nb\nc\nd\n", err: "c\n" });
  });

  test.if(notRoot === null)("its input can be opened again as well, and is not written", async () => {
    const script = "read line; echo $line; cat /dev/stdin; { echo x > /proc/self/fd/0; } 2>/dev/null || echo refused";
    expect((await as(script, "one\ntwo\n")).out).toBe("one\none\ntwo\nrefused\n");
  });

  test.if(notRoot === null)("is not of the account: it changes no mode, and so gets no lease", async () => {
    const script = `chmod 600 /proc/self/fd/1 2>/dev/null || echo refused`;
    expect((await as(script)).out).toBe("refused\n");
  });
});
