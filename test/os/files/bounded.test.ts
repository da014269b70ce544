// What has no end is not read to its end: pipes without a writer, devices, sparse files, and tools that print for ever.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { createReadStream, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readJson, readText } from "../../../src/os/files/files";
import { bytesUpTo, readText as readNamed } from "../../../src/os/files/private-files";
import { startCommand } from "../../../src/os/process/spawn";

let dir = "";
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "orch-bounded-"));
  writeFileSync(join(dir, "small"), "whole");
  writeFileSync(join(dir, "sparse"), "");
  truncateSync(join(dir, "sparse"), 5 * 1024 ** 3);
  Bun.spawnSync(["mkfifo", join(dir, "pipe")]);
});
afterAll(() => rmSync(dir, { recursive: true }));

test("a small file is read as a whole, also one of the kernel's that has no size", () => {
  expect(readText(join(dir, "small"))).toEqual({ is: "there", text: "whole" });
  expect(readText("/proc/self/status")).toMatchObject({ is: "there", text: expect.stringContaining("Name:") });
  expect(readText(join(dir, "none"))).toEqual({ is: "missing" });
});

test.each(["pipe", "sparse", "/dev/zero", "."])("%s is not read, and nothing waits for it", (name) => {
  const path = name.startsWith("/") ? name : join(dir, name);
  expect(readText(path).is).toBe("failed");
  expect(readJson(path).is).toBe("failed");
});

test.each(["sparse", "/dev/zero"])("%s on the command line is too large", async (name) => {
  const path = name.startsWith("/") ? name : join(dir, name);
  expect(await readNamed(path)).toEqual({ is: "unreadable", why: "is larger than 8 MiB" });
});

test("a stream without end is left after its bound", async () => {
  expect(await bytesUpTo(createReadStream("/dev/zero") as AsyncIterable<Uint8Array>, 1_000_000)).toBeNull();
});

test("a tool that prints for ever is ended, and keeps no memory", async () => {
  const before = process.memoryUsage.rss();
  const command = startCommand(["/bin/sh", "-c", "exec yes 0123456789012345678901234567890123456789"], 60_000);
  const result = await command.result;
  expect(result).toEqual({ is: "failed", why: expect.stringContaining("printed more than") });
  expect(process.memoryUsage.rss() - before).toBeLessThan(256 * 1024 * 1024);
});
