// The output of one element of a batch: in its place while it runs, under its own name afterwards, and never that of
// the element that has the place next.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { appendFileSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beganLine, endedLine, mayLine } from "../../../src/agent/tasks/element-journal";
import { elementLog, keptReader } from "../../../src/agent/tasks/element-logs";
import { ElementReader, journalIn } from "../../../src/agent/tasks/element-reader";
import { readLog } from "../../../src/agent/tasks/logs";
import { clocksNow } from "../../../src/agent/tasks/moments";
import { openTaskStore, type TaskFiles } from "../../../src/agent/tasks/store";
import { dirOfTask, places } from "../../../src/agent/tasks/taskdir";
import { endWithoutResult } from "../../../src/core/agent/ending";
import { batchFor } from "../../support/batch-keeper";
import { makeScratch, removeScratch } from "../../support/scratch";
import { recordFor } from "../../support/tasks";

/** Of the elements 10, 12, 14 and 16. */
const assignment = batchFor(4, 2);
const { uid, batch } = assignment;
if (batch === undefined) throw new Error("it is no batch");

let data: string;
let store: TaskFiles;
beforeEach(async () => {
  data = join(makeScratch("element-logs"), "agent");
  store = openTaskStore(data, () => undefined);
  await store.write(recordFor(assignment));
  writeFileSync(file("elements"), mayLine(4));
});
afterEach(() => {
  store.close();
  removeScratch(join(data, ".."));
});

const file = (...names: string[]): string => join(places(data).tasks, uid, ...names);
const journal = (...lines: string[]): void => appendFileSync(file("elements"), lines.join(""));

function runs(position: number, place: number, text: string): void {
  mkdirSync(file(`place.${place}`));
  writeFileSync(file(`place.${place}`, "stdout"), text);
  journal(beganLine(position, place, 1));
}

/** Gives the output of an element its name, before its end is noted, as a keeper does. */
function putsAway(position: number, place: number, name: string): void {
  renameSync(file(`place.${place}`), file(name));
  journal(endedLine(position, 0, 5));
}

const readerOf = (round = 1): ElementReader =>
  new ElementReader(
    { ...batch, round },
    journalIn(() => dirOfTask(data, uid)),
  );

function read(element: number, { follow = false, reader = readerOf(), lives = true, offset = 0 } = {}) {
  return readLog(
    { uid, name: "stdout", offset, follow, since_age_ms: null },
    {
      dirOf: (one) => dirOfTask(data, one),
      clocks: clocksNow,
      signal: new AbortController().signal,
      ...elementLog(element, reader, () => lives),
    },
  );
}

async function whole(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts).toString();
}

test("it is read where the element runs, and where it was put away", async () => {
  runs(1, 0, "one\n");
  expect(await whole(read(12))).toBe("one\n");
  putsAway(1, 0, "12");
  expect(await whole(read(12))).toBe("one\n");
  expect(await whole(read(12, { offset: 2 }))).toBe("e\n");
});

test("a later round has names of its own", async () => {
  runs(1, 0, "again\n");
  putsAway(1, 0, "12.3");
  expect(await whole(read(12, { reader: readerOf(3) }))).toBe("again\n");
});

test("an element has no output that another one has written in its place", async () => {
  runs(0, 0, "");
  journal(endedLine(0, 0, 5));
  writeFileSync(file("place.0", "stdout"), "of the next\n");
  journal(beganLine(1, 0, 1));
  expect(await whole(read(10))).toBe("");
  expect(await whole(read(14))).toBe("");
  expect(await whole(read(12))).toBe("of the next\n");
});

test("who follows reads on after the end, and no further", async () => {
  runs(2, 1, "one\n");
  const said: string[] = [];
  for await (const part of read(14, { follow: true })) {
    said.push(Buffer.from(part).toString());
    if (said.length > 1) continue;
    appendFileSync(file("place.1", "stdout"), "two\n");
    putsAway(2, 1, "14");
    runs(3, 1, "of the next\n");
  }
  expect(said.join("")).toBe("one\ntwo\n");
});

test("who follows an element that waits reads it from its beginning", async () => {
  const reading = whole(read(16, { follow: true }));
  runs(3, 0, "late\n");
  putsAway(3, 0, "16");
  expect(await reading).toBe("late\n");
});

test("it is there when the server has the end of the batch, also of an element whose keeper died", async () => {
  runs(0, 0, "done\n");
  putsAway(0, 0, "10");
  runs(1, 0, "cut off");
  const end = endWithoutResult("unknown", "result_unknown", "its keeper died", 1);
  await store.write({ ...recordFor(assignment), end });
  await store.acknowledge(uid);
  const reader = keptReader(data, uid) ?? readerOf();
  expect(await whole(read(10, { reader, lives: false }))).toBe("done\n");
  expect(await whole(read(12, { reader, lives: false, follow: true }))).toBe("cut off");
});

test("what is not in the batch, or not known here, is said", () => {
  expect(() => read(11)).toThrow("its batch has no element 11");
  expect(keptReader(data, uid)).toBeNull();
  expect(() => elementLog(10, null, () => true)).toThrow("nothing is known here of the batch");
});
