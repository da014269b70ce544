// The last output of an ended task is a part of the report of its end, which comes whether that output can be read or
// not.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTails } from "../../../src/agent/tasks/tails";

const UID = "f".repeat(32);
const isRoot = process.getuid?.() === 0;

let tasks: string;
beforeEach(() => {
  tasks = mkdtempSync(join(tmpdir(), "orch-tails-"));
  mkdirSync(join(tasks, UID));
  for (const name of ["stdout", "stderr"]) writeFileSync(join(tasks, UID, name), `last words on ${name}\n`);
});
afterEach(() => rmSync(tasks, { recursive: true }));

test.if(isRoot)(`a bad sector in it is said in its place (root only; this is ${isRoot ? "root" : "not root"})`, () => {
  const file = join(tasks, UID, "stdout");
  // A process's memory at address 0 gives the error of a bad sector, EIO, to whoever reads there.
  expect(Bun.spawnSync(["mount", "--bind", `/proc/${process.pid}/mem`, file]).exitCode).toBe(0);
  try {
    const { stdout, stderr } = createTails((uid) => join(tasks, uid)).of(UID);
    expect(stdout).toMatch(/^\[this output cannot be read: EIO/);
    expect(stderr).toBe("last words on stderr\n");
  } finally {
    expect(Bun.spawnSync(["umount", file]).exitCode).toBe(0);
  }
});

test("it is read once, until it is forgotten", () => {
  const tails = createTails((uid) => join(tasks, uid));
  expect(tails.of(UID).stdout).toBe("last words on stdout\n");
  writeFileSync(join(tasks, UID, "stdout"), "later words\n");
  expect(tails.of(UID).stdout).toBe("last words on stdout\n");
  tails.forget(UID);
  expect(tails.of(UID).stdout).toBe("later words\n");
});
