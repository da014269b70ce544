// A task's output as it can be asked for: whole, from an offset, by time, as it grows, and after its cap has cut it.

import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { utimesSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HOUSE_LIMITS } from "../../../src/core/limits";
import { lastText } from "../../../src/agent/tasks/tails";
import { look, watchGrowth } from "../../../src/agent/keeper/growth";
import { clocksNow } from "../../../src/agent/tasks/moments";
import { createStamper } from "../../../src/agent/tasks/log-lines";
import { timeText } from "../../../src/wire/log-times";
import { dirOfTask } from "../../../src/agent/tasks/taskdir";
import { readLog, type TaskLogQuery } from "../../../src/agent/tasks/logs";
import { assignmentFor, begin, ended, makeSite, type OpenTasks, type Site } from "../../support/tasks";
import { waitUntil } from "../../support/wait";
import { STILL } from "../../support/clocks";

const MIB = 1024 * 1024;
let site: Site;
let tasks: OpenTasks;
beforeAll(async () => {
  site = await makeSite();
  tasks = await site.open({ log_cap_bytes: MIB });
});
afterAll(async () => expect(await site.close()).toEqual([]));

const read = (uid: string, over: Partial<TaskLogQuery> = {}, signal = new AbortController().signal) =>
  readLog(
    { uid, name: "stdout", offset: 0, follow: false, since_age_ms: null, ...over },
    {
      dirOf: (one) => dirOfTask(site.data, one),
      clocks: clocksNow,
      signal,
      living: (one) => tasks.driver.seen().get(one)?.process.is === "alive",
    },
  );

async function whole(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts).toString();
}

test("output is read whole, from an offset, and by stream", async () => {
  const uid = await begin(tasks, assignmentFor("echo one; echo two; echo bad >&2"));
  await ended(tasks, uid);
  expect(await whole(read(uid))).toBe("one\ntwo\n");
  expect(await whole(read(uid, { offset: 4 }))).toBe("two\n");
  expect(await whole(read(uid, { offset: 1_000 }))).toBe("");
  expect(await whole(read(uid, { name: "stderr" }))).toBe("bad\n");
});

test("a follower gets what comes, and the end when the task is over", async () => {
  const go = `${site.data}.follow`;
  const uid = await begin(tasks, assignmentFor(`echo early; until [ -e ${go} ]; do sleep 0.02; done; echo late`));
  const got: string[] = [];
  const done = (async () => {
    for await (const part of read(uid, { follow: true })) got.push(Buffer.from(part).toString());
  })();
  await waitUntil("the first line", () => got.join("") === "early\n");
  writeFileSync(go, "");
  await done;
  expect(got.join("")).toBe("early\nlate\n");
});

test("a follower that goes away is let go", async () => {
  const uid = await begin(tasks, assignmentFor("echo on; sleep 60"));
  const gone = new AbortController();
  const done = whole(read(uid, { follow: true }, gone.signal));
  gone.abort();
  expect(["", "on\n"]).toContain(await done);
  await tasks.driver.kill(uid);
  await ended(tasks, uid);
});

test("beyond the cap the oldest bytes go back to the disk, and a reader is told of the gap", async () => {
  const uid = await begin(
    tasks,
    assignmentFor(
      "i=0; while [ $i -lt 40 ]; do head -c 100000 /dev/zero | tr '\\0' x; echo; i=$((i+1)); sleep 0.05; done; " +
        "echo end",
    ),
  );
  await ended(tasks, uid, 20_000);
  const file = join(site.data, "tasks", uid, "stdout");
  expect(statSync(file).size).toBe(40 * 100_001 + 4);
  expect(statSync(file).blocks * 512).toBeLessThan(2 * MIB);
  const text = await whole(read(uid));
  expect(text).toMatch(/^\[\d+ older bytes were removed: the log is at its cap\]\nx/);
  expect(text).toEndWith("x\nend\n");
  expect(text).not.toContain("\0");
}, 30_000);

