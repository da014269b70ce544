// Facts about processes from /proc: which ones run, since when, in which session. A process is identified by (boot id,
// pid, start time).

import { readFileSync, writeFileSync } from "node:fs";
import { uptime } from "node:os";
import { messageOf } from "./errors";

export interface ProcessStat {
  /** One letter. Z and X mean dead, and not collected yet. */
  readonly state: string;
  readonly parent: number;
  readonly session: number;
  /** Clock ticks since boot, as a text. Together with the pid it identifies one process of this boot. */
  readonly start: string;
}

/**
 * Errors of a file that is gone or not shown. A control group that goes while it is read gives ENODEV, and one of
 * threads, whose processes its parent lists, gives EOPNOTSUPP.
 */
const HIDDEN = new Set(["ENOENT", "ESRCH", "EACCES", "EPERM", "ENOTDIR", "EINVAL", "ENODEV", "EOPNOTSUPP", "ENOTSUP"]);

/** Returns the text of a file, or null if it is gone by now or may not be read. */
function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== undefined && HIDDEN.has(code)) return null;
    throw error;
  }
}

export function statOf(pid: number): ProcessStat | null {
  if (process.platform !== "linux") return answersOf(pid);
  const text = readOrNull(`/proc/${pid}/stat`);
  if (text === null) return null;
  // The name in parentheses may contain anything, so fields are counted from its end.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return {
    state: fields[0] ?? "X",
    parent: Number(fields[1]),
    session: Number(fields[3]),
    start: fields[19] ?? "",
  };
}

/** Without /proc, the only known fact about a process is whether it exists. */
function answersOf(pid: number): ProcessStat | null {
  const there = { state: "S", parent: 0, session: pid, start: "0" };
  try {
    process.kill(pid, 0);
    return there;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM" ? there : null;
  }
}

/** Returns whether a process in this state is more than a dead one that is not collected yet. */
export const isLiving = (state: string): boolean => state !== "Z" && state !== "X";

/** Returns whether this process still runs. A dead process that is not collected yet does not. */
export function isAlive(pid: number, start: string): boolean {
  const stat = statOf(pid);
  return stat !== null && stat.start === start && isLiving(stat.state);
}

/** The kernel counts start times in hundredths of a second, on every architecture that it shows to programs. */
const TICKS_A_SECOND = 100;
const PAGE_BYTES = 4_096;

/** Returns when a process with this start time began, in Unix milliseconds, to the second; 0 where it is unknown. */
export function startedMs(start: string): number {
  const booted_s = Number(/^btime (\d+)$/m.exec(readOrNull("/proc/stat") ?? "")?.[1] ?? "0");
  return booted_s === 0 ? 0 : (booted_s + Math.round(Number(start) / TICKS_A_SECOND)) * 1_000;
}

/** Returns the memory that a process has in use, or 0 if it is gone. */
export const residentBytes = (pid: number): number =>
  Number((readOrNull(`/proc/${pid}/statm`) ?? "").split(" ")[1] ?? 0) * PAGE_BYTES;

let boot: string | null = null;

/** Returns an id that differs after every boot of this machine. */
export function bootId(): string {
  boot ??=
    readOrNull("/proc/sys/kernel/random/boot_id")?.trim() ??
    `booted-${Math.round((Date.now() / 1000 - uptime()) / 60)}`;
  return boot;
}

/** Returns the trimmed text of a file in /proc or /sys, or null if it is missing or may not be read. */
export const kernelText = (path: string): string | null => readOrNull(path)?.trim() ?? null;

export interface FoundProcess {
  readonly pid: number;
  readonly start: string;
}

/** Returns the environment that a process began with, as `NAME=value`; nothing if it is gone or may not be read. */
export const beganWith = (pid: number): string[] =>
  (readOrNull(`/proc/${pid}/environ`) ?? "").split("\0").filter((entry) => entry !== "");

/**
 * Sets how early a process is killed when memory runs out: -1000 (never) to 1000 (first). Returns why it failed, or
 * null.
 */
export function adjustOom(pid: number | "self", score: number): string | null {
  if (process.platform !== "linux") return "only on Linux";
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(score));
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

/** Returns the numbers of the processors that this process may run on; none where the system does not report them. */
export function allowedCpus(): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readOrNull("/proc/self/status") ?? "")?.[1] ?? "";
  return list.split(",").flatMap((range) => {
    const [first = "", last = first] = range.split("-");
    if (first === "") return [];
    return Array.from({ length: Number(last) - Number(first) + 1 }, (_, n) => Number(first) + n);
  });
}
