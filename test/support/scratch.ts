// Temporary directories of tests. They go at the end, also of a test that failed, with whatever was mounted in them.

import { onTestFinished } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Makes a directory that is removed when the test is over, after its hooks. It is for tests and `beforeEach`. In
 * `beforeAll` nothing tells when the last test is over: there it is `makeScratch`, and `removeScratch` in `afterAll`.
 */
export function scratchDir(name: string): string {
  const dir = makeScratch(name);
  onTestFinished(() => removeScratch(dir));
  return dir;
}

export const makeScratch = (name: string): string => mkdtempSync(join(tmpdir(), `orch-${name}-`));

/** Unmounts what is mounted in a directory, and removes it. What still uses a mount goes on with it. */
export function removeScratch(dir: string): void {
  // The newest mount is the last, and may be inside of an earlier one.
  for (const point of mountedIn(dir).toReversed()) Bun.spawnSync(["umount", "--lazy", point]);
  rmSync(dir, { recursive: true, force: true });
}

function mountedIn(dir: string): string[] {
  if (process.platform !== "linux") return [];
  const points = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => (line.split(" ")[1] ?? "").replaceAll("\\040", " "));
  return points.filter((point) => point === dir || point.startsWith(`${dir}/`));
}
