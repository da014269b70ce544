// The book of records: what was written is read again, whatever the disk and kills leave of the file, and what was not
// told as written costs nothing else.

import { afterEach, describe, expect, test } from "bun:test";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { openBook, readBook } from "../../../src/agent/tasks/book";
import { createRecordWriter } from "../../../src/agent/tasks/record-writer";
import { openTaskStore } from "../../../src/agent/tasks/store";
import { readAttempt } from "../../../src/agent/tasks/taskdir";
import { endWithoutResult } from "../../../src/core/agent/ending";
import type { TaskRecord } from "../../../src/core/model/record";
import { createDisk, type Disk } from "../../../src/os/files/disk";
import { bookOf, damageRecord } from "../../support/book";
import { scratchDir } from "../../support/scratch";
import { assignmentFor, recordFor } from "../../support/tasks";
import { waitUntil } from "../../support/wait";
import { BOOK_WRITER } from "./book-writer";

const said: string[] = [];
const say = (line: string): void => void said.push(line);
afterEach(() => void said.splice(0));

const uidOf = ({ assignment }: TaskRecord): string => assignment.uid;
const some = (count: number): TaskRecord[] => Array.from({ length: count }, () => recordFor(assignmentFor("true")));
const ended = (record: TaskRecord): TaskRecord => ({ ...record, end: endWithoutResult("stopped", null, "why", 1) });

async function opened(data: string) {
  const book = openBook(data, createDisk(), say);
  book.read();
  await book.begin([]);
  return book;
}

const found = (data: string): string[] => [...readBook(data).found.keys()].sort();

describe("a book", () => {
  test("has the newest version of each record, and none that was taken out", async () => {
    const data = scratchDir("orch-book-");
    const book = await opened(data);
    const [a, b, c] = some(3) as [TaskRecord, TaskRecord, TaskRecord];
    await Promise.all([a, b, c].map((record) => book.write(record)));
    await Promise.all([book.write(ended(a)), book.forget(uidOf(b))]);
    expect(found(data)).toEqual([uidOf(a), uidOf(c)].sort());
    expect(readBook(data).found.get(uidOf(a))?.record.end?.state).toBe("stopped");
    expect([book.has(uidOf(a)), book.has(uidOf(b)), book.textOf(uidOf(b))]).toEqual([true, false, null]);
    const again = await opened(data);
    expect([again.has(uidOf(a)), again.has(uidOf(b)), again.has(uidOf(c))]).toEqual([true, false, true]);
    expect(readFileSync(bookOf(data), "utf8").split("\n")).toHaveLength(3);
  });

  test("that was cut off anywhere in its last line has all lines before it, and is written on", async () => {
    const data = scratchDir("orch-book-");
    const [a, b, c] = some(3) as [TaskRecord, TaskRecord, TaskRecord];
    const book = await opened(data);
    await book.write(a);
    const whole = statSync(bookOf(data)).size;
    await book.write(b);
    const text = readFileSync(bookOf(data));
    for (let size = whole; size < text.length - 1; size++) {
      writeFileSync(bookOf(data), text);
      truncateSync(bookOf(data), size);
      expect([size, found(data), readBook(data).damaged]).toEqual([size, [uidOf(a)], 0]);
    }
    await (await opened(data)).write(c);
    expect(found(data)).toEqual([uidOf(a), uidOf(c)].sort());
    // Only its end is missing: it was written, and may have been told as such.
    truncateSync(bookOf(data), statSync(bookOf(data)).size - 1);
    expect([found(data), readBook(data).damaged]).toEqual([[uidOf(a), uidOf(c)].sort(), 0]);
  });

  test("with a flipped bit in any line loses that line alone, and says so", async () => {
    const data = scratchDir("orch-book-");
    const records = some(3);
    const book = await opened(data);
    for (const record of records) await book.write(record);
    const text = readFileSync(bookOf(data));
    for (let at = 0; at < text.length; at++) {
      const damaged = Buffer.from(text);
      damaged[at] = damaged[at]! ^ 1;
      writeFileSync(bookOf(data), damaged);
      const read = readBook(data);
      // Two lines become one where the end of a line was hit, and one more where it was made.
      expect([at, read.found.size >= 1, read.damaged >= 1]).toEqual([at, true, true]);
      for (const [uid, { record }] of read.found) expect(record.assignment.uid).toBe(uid);
    }
  });

  test("whose file was removed or replaced under it is written whole again", async () => {
    const data = scratchDir("orch-book-");
    const [a, b, c] = some(3) as [TaskRecord, TaskRecord, TaskRecord];
    const book = await opened(data);
    await book.write(a);
    rmSync(bookOf(data));
    await book.write(b);
    expect(found(data)).toEqual([uidOf(a), uidOf(b)].sort());
    rmSync(bookOf(data));
    mkdirSync(bookOf(data));
    expect(await book.write(c).then(() => "written", String)).toContain("records.log is a directory: remove it");
    expect(book.trouble()).toContain("is a directory");
    rmSync(bookOf(data), { recursive: true });
    await book.write(ended(a));
    expect([found(data), book.trouble()]).toEqual([[a, b, c].map(uidOf).sort(), null]);
  });

  test("that grows is begun anew with what lives", async () => {
    const data = scratchDir("orch-book-");
    const book = await opened(data);
    const [kept] = some(1) as [TaskRecord];
    await book.write(kept);
    const text = "x".repeat(60_000);
    for (let n = 0; n < 150; n++) await book.write({ ...kept, assignment: { ...kept.assignment, env: { text } } });
    expect(statSync(bookOf(data)).size).toBeLessThan(8_500_000);
    for (let n = 0; n < 30; n++) await book.write(kept);
    expect(statSync(bookOf(data)).size).toBeLessThan(1_000_000);
    expect(found(data)).toEqual([uidOf(kept)]);
  });
});

