// A file whose presence says something is not left behind by a disk that did not take its text.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSlowly } from "../../../src/os/files/disk";
import { closeFile, createHeld, LeftEmpty } from "../../../src/os/files/files";

const isRoot = process.getuid?.() === 0;

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "orch-full-"));
  if (isRoot) Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", dir]);
});
afterEach(() => {
  if (isRoot) Bun.spawnSync(["umount", dir]);
  rmSync(dir, { recursive: true });
});

/** Fills the disk, so that names can still be made, and no text. */
function fill(): string {
  const ballast = join(dir, "ballast");
  expect(() => writeFileSync(ballast, Buffer.alloc(128 * 1024))).toThrow("ENOSPC");
  return ballast;
}

describe.if(isRoot)(`on a full disk (root only; this is ${isRoot ? "root" : "not root"})`, () => {
  test("a claim that is made by the agent is not there, and is made when there is room", async () => {
    const ballast = fill();
    const file = join(dir, "claim");
    expect(await createSlowly(file, "stop\n").catch((error: NodeJS.ErrnoException) => error.code)).toBe("ENOSPC");
    expect(existsSync(file)).toBe(false);
    rmSync(ballast);
    expect(await createSlowly(file, "stop\n")).toBe("created");
    expect(readFileSync(file, "utf8")).toBe("stop\n");
  });

  test("a claim that is made by a keeper is not there, and is made when there is room", async () => {
    const ballast = fill();
    const file = join(dir, "claim");
    expect(await createHeld(file, "claim\n").catch((error: NodeJS.ErrnoException) => error.code)).toBe("ENOSPC");
    expect(existsSync(file)).toBe(false);
    rmSync(ballast);
    const fd = await createHeld(file, "claim\n");
    expect(fd).not.toBeNull();
    closeFile(fd ?? 0);
  });

  test("a claim whose name cannot be removed either says so, with the first reason", async () => {
    const sub = join(dir, "sub");
    mkdirSync(sub);
    fill();
    // Names can be added to such a directory, and none removed.
    expect(Bun.spawnSync(["chattr", "+a", sub]).exitCode).toBe(0);
    try {
      for (const [at, make] of [createSlowly, createHeld].entries()) {
        const failed: unknown = await make(join(sub, `claim${at}`), "text\n").catch((error: unknown) => error);
        expect(failed).toBeInstanceOf(LeftEmpty);
        expect(failed).toMatchObject({ code: "ENOSPC", message: expect.stringContaining("stays without its text: E") });
      }
    } finally {
      expect(Bun.spawnSync(["chattr", "-a", sub]).exitCode).toBe(0);
    }
  });
});