test("growth is marked with its time, so that what is recent can be asked for", async () => {
  const go = `${site.data}.since`;
  const until = (file: string): string => `until [ -e ${file} ]; do sleep 0.02; done`;
  const script = `echo old; ${until(go)}; echo young; ${until(`${go}.2`)}`;
  const uid = await begin(tasks, assignmentFor(script));
  const marks = (): string => readFileSync(join(site.data, "tasks", uid, "marks"), "utf8");
  await waitUntil("the first mark", () => marks().includes("at stdout 4 "));
  const [line = "", wall_ms, boot_ms] = /at stdout 4 (\d+) (\d+)/.exec(marks()) ?? [];
  writeFileSync(go, "");
  await waitUntil("the second mark", () => marks().includes("at stdout 10 "));
  // As if the first line had come an hour before the second.
  const early = marks().replace(line, `at stdout 4 ${wall_ms} ${Number(boot_ms) - 3_600_000}`);
  writeFileSync(join(site.data, "tasks", uid, "marks"), early);
  expect(await whole(read(uid, { since_age_ms: 1_800_000 }))).toBe("young\n");
  expect(await whole(read(uid, { since_age_ms: 2 * 3_600_000 }))).toBe("old\nyoung\n");
  writeFileSync(`${go}.2`, "");
  await ended(tasks, uid);
});

/** Lays down an output of a task that is over. */
function laid(uid: string, stdout: string, marks = ""): string {
  const dir = join(site.data, "tasks", uid);
  mkdirSync(dir);
  writeFileSync(join(dir, "stdout"), stdout);
  writeFileSync(join(dir, "marks"), marks);
  return dir;
}

test("the last lines are found from the end, whatever their length and ends", async () => {
  const texts = [
    "",
    "one",
    "one\n",
    "\n",
    "\n\n",
    "a\nb\nc",
    "a\nb\nc\n",
    `${"x".repeat(700_000)}\ny\n`,
    "z\n".repeat(300_000),
  ];
  for (const [n, text] of texts.entries()) {
    const uid = `a${n}`.padEnd(32, "0");
    laid(uid, text);
    const lines = text.split(/(?<=\n)/);
    for (const count of [0, 1, 2, 3, 200_000]) {
      const begins: number[] = [];
      const query = { uid, name: "stdout", offset: 0, follow: false, since_age_ms: null, tail_lines: count } as const;
      const expected = lines.slice(Math.max(0, lines.length - count)).join("");
      const options = {
        dirOf: (one: string) => dirOfTask(site.data, one),
        clocks: clocksNow,
        living: () => false,
        signal: new AbortController().signal,
      };
      expect(await whole(readLog(query, { ...options, begins: (offset) => begins.push(offset) }))).toBe(expected);
      expect(begins).toEqual([text.length - expected.length]);
    }
  }
});

test("the last lines of 2 GB are read without the rest, and none of what the cap has removed", async () => {
  const uid = "b".repeat(32);
  const dir = laid(uid, "");
  const fd = openSync(join(dir, "stdout"), "r+");
  const size = 2 * 1024 * MIB;
  writeSync(fd, "first\nlast\n", size);
  closeSync(fd);
  const began_ms = performance.now();
  expect(await whole(read(uid, { tail_lines: 1 }))).toBe("last\n");
  // To read 2 GB takes longer on any disk of today.
  expect(performance.now() - began_ms).toBeLessThan(100);
  writeFileSync(join(dir, "marks"), `from stdout ${size}\n`);
  expect(await whole(read(uid, { tail_lines: 10 }))).toBe("first\nlast\n");
});

test("a follower of the last lines gets what comes, and nothing from before", async () => {
  const go = `${site.data}.tail`;
  const script = `echo a; echo b; echo c; until [ -e ${go} ]; do sleep 0.02; done; echo d`;
  const uid = await begin(tasks, assignmentFor(script));
  await waitUntil("its output", async () => (await whole(read(uid))) === "a\nb\nc\n");
  const got = [0, 2].map((tail_lines) => whole(read(uid, { follow: true, tail_lines })));
  await waitUntil("a look", () => tasks.driver.seen().get(uid)?.process.is === "alive");
  writeFileSync(go, "");
  expect(await Promise.all(got)).toEqual(["d\n", "b\nc\nd\n"]);
});

test("each line is behind the time of the first mark that has it, else that of the last writing", async () => {
  const uid = "c".repeat(32);
  const dir = laid(
    uid,
    "one\ntwo\nthree\nfour",
    "at stdout 4 1000 1\nat stdout 14 61000 61\nat stdout 14 nonsense 1\n",
  );
  utimesSync(join(dir, "stdout"), 3_600, 3_600);
  expect(await whole(read(uid, { times: true }))).toBe(
    "1970-01-01T00:00:01.000Z one\n1970-01-01T00:01:01.000Z two\n1970-01-01T00:01:01.000Z three\n" +
      "1970-01-01T01:00:00.000Z four",
  );
  expect(await whole(read(uid, { times: true, tail_lines: 2 }))).toBe(
    "1970-01-01T00:01:01.000Z three\n1970-01-01T01:00:00.000Z four",
  );
});