test("whoever writes is killed at any moment, and what was told as written is there", async () => {
  const data = scratchDir("orch-book-");
  for (let round = 0; round < 5; round++) {
    const argv = [process.execPath, BOOK_WRITER, data];
    const child = Bun.spawn(argv, { stdout: "pipe", stderr: "inherit", stdin: "ignore" });
    const reader = child.stdout.getReader();
    const decoder = new TextDecoder();
    let told = "";
    await waitUntil("it to have written some", async () => {
      told += decoder.decode((await reader.read()).value);
      return told.split("\n").length > 20 + 7 * round;
    });
    child.kill("SIGKILL");
    await child.exited;
    for (let rest = await reader.read(); !rest.done; rest = await reader.read()) told += decoder.decode(rest.value);
    const uids = told.split("\n").slice(0, -1);
    const { found: read, damaged } = readBook(data);
    expect([damaged, uids.filter((uid) => !read.has(uid))]).toEqual([0, []]);
  }
});

describe("a store", () => {
  test("makes the directory anew that was removed, with a claim unless the task has ended", async () => {
    const data = scratchDir("orch-book-");
    const [record] = some(1) as [TaskRecord];
    const dir = join(data, "tasks", uidOf(record));
    const book = await opened(data);
    const writer = createRecordWriter(join(data, "tasks"), createDisk(), book);
    await writer.write(record);
    expect([existsSync(dir), readAttempt(dir)]).toEqual([true, null]);
    rmSync(dir, { recursive: true });
    await writer.write(record);
    expect(readAttempt(dir)?.claimed).toBe("unknown");
    rmSync(dir, { recursive: true });
    const store = openTaskStore(data, say);
    expect((await store.read()).records.has(uidOf(record))).toBe(true);
    expect(readAttempt(dir)?.claimed).toBe("unknown");
    rmSync(dir, { recursive: true });
    await store.write(ended(record));
    expect([existsSync(dir), readAttempt(dir)]).toEqual([true, null]);
    store.close();
  });

  test("counts the tasks without a record as unreadable if the book is damaged, also later", async () => {
    const data = scratchDir("orch-book-");
    const [a, b] = some(2) as [TaskRecord, TaskRecord];
    const store = openTaskStore(data, say);
    await store.read();
    for (const record of [a, b]) await store.write(record);
    store.close();
    damageRecord(data, uidOf(a));
    for (let times = 0; times < 2; times++) {
      const next = openTaskStore(data, say);
      const { records, unreadable, uids } = await next.read();
      expect([[...records.keys()], [...unreadable], uids.length]).toEqual([[uidOf(b)], [uidOf(a)], 2]);
      next.close();
    }
    expect(said.join()).toContain("the book of tasks is damaged: 1 of its lines");
  });

  test("counts a claimed task as unreadable if the whole book is lost, until its end is acknowledged", async () => {
    const data = scratchDir("orch-book-");
    const [claimed, unclaimed] = some(2) as [TaskRecord, TaskRecord];
    const store = openTaskStore(data, say);
    await store.read();
    for (const record of [claimed, unclaimed]) await store.write(record);
    writeFileSync(join(data, "tasks", uidOf(claimed), "claim"), "");
    store.close();
    rmSync(bookOf(data));
    const next = openTaskStore(data, say);
    expect([...(await next.read()).unreadable]).toEqual([uidOf(claimed)]);
    const mark = join(data, "tasks", `${uidOf(claimed)}.bad`);
    expect(existsSync(mark)).toBe(true);
    await next.acknowledge(uidOf(claimed));
    expect(existsSync(mark)).toBe(false);
    next.close();
  });

  test("takes in what an earlier release wrote, a file a task", async () => {
    const data = scratchDir("orch-book-");
    const [a] = some(1) as [TaskRecord];
    const dir = join(data, "tasks", uidOf(a));
    const first = openTaskStore(data, say);
    await first.read();
    await first.write(a);
    await first.acknowledge(uidOf(a));
    first.close();
    const kept = join(data, "ended", uidOf(a));
    expect(existsSync(join(kept, "record.json"))).toBe(true);
    const second = openTaskStore(data, say);
    expect((await second.read()).records.size).toBe(0);
    expect((await second.kept()).map(uidOf)).toEqual([uidOf(a)]);
    second.close();
    rmSync(bookOf(data));
    appendFileSync(join(dir, "record.json"), '{"cut o');
    const third = openTaskStore(data, say);
    expect([...(await third.read()).records.keys()]).toEqual([uidOf(a)]);
    expect(found(data)).toEqual([uidOf(a)]);
    third.close();
  });

  test("forgets a task whose end was acknowledged right before the agent was killed", async () => {
    const data = scratchDir("orch-book-");
    const [a] = some(1) as [TaskRecord];
    const store = openTaskStore(data, say);
    await store.read();
    await store.write(ended(a));
    const text = readFileSync(bookOf(data));
    await store.acknowledge(uidOf(a));
    store.close();
    writeFileSync(bookOf(data), text);
    const next = openTaskStore(data, say);
    expect((await next.read()).records.size).toBe(0);
    expect(existsSync(join(data, "tasks", uidOf(a)))).toBe(false);
    next.close();
  });
});

