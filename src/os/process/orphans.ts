// Orphans: processes that were handed to this one when their parent died, because it is the first process of a
// container, or asked for them. They are found, and collected once they are dead, and no exit code of this process's
// own children is taken by that.

import { readdirSync } from "node:fs";
import { adoptOrphans, collect } from "../libc";
import { kernelText, statOf, type FoundProcess } from "../proc";
import { isOwn } from "./own";

/** Has the system hand the orphans among this process's descendants to it. Returns why that failed, or null. */
export const takeOrphans = (): string | null => adoptOrphans();

/** Returns the children of some threads of a process; null where the kernel does not list them. */
function childrenOf(pid: number, threads: readonly string[]): number[] | null {
  const lists = threads.map((thread) => kernelText(`/proc/${pid}/task/${thread}/children`));
  if (lists.every((list) => list === null)) return null;
  return lists.flatMap((list) => (list ?? "").split(" ").filter((one) => one !== "")).map(Number);
}

/** Returns the threads of a process; none if it is gone. */
function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return [];
  }
}

/** Returns the children of this process without a list of the kernel's, from all processes. */
function searchedChildren(): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && statOf(pid)?.parent === process.pid);
}

/**
 * Returns the orphans that this process has now. The dead ones among them are collected. The kernel hands orphans to
 * the first thread.
 */
export function orphans(): FoundProcess[] {
  if (process.platform !== "linux") return [];
  return (childrenOf(process.pid, [String(process.pid)]) ?? searchedChildren()).flatMap((pid) => {
    if (isOwn(pid)) return [];
    const stat = statOf(pid);
    if (stat === null) return [];
    if (stat.state !== "Z") return [{ pid, start: stat.start }];
    collect(pid);
    return [];
  });
}

/** Returns a process and all that descend from it, as far as the kernel lists children. */
export function familyOf(root: FoundProcess): FoundProcess[] {
  const found: FoundProcess[] = [root];
  for (const one of found) {
    for (const pid of childrenOf(one.pid, threadsOf(one.pid)) ?? []) {
      const start = statOf(pid)?.start;
      if (start !== undefined) found.push({ pid, start });
    }
  }
  return found;
}

const COLLECT_EVERY_MS = 1_000;

/** Collects dead orphans from now on. Returns how to stop that. */
export function collectOrphans(): () => void {
  const timer = setInterval(orphans, COLLECT_EVERY_MS);
  return () => clearInterval(timer);
}

/** Returns whether this process is the first one of its container, to which all orphans there are handed. */
export const isFirstProcess = (): boolean => process.pid === 1;
