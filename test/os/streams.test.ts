// Writing to a standard stream at once: a file takes all, a pipe what it has room for, and nothing waits for a reader.

import { closeSync, constants, openSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { scratchDir } from "../support/scratch";

const STREAMS = join(import.meta.dir, "../../src/os/streams.ts");
const COUNT = 1_000_000;

/** Runs a program that writes COUNT bytes to its standard output at once. Returns how many it says are left. */
async function left(stdout: number): Promise<string> {
  const program = `
    const { writeNow } = await import(${JSON.stringify(STREAMS)});
    const write = writeNow(1);
    console.error(write === null ? "none" : write(new Uint8Array(${COUNT})).length);`;
  const child = Bun.spawn([process.execPath, "-e", program], { stdin: "ignore", stdout, stderr: "pipe" });
  return (await new Response(child.stderr).text()).trim();
}

test("a file takes all at once", async () => {
  const file = join(scratchDir("streams"), "out");
  const fd = openSync(file, "w");
  expect(await left(fd)).toBe("0");
  closeSync(fd);
  expect(Bun.file(file).size).toBe(COUNT);
});

test("a pipe that nobody reads takes what it has room for, and its writer does not wait", async () => {
  const pipe = join(scratchDir("streams"), "pipe");
  Bun.spawnSync(["mkfifo", pipe]);
  const fd = openSync(pipe, constants.O_RDWR);
  const rest = Number(await left(fd));
  closeSync(fd);
  expect(rest).toBeGreaterThan(0);
  expect(rest).toBeLessThan(COUNT);
});

test("a device is left to the runtime", async () => {
  const fd = openSync("/dev/null", "w");
  expect(await left(fd)).toBe("none");
  closeSync(fd);
});
