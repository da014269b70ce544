// Journals of what lives: bounded in lines and descriptors, and read with suspicion.

import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openJournal, readJournals, type LivingNote } from "../../../src/agent/tasks/living";
import { bootId, statOf } from "../../../src/os/proc";

let root = "";
let run = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "orch-living-"));
  run = join(root, "one");
  mkdirSync(run);
});
afterEach(() => rmSync(root, { recursive: true }));

const start = statOf(process.pid)?.start ?? "";
const noteOf = (uid: string): LivingNote => ({
  uid,
  name: `task ${uid}`,
  pid: process.pid,
  start,
  dir: join(root, "tasks", uid),
  group: [],
  held: null,
});

/** Files below the run directory that this process holds open, also those that have no name any more. */
const openFiles = (): string[] =>
  readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(run) ? [path] : [];
    } catch {
      return [];
    }
  });

test("a journal that is written anew keeps one descriptor and what lives", () => {
  const journal = openJournal(run);
  journal.begun(noteOf("stays"));
  for (let n = 0; n < 30_000; n++) {
    journal.begun(noteOf(`${n}`));
    journal.ended(`${n}`);
  }
  const path = join(run, `living.${process.pid}`);
  expect(openFiles()).toEqual([path]);
  expect(readdirSync(run)).toEqual([`living.${process.pid}`]);
  expect(readFileSync(path, "utf8").split("\n").length).toBeLessThan(20_010);
  expect(readJournals(root, run).survivors).toContainEqual(noteOf("stays"));
});

test("a task whose directory is there and whose claim is gone counts as begun, and as living", () => {
  const journal = openJournal(run);
  journal.begun(noteOf("a"));
  mkdirSync(noteOf("a").dir, { recursive: true });
  const { survivors, claimed } = readJournals(root, run);
  expect([survivors, [...claimed]]).toEqual([[noteOf("a")], ["a"]]);
  writeFileSync(join(noteOf("a").dir, "claim"), "");
  const whole = readJournals(root, run);
  expect([whole.survivors, [...whole.claimed]]).toEqual([[], []]);
});

test("lines that are none of a journal's are passed over", () => {
  const head = { keeper: process.pid, start, boot_id: bootId() };
  const lines = [head, null, 5, "text", [], { begun: null }, { begun: { uid: "half" } }, { begun: noteOf("a") }];
  const text = lines.map((line) => JSON.stringify(line)).join("\n");
  writeFileSync(join(run, "living.1"), `${text}\n{"begun":{"uid":"cut o`);
  expect(readJournals(root, run).survivors).toEqual([noteOf("a")]);
});

test("a file among the run directories, and a journal that cannot be read, stay and stop nothing", () => {
  const old = new Date(Date.now() - 7_200_000);
  for (const file of ["a file", "an old file"]) writeFileSync(join(root, file), "");
  utimesSync(join(root, "an old file"), old, old);
  mkdirSync(join(root, "old and empty"));
  utimesSync(join(root, "old and empty"), old, old);
  mkdirSync(join(run, "living.7"));
  expect(readJournals(root, run).survivors).toEqual([]);
  expect(readdirSync(run)).toEqual(["living.7"]);
  expect(readdirSync(root).filter((one) => one.includes("a file"))).toEqual(["a file"]);
  expect(readdirSync(root).filter((one) => one.includes("old"))).toEqual(["an old file"]);
});
