// Directories of this account alone: what belongs to others, lies where others could replace it, or is reached by a
// link of theirs is refused, with real accounts.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { copyDurably, replaceFileNow } from "../../../src/os/files/durable";
import { takeLock } from "../../../src/os/files/lock";
import { closeOwnFile, takeOwnDir } from "../../../src/os/files/own-dir";

const root = process.getuid?.() === 0;
const MALLORY = 64_666;

let base: string;
let dir: string;
let n = 0;
beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), "orch-own-"));
  chmodSync(base, 0o755);
});
beforeEach(() => {
  dir = join(base, String(n++));
  mkdirSync(dir);
});
afterAll(() => rmSync(base, { recursive: true }));

const modeOf = (path: string): number => statSync(path).mode & 0o777;

describe("a directory of one's own", () => {
  test("is made, with those above it, for its owner alone", () => {
    const path = join(dir, "a", "b");
    expect(takeOwnDir(path)).toEqual({ is: "taken", dir: path, notices: [] });
    expect([modeOf(path), modeOf(join(dir, "a"))]).toEqual([0o700, 0o700]);
  });
  test("that was open to others is closed, and said", () => {
    const path = join(dir, "open");
    mkdirSync(path);
    chmodSync(path, 0o777);
    expect(takeOwnDir(path)).toMatchObject({ notices: [`${path} was open to other users; it is closed now`] });
    expect(modeOf(path)).toBe(0o700);
  });
  test("is found through a link of one's own", () => {
    mkdirSync(join(dir, "real"));
    symlinkSync("real", join(dir, "link"));
    expect(takeOwnDir(join(dir, "link"))).toMatchObject({ is: "taken", dir: join(dir, "real") });
  });
  test("is none where links go round, or where a file stands", () => {
    symlinkSync(join(dir, "round"), join(dir, "round"));
    expect(takeOwnDir(join(dir, "round"))).toMatchObject({ is: "refused" });
    writeFileSync(join(dir, "file"), "");
    expect(takeOwnDir(join(dir, "file", "x"))).toMatchObject({ why: `${join(dir, "file")} is not a directory` });
  });
  test("is refused below a directory that everybody may write to, unless names there are their owners' own", () => {
    const all = join(dir, "all");
    mkdirSync(all);
    chmodSync(all, 0o777);
    expect(takeOwnDir(join(all, "data"))).toMatchObject({ is: "refused", mend: `chmod o-w ${all}` });
    expect(existsSync(join(all, "data"))).toBe(false);
    chmodSync(all, 0o1777);
    expect(takeOwnDir(join(all, "data"))).toMatchObject({ is: "taken" });
  });
});

describe.if(root)(`other accounts (root only; this is ${root ? "root" : "not root"})`, () => {
  test("own no directory of ours, and the command that mends it is said", () => {
    const path = join(dir, "theirs");
    mkdirSync(path);
    chownSync(path, MALLORY, MALLORY);
    expect(takeOwnDir(path)).toEqual({
      is: "refused",
      why: `${path} belongs to another account (uid ${MALLORY})`,
      mend: `run it as that account, or give it to this one: chown -R 0 ${path}`,
    });
    expect(takeOwnDir(join(path, "below"))).toMatchObject({ is: "refused" });
    expect(existsSync(join(path, "below"))).toBe(false);
  });
  test("plant no link to a directory of ours, which would be closed or filled", () => {
    const open = join(dir, "tmp");
    mkdirSync(open);
    chmodSync(open, 0o1777);
    const target = join(dir, "etc");
    mkdirSync(target, { mode: 0o755 });
    // The link is made by the other account itself, as in a directory for all.
    const made = Bun.spawnSync([
      "setpriv",
      `--reuid=${MALLORY}`,
      `--regid=${MALLORY}`,
      "--clear-groups",
      "ln",
      "-s",
      target,
      join(open, "orch"),
    ]);
    expect(made.exitCode).toBe(0);
    expect(takeOwnDir(join(open, "orch"))).toMatchObject({
      is: "refused",
      why: expect.stringContaining("is a link of another account"),
    });
    expect(takeOwnDir(join(open, "orch", "server"))).toMatchObject({ is: "refused" });
    expect([modeOf(target), readdirSync(target)]).toEqual([0o755, []]);
  });
});

describe("what was planted where a file is written", () => {
  test("is replaced if it has the file's name: a link's target stays as it is", () => {
    const victim = join(dir, "victim");
    writeFileSync(victim, "old");
    symlinkSync(victim, join(dir, "note"));
    replaceFileNow(join(dir, "note"), "new", "whole");
    expect([Bun.file(victim).size, lstatSync(join(dir, "note")).isFile()]).toEqual([3, true]);
    symlinkSync(victim, join(dir, "copy"));
    copyDurably(join(dir, "note"), join(dir, "copy"));
    expect(lstatSync(join(dir, "copy")).isFile()).toBe(true);
    expect(lstatSync(victim).size).toBe(3);
  });
  test("is not followed by the lock of a directory", () => {
    const victim = join(dir, "victim");
    symlinkSync(victim, join(dir, "lock"));
    expect(() => takeLock(join(dir, "lock"))).toThrow();
    expect(existsSync(victim)).toBe(false);
  });
  test("cannot take the name beforehand under which the new text is written", () => {
    const names = new Set<string>();
    for (let i = 0; i < 20; i++) {
      mkdirSync(join(dir, `at${i}`));
      // The rename fails on a directory, so the name aside is in the error.
      try {
        replaceFileNow(join(dir, `at${i}`), "x", "whole");
      } catch (error) {
        names.add(/at\d+\.([0-9a-f]{16})\.new/.exec(String(error))?.[1] ?? "");
      }
    }
    expect([names.size, names.has("")]).toEqual([20, false]);
    expect(readdirSync(dir).filter((name) => name.endsWith(".new"))).toEqual([]);
  });
});

test("a file of one's own is closed to others; links, and what is closed, stay", () => {
  const file = join(dir, "token");
  writeFileSync(file, "x");
  chmodSync(file, 0o644);
  symlinkSync(file, join(dir, "link"));
  expect([closeOwnFile(join(dir, "link")), closeOwnFile(file), closeOwnFile(file), modeOf(file)]).toEqual([
    false,
    true,
    false,
    0o600,
  ]);
});
