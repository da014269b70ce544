// The kernel's log, and files that stand in for it: what was added is read once, whatever becomes of the file.

import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { appendFileSync, existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bootMs } from "../../src/os/clock";
import { openKernelLog } from "../../src/os/kernel-log";

const dir = mkdtempSync(join(tmpdir(), "orch-kmsg-"));
afterAll(() => rmSync(dir, { recursive: true }));

let n = 0;
let path: string;
beforeEach(() => {
  path = join(dir, `log-${n++}`);
  writeFileSync(path, "");
});
const add = (text: string): void => appendFileSync(path, text);

describe("a file that grows", () => {
  const texts = (log: ReturnType<typeof openKernelLog>): string[] => log.read().map(({ text }) => text);

  test("is read from its beginning, line by whole line", () => {
    add("one\ntwo\nthr");
    const log = openKernelLog(path, null);
    expect(texts(log)).toEqual(["one", "two"]);
    expect(texts(log)).toEqual([]);
    add("ee\n");
    expect(texts(log)).toEqual(["three"]);
  });

  test("is read on from where another reader was", () => {
    add("one\n");
    const first = openKernelLog(path, null);
    first.read();
    first.close();
    add("two\n");
    expect(texts(openKernelLog(path, first.place()))).toEqual(["two"]);
  });

  test("is read anew when it was cut or replaced", () => {
    add("one\ntwo\n");
    const log = openKernelLog(path, null);
    log.read();
    writeFileSync(path, "1\n");
    expect(texts(log)).toEqual(["1"]);
    renameSync(path, `${path}.old`);
    writeFileSync(path, "other, and longer\n");
    expect(texts(log)).toEqual(["other, and longer"]);
  });

  test("is waited for, with the reason, while it is not there", () => {
    rmSync(path);
    const log = openKernelLog(path, null);
    expect(log.read()).toEqual([]);
    expect(log.problem()).toContain("ENOENT");
    add("one\n");
    expect(texts(log)).toEqual(["one"]);
    expect(log.problem()).toBeNull();
  });

  test("tells the age of a line by the kernel's own time, in whichever form", () => {
    const seconds = (bootMs() - 5_000) / 1_000;
    add(`6,12,${Math.round(seconds * 1e6)},-;first\n[ ${seconds.toFixed(6)}] second\n`);
    add(`box kernel: [ ${seconds}] third\nfourth\n`);
    const lines = openKernelLog(path, null).read();
    expect(lines[0]?.text).toBe("first");
    for (const { age_ms } of lines.slice(0, 3)) expect(Math.abs(age_ms! - 5_000)).toBeLessThan(2_000);
    expect(lines[3]).toEqual({ text: "fourth", age_ms: null });
  });
});

const device = "/dev/kmsg";
const probe = openKernelLog(device, null);
const first = probe.read();
const why = !existsSync(device) ? "there is none" : probe.problem();
test.if(why === null)(`the kernel's own log is read without waiting${why === null ? "" : ` (skipped: ${why})`}`, () => {
  expect(first.length).toBeGreaterThan(0);
  expect(first.every(({ age_ms }) => age_ms !== null && age_ms >= 0)).toBe(true);
  const again = openKernelLog(device, probe.place());
  expect(again.read().length).toBeLessThan(first.length);
  probe.close();
  again.close();
});