test("tasks that come together get their directories and their records in a few operations of the disk", async () => {
  const data = scratchDir("orch-book-");
  const disk = createDisk();
  let operations = 0;
  const counting: Disk = { ...disk, run: async (operation) => (operations++, disk.run(operation)) };
  const book = openBook(data, counting, say);
  book.read();
  await book.begin([]);
  const writer = createRecordWriter(join(data, "tasks"), counting, book);
  const records = some(100);
  await Promise.all(records.map(async (record) => writer.write(record)));
  expect(found(data)).toEqual(records.map(uidOf).sort());
  expect(records.every((record) => existsSync(join(data, "tasks", uidOf(record))))).toBe(true);
  expect(operations).toBeLessThan(20);
});

test("a directory that cannot be made costs its own task, and none that came with it", async () => {
  const data = scratchDir("orch-book-");
  const disk = createDisk();
  const book = openBook(data, disk, say);
  book.read();
  await book.begin([]);
  const [bad, ...good] = some(5);
  const parent = join(data, "tasks");
  mkdirSync(parent);
  writeFileSync(join(parent, uidOf(bad!)), "in its place");
  const writer = createRecordWriter(parent, disk, book);
  const done = await Promise.allSettled([bad!, ...good].map(async (record) => writer.write(record)));
  expect(done.map(({ status }) => status === "fulfilled")).toEqual([false, ...good.map(() => true)]);
  expect(found(data)).toEqual(good.map(uidOf).sort());
});
