// The journal of a batch on a disk that takes nothing: no element begins, and no end is lost.

import { expect, test } from "bun:test";
import { openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { aheadOf, ElementLog } from "../../../src/agent/keeper/element-log";
import { takeLines, elementsOf, nothingRead } from "../../../src/agent/tasks/element-journal";
import { wholeLines } from "../../../src/os/files/task-files";
import { scratchDir } from "../../support/scratch";

test("a full disk takes no beginning, and everything waits behind the first end", async () => {
  const said: string[] = [];
  const log = new ElementLog(openSync("/dev/full", "a"), (line) => void said.push(line));
  expect(() => log.began(0, 0, 1)).toThrow("ENOSPC");
  expect(log.may(64)).rejects.toThrow("ENOSPC");
  const written: string[] = [];
  log
    .ended(0, 0, 1)
    .then(() => written.push("end"))
    .catch(() => written.push("failed"));
  expect(() => log.began(1, 0, 1)).toThrow("its journal takes no line");
  await Promise.resolve();
  expect(written).toEqual([]);
  expect(said).toEqual(["a journal of elements takes no line, and is tried again every second"]);
});

test("what it writes is what is read", async () => {
  const path = join(scratchDir("log"), "elements");
  const log = new ElementLog(openSync(path, "a+"), () => undefined);
  await log.may(3);
  log.began(0, 1, 5);
  log.began(1, 0, 6);
  await log.ended(0, "TERM", 7, "why");
  await log.back(1);
  await log.only(1);
  await log.open(1);
  await log.close();
  const batch = { parts: [[4, 6]] as const, places: 2 };
  const read = nothingRead(batch);
  takeLines(read, elementsOf(batch), wholeLines(readFileSync(path, "utf8")));
  expect(read).toEqual({
    may: 3,
    running: new Map(),
    results: [[4, "TERM", 7, "why"]],
    ended: new Set([0]),
    back: new Set([1]),
    open: 1,
    only: 1,
    begun: 2,
    damaged: 0,
    isMayDamaged: false,
  });
});

test("some elements may begin ahead, and more where there are more places", () => {
  expect([1, 16, 100].map((places) => aheadOf({ places }))).toEqual([64, 64, 400]);
});
