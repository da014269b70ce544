// When a process gives memory back, and that what it gives back is nothing that it still needs.

import { describe, expect, test } from "bun:test";
import { readFileSync, readlinkSync } from "node:fs";
import { unmapPages } from "../../../src/os/libc";
import { calmed, unchangedPages } from "../../../src/os/process/lean";

/** A process that uses so much of a processor from look to look. Returns at which looks it gave back. */
function givenAt(looks: readonly number[], cost_ms = 1): number[] {
  const given: number[] = [];
  let [cpu, at] = [0, 0];
  const giveBack = (): void => {
    given.push(at);
    cpu += cost_ms;
  };
  const look = calmed(() => cpu, giveBack);
  for (const used of looks) {
    at += 1;
    cpu += used;
    look();
  }
  return given;
}

describe("a process that stays", () => {
  test("gives back when its start is over, and not again without work", () => {
    expect(givenAt([700, 400, 10, 1, 1, 1, 1, 1, 1])).toEqual([3]);
  });

  test("gives back once after a burst, when it has calmed down", () => {
    expect(givenAt([1, 1, 1, 900, 900, 160, 20, 5, 5])).toEqual([1, 7]);
  });

  test("gives back now and then when small work has added up", () => {
    expect(givenAt(Array.from({ length: 12 }, () => 50))).toEqual([1, 6, 11]);
  });

  test("gives back less often where that costs more", () => {
    const bursts = [1, 900, 1, 900, 1, 900, 1, 900, 1];
    expect(givenAt(bursts, 40)).toEqual([1, 3, 5, 7, 9]);
    expect(givenAt(bursts, 80)).toEqual([1, 5, 9]);
  });
});

describe("the pages of a program that are given back", () => {
  const maps = [
    "00200000-01a39000 r--p 00000000 fe:00 10029314                           /opt/orch",
    "01a40000-0684a000 r-xp 01838000 fe:00 10029314                           /opt/orch",
    "0684a000-0685f000 rw-p 06641000 fe:00 10029314                           /opt/orch",
    "0685f000-06867000 r--p 06656000 fe:00 10029314                           /opt/orch",
    "7f9c1d07d000-7f9c5d07d000 rwxp 00000000 00:00 0 ",
    "7f9c6d07d000-7f9c6d0fd000 r-xp 00000000 fe:00 77                         /lib/other/orch",
  ].join("\n");

  test("are its code and its constants, never what was changed in memory", () => {
    expect(unchangedPages(maps, "/opt/orch")).toEqual([
      [0x200000, 0x1a39000],
      [0x1a40000, 0x684a000],
    ]);
    expect(unchangedPages("", "/opt/orch")).toEqual([]);
  });

  test.if(process.platform === "linux")("are gone from memory, and the program goes on", () => {
    const program = readlinkSync("/proc/self/exe");
    const parts = unchangedPages(readFileSync("/proc/self/maps", "utf8"), program);
    const before = residentOf(program);
    expect(parts.map(([begin, end]) => unmapPages(begin, end))).toEqual([null, null]);
    const after = residentOf(program);
    expect(before.kb - after.kb).toBeGreaterThan(4_096);
    expect(after.changed_kb).toBe(before.changed_kb);
  });
});

/** What of a program's file is in this process's memory, and how much of it was changed there. */
function residentOf(program: string): { kb: number; changed_kb: number } {
  const parts = readFileSync("/proc/self/smaps", "utf8").split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const own = parts.filter((part) => part.split("\n")[0]?.endsWith(` ${program}`));
  const sum = (name: string): number =>
    own.reduce((all, part) => all + Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(part)?.[1] ?? 0), 0);
  return { kb: sum("Rss"), changed_kb: sum("Anonymous") };
}
