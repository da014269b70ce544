// The control group of one task, from its creation to its removal: its processes, their memory, and how all of them are
// ended.

import { existsSync, lstatSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DeviceNumber } from "../device-deny";
import { readAt } from "../files/files";
import { kernelText } from "../proc";
import { keepDevices } from "./devices";
import { below, tryRemove, tryWrite } from "./dirs";
import { basesOf, groupOf, type Cgroups, type Group } from "./hierarchy";
import { limitV1, limitV2, weighV1, weighV2, type GroupLimits } from "./limits";

/** Makes the group of one task. Throws when one of `limits` cannot be set. */
export function makeGroup(
  cgroups: Cgroups,
  name: string,
  limits: GroupLimits,
  denied: readonly DeviceNumber[] = [],
): Group {
  const group = groupOf(cgroups, name, denied.length > 0);
  basesOf(cgroups, false).forEach((base, i) => {
    const dir = join(base, name);
    mkdirSync(dir);
    if (cgroups.is === "v2") limitV2(dir, cgroups.controllers, limits);
    else if (cgroups.is === "v1") limitV1(dir, cgroups.bases[i]?.controller ?? "cpu", limits);
  });
  if (denied.length > 0) keepDevices(cgroups, name, denied);
  return group;
}

/**
 * Gives a group, as against others, the part of the processors that its limits say. On version 1 that may be too little
 * for the thread that is in it while it starts the first process. Returns why it failed, or null.
 */
export function weigh(cgroups: Cgroups, group: Group, limits: GroupLimits): string | null {
  if (cgroups.is === "none") return null;
  const at = cgroups.is === "v1" ? cgroups.bases.findIndex(({ controller }) => controller === "cpu") : 0;
  const dir = group[at];
  if (dir === undefined) return null;
  return cgroups.is === "v1" ? weighV1(dir, limits) : weighV2(dir, cgroups.controllers, limits);
}

/** Puts a process into directories of its group that it is not in yet. */
export function joinLate(dirs: Iterable<string>, pid: number): void {
  // An error means that the process has ended, and then it needs no group.
  for (const dir of dirs) tryWrite(join(dir, "cgroup.procs"), String(pid));
}

/**
 * Lets groups with limits of their own be made below the group of a task, by the name `TASK/…`. On version 2 the task's
 * own then has no processes.
 */
export function openGroup(cgroups: Cgroups, [dir]: Group): void {
  if (cgroups.is !== "v2" || dir === undefined) return;
  const all = cgroups.controllers.map((controller) => `+${controller}`).join(" ");
  if (all !== "") writeFileSync(join(dir, "cgroup.subtree_control"), all);
}

function pidsIn(dir: string): number[] {
  const text = kernelText(join(dir, "cgroup.procs"));
  // A process of another PID namespace is listed as 0, and a signal to 0 is one to this process's own group.
  return text === null || text === ""
    ? []
    : text
        .split("\n")
        .map(Number)
        .filter((pid) => pid > 0);
}

/** How many links a directory has that contains no other one. */
const LINKS_OF_A_LEAF = 2;

/** Returns whether a group is seen to be without processes, and without groups below it. */
export function isGroupEmpty([dir]: Group): boolean {
  if (dir === undefined) return false;
  const there = lstatSync(dir, { throwIfNoEntry: false });
  return there?.nlink === LINKS_OF_A_LEAF && kernelText(join(dir, "cgroup.procs")) === "";
}

/** Returns the processes that are in the group now, and in the groups that its task has made below it. */
export function membersOf(group: Group): number[] {
  const dir = group[0];
  return dir === undefined ? [] : below(dir).flatMap(pidsIn);
}

/**
 * Sends SIGKILL to all processes of the group and returns their number, at least 1 if they cannot be listed. The caller
 * repeats this until the number is 0. Whatever fails, the rest is still tried; it throws only if a process may not have
 * been reached.
 */
export function killGroup(group: Group): number {
  const dir = group[0];
  if (dir === undefined) return 0;
  const failures: unknown[] = [];
  const pids = below(dir).flatMap((one) => tryPart(() => pidsIn(one), failures) ?? []);
  // This also reaches what the list does not show.
  const isKilled = existsSync(join(dir, "cgroup.kill")) && tryWrite(join(dir, "cgroup.kill"), "1") === null;
  if (isKilled) return failures.length === 0 ? pids.length : Math.max(pids.length, 1);
  // Forbids further forks, so that a task cannot fork faster than its processes are killed.
  for (const one of pids.length === 0 ? [] : group)
    if (existsSync(join(one, "pids.max"))) tryWrite(join(one, "pids.max"), "1");
  for (const pid of pids) tryPart(() => killOne(pid), failures);
  if (failures.length > 0) throw failures[0];
  return pids.length;
}

/** Does a part of a whole. What it throws is added to `failures`, so that the other parts are done as well. */
function tryPart<T>(act: () => T, failures: unknown[]): T | null {
  try {
    return act();
  } catch (error) {
    failures.push(error);
    return null;
  }
}

function killOne(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

export interface MemoryFacts {
  readonly peak_bytes: number | null;
  /** The number of processes of the group that the kernel killed because memory ran out. */
  readonly oom_kills: number;
}

/**
 * Returns how much memory the group used at most, and how many of its processes were killed for it. Must be called
 * before the group is removed.
 */
export function memoryFacts(group: Group): MemoryFacts {
  const dir = group[0];
  if (dir === undefined) return { peak_bytes: null, oom_kills: 0 };
  const v1 = kernelText(join(dir, "memory.max_usage_in_bytes"));
  const peak = v1 ?? kernelText(join(dir, "memory.peak"));
  const events = kernelText(join(dir, v1 === null ? "memory.events" : "memory.oom_control")) ?? "";
  return { peak_bytes: peak === null ? null : Number(peak), oom_kills: killsIn(events) };
}

const killsIn = (events: string): number => Number(/^oom_kill (\d+)$/m.exec(events)?.[1] ?? "0");

/** Opens what counts the processes of a group that were killed because memory ran out; null if nothing does. */
export function openOomKills([dir]: Group): number | null {
  const path = ["memory.events", "memory.oom_control"].map((name) => join(dir ?? "/", name)).find(existsSync);
  return path === undefined ? null : openSync(path, "r");
}

/** More than the file has that counts them. */
const EVENTS_BYTES = 512;

export const oomKillsIn = (opened: number): number =>
  killsIn(new TextDecoder().decode(readAt(opened, 0, EVENTS_BYTES)));

/** Removes an empty group. Returns false while the kernel refuses to remove one of its directories. */
export function removeGroup(group: Group): boolean {
  const removed = group.map((dir) => tryRemove(dir) || below(dir).map(tryRemove).at(-1) === true);
  return removed.every(Boolean);
}