test("a line that comes in parts gets one time", () => {
  const stamp = createStamper();
  const text = ["a", "b\nc\n\nd", "", "\n"].map((part) =>
    new TextDecoder().decode(stamp(Buffer.from(part), 0, () => 0)),
  );
  const at = timeText(0);
  expect(text.join("")).toBe(`${at}ab\n${at}c\n${at}\n${at}d\n`);
  // A task may write anything into its own marks.
  for (const odd of [Number.NaN, -1, 1e300, Infinity]) expect(timeText(odd)).toHaveLength(at.length);
});

test("output is never read through a link", async () => {
  const uid = "0".repeat(32);
  const dir = join(site.data, "tasks", uid);
  mkdirSync(dir);
  symlinkSync("/etc/passwd", join(dir, "stdout"));
  expect(await whole(read(uid))).toMatch(/^\[this output cannot be read now: ELOOP: \S+ could not be opened\]\n$/);
});

test("output of a task that is not kept is an error that says so", async () => {
  expect(await whole(read("f".repeat(32))).catch(String)).toContain("no longer kept");
});

test("marks of a stream come at most 4 times a second, and less and less often", () => {
  const dir = mkdtempSync(join(tmpdir(), "orch-growth-"));
  const growth = watchGrowth(dir, 64 * MIB);
  let size = 0;
  for (let now_ms = 0; now_ms < 4_000_000; now_ms += 250) {
    writeFileSync(join(dir, "stdout"), "x".repeat(++size));
    look(growth, { ...STILL, boot_ms: now_ms, wall_ms: 1 }, () => undefined);
  }
  const lines = readFileSync(join(dir, "marks"), "utf8").trim().split("\n");
  rmSync(dir, { recursive: true });
  const times = lines.map((line) => Number(line.split(" ")[4]));
  expect(Math.min(...times.slice(1).map((at, i) => at - (times[i] ?? 0)))).toBe(250);
  expect(lines.length).toBeLessThan(8_000);
  expect(times.at(-1)! - times.at(-2)!).toBeGreaterThan(500);
});

test("the last words of a task begin with a whole character", () => {
  const bytes = Buffer.from("ä".repeat(HOUSE_LIMITS.log_tail_bytes))
    .subarray(-HOUSE_LIMITS.log_tail_bytes - 1)
    .subarray(0, HOUSE_LIMITS.log_tail_bytes);
  expect(lastText(bytes)).not.toContain("\ufffd".repeat(2));
  expect(lastText(Buffer.from("äb"))).toBe("äb");
});

test("output is read whole wherever its directory is moved to while it is read", async () => {
  const query = { name: "stdout", offset: 0, since_age_ms: null } as const;
  // At each look for the directory in turn, it is moved right behind it.
  for (let at = 1; at <= 4; at++) {
    for (const over of [{}, { tail_lines: 1 }, { since_age_ms: 60_000 }]) {
      const uid = await begin(tasks, assignmentFor("echo first; echo last"));
      await ended(tasks, uid);
      let looks = 0;
      const dirOf = (one: string): string | null => {
        const dir = dirOfTask(site.data, one);
        if (++looks === at && dir !== null) renameSync(dir, join(site.data, "ended", one));
        return dir;
      };
      const signal = new AbortController().signal;
      const options = { dirOf, clocks: clocksNow, living: () => false, signal };
      const text = await whole(readLog({ ...query, uid, follow: true, ...over }, options));
      expect({ at, over, text }).toEqual({ at, over, text: "tail_lines" in over ? "last\n" : "first\nlast\n" });
    }
  }
});

test("output that is gone is an error, and never an empty answer", async () => {
  const uid = await begin(tasks, assignmentFor("echo here"));
  await ended(tasks, uid);
  rmSync(join(site.data, "tasks", uid, "stdout"));
  expect(whole(read(uid, { follow: true }))).rejects.toThrow("its output is not on the node any more");
  rmSync(join(site.data, "tasks", uid), { recursive: true });
  expect(whole(read(uid))).rejects.toThrow("its output is no longer kept on the node");
});
