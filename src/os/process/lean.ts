// A process that stays for long gives memory back when it has calmed down: garbage that its start or a burst of work
// has left, and the pages of the program that only those needed. The runtime does the first by itself after half a
// minute, and the second never.

import { readlinkSync } from "node:fs";
import { unmapPages } from "../libc";
import { kernelText } from "../proc";

const LOOK_MS = 3_000;
/** A process that has used less of a processor than this since the last look is calm. */
const CALM_CPU_MS = 150;
/** So much work leaves something to give back. */
const WORK_CPU_MS = 250;
/** Giving back holds the process up, and costs a twentieth of the work since the last time at most. */
const SHARE = 20;

/**
 * Returns a function that is to be called every LOOK_MS: it gives back when the process has worked and is calm. `cpuMs`
 * returns how much of a processor the process has used.
 */
export function calmed(cpuMs: () => number, giveBack: () => void): () => void {
  let [used, due] = [cpuMs(), 0];
  return () => {
    const before = used;
    used = cpuMs();
    if (used - before > CALM_CPU_MS || used < due) return;
    giveBack();
    const after = cpuMs();
    due = after + Math.max(WORK_CPU_MS, SHARE * (after - used));
    used = after;
  };
}

/** Has this process give memory back after each time of work, until the returned function is called. */
export function stayLean(): () => void {
  const look = calmed(cpuMs, giveBack);
  const looking = setInterval(look, LOOK_MS);
  looking.unref();
  return () => clearInterval(looking);
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

function giveBack(): void {
  Bun.gc(true);
  if (process.platform !== "linux") return;
  for (const [begin, end] of unchangedPages(kernelText("/proc/self/maps") ?? "", readlinkSync("/proc/self/exe")))
    unmapPages(begin, end);
}

/**
 * Returns where the code and the constants of a program are mapped: those parts of its file that cannot have been
 * changed in memory. The rest of it has pages that only this process knows.
 */
export function unchangedPages(maps: string, program: string): (readonly [begin: number, end: number])[] {
  return maps.split("\n").flatMap((line) => {
    if (!line.endsWith(` ${program}`)) return [];
    const [, begin = "", end = "", mode, offset] = /^([0-9a-f]+)-([0-9a-f]+) (\S+) ([0-9a-f]+) /.exec(line) ?? [];
    const isUnchanged = mode === "r-xp" || (mode === "r--p" && Number(`0x${offset}`) === 0);
    return isUnchanged ? [[Number(`0x${begin}`), Number(`0x${end}`)] as const] : [];
  });
}
