// Files that are replaced: whole whatever happens, and as lasting as was asked for.

import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { tmpdir } from "node:os";
import { replaceFile, replaceFileNow } from "../../../src/os/files/durable";

let dir = "";
let file = "";
beforeEach(() => {
  dir = fs.mkdtempSync(join(tmpdir(), "orch-durable-"));
  file = join(dir, "file");
});
afterEach(() => fs.rmSync(dir, { recursive: true }));

/** What was synced while `work` ran, as names of files. */
async function syncedBy(work: () => void | Promise<void>): Promise<string[]> {
  const paths: string[] = [];
  const note = (fd: number): void => void paths.push(fs.readlinkSync(`/proc/self/fd/${fd}`));
  const real = { fsync: fs.fsync, fdatasync: fs.fdatasync, fsyncSync: fs.fsyncSync };
  const spies = [
    ...(["fsync", "fdatasync"] as const).map((name) =>
      spyOn(fs, name).mockImplementation(((fd: number, done: fs.NoParamCallback) => {
        note(fd);
        real[name](fd, done);
      }) as typeof fs.fsync),
    ),
    spyOn(fs, "fsyncSync").mockImplementation((fd) => {
      note(fd);
      real.fsyncSync(fd);
    }),
  ];
  try {
    await work();
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return paths.map((path) => (path === dir ? "its directory" : path.startsWith(`${file}.`) ? "the new file" : path));
}

const BOTH = ["the new file", "its directory"];

test("a durable file is synced, and then the directory that holds its name", async () => {
  expect(await syncedBy(() => replaceFile(file, "a"))).toEqual(BOTH);
  expect(await syncedBy(() => replaceFileNow(file, "b", "durable"))).toEqual(BOTH);
  expect(fs.readFileSync(file, "utf8")).toBe("b");
});

test("a file that only has to be whole waits for no disk", async () => {
  expect(await syncedBy(() => replaceFileNow(file, "a", "whole"))).toEqual([]);
  expect(fs.readFileSync(file, "utf8")).toBe("a");
});

test("a file has its mode, whatever it had before, and nothing is left beside it", async () => {
  fs.writeFileSync(file, "old", { mode: 0o666 });
  await replaceFile(file, "new");
  expect(fs.statSync(file).mode & 0o777).toBe(0o600);
  replaceFileNow(file, "program", "durable", 0o755);
  expect(fs.statSync(file).mode & 0o777).toBe(0o755);
  expect(fs.readdirSync(dir)).toEqual(["file"]);
});

test("writings at the same time do not mix", async () => {
  const texts = Array.from({ length: 20 }, (_, n) => `${n}`.repeat(10_000));
  await Promise.all(texts.map((text) => replaceFile(file, text)));
  expect(texts).toContain(fs.readFileSync(file, "utf8"));
  expect(fs.readdirSync(dir)).toEqual(["file"]);
});

test("what cannot be replaced stays as it was", async () => {
  fs.mkdirSync(file);
  expect(await replaceFile(file, "new").then(() => "replaced", String)).toContain("EISDIR");
  expect(() => replaceFileNow(file, "new", "whole")).toThrow("EISDIR");
  expect(fs.readdirSync(dir)).toEqual(["file"]);
});
