// The control group of one task, from its making to its removal: who is in it, what they used, and how all are ended.

import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { DeviceNumber } from "../device-deny";
import { kernelText } from "../proc";
import { keepDevices } from "./devices";
import { below, tryRemove, tryWrite } from "./dirs";
import { basesOf, groupOf, type Cgroups, type Group } from "./hierarchy";
import { limitV1, limitV2, type GroupLimits } from "./limits";

/** Makes the group of one task. Throws when a limit that was asked for cannot be set. */
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

/** Puts a process into the directories of a group that it did not join before executing. */
export function joinRest(group: Group, pid: number): void {
  // A process that is gone by now needs no group.
  for (const dir of group.slice(1)) tryWrite(join(dir, "cgroup.procs"), String(pid));
}

function pidsIn(dir: string): number[] {
  const text = kernelText(join(dir, "cgroup.procs"));
  return text === null || text === "" ? [] : text.split("\n").map(Number);
}

/** Processes that are in the group now. */
export function membersOf(group: Group): number[] {
  const dir = group[0];
  return dir === undefined ? [] : pidsIn(dir);
}

/** Sends SIGKILL to everything in the group, and gives back how many there were. Repeat until there are none. */
export function killGroup(group: Group): number {
  const dir = group[0];
  if (dir === undefined) return 0;
  const pids = below(dir).flatMap(pidsIn);
  if (pids.length === 0 || tryWrite(join(dir, "cgroup.kill"), "1") === null) return pids.length;
  // No more forks, so that a task that multiplies is outrun.
  for (const one of group) if (existsSync(join(one, "pids.max"))) tryWrite(join(one, "pids.max"), "1");
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
  return pids.length;
}

export interface MemoryFacts {
  readonly peak_bytes: number | null;
  /** Processes of the group that the kernel killed for want of memory. */
  readonly oom_kills: number;
}

/** What the group used at most, and whether it was killed for it; read before the group is removed. */
export function memoryFacts(group: Group): MemoryFacts {
  const dir = group[0];
  if (dir === undefined) return { peak_bytes: null, oom_kills: 0 };
  const v1 = kernelText(join(dir, "memory.max_usage_in_bytes"));
  const peak = v1 ?? kernelText(join(dir, "memory.peak"));
  const events = kernelText(join(dir, v1 === null ? "memory.events" : "memory.oom_control")) ?? "";
  const kills = /^oom_kill (\d+)$/m.exec(events)?.[1] ?? "0";
  return { peak_bytes: peak === null ? null : Number(peak), oom_kills: Number(kills) };
}

/** Removes an empty group; `false` while something still keeps it. */
export function removeGroup(group: Group): boolean {
  const removed = group.map((dir) => tryRemove(dir) || below(dir).map(tryRemove).at(-1) === true);
  return removed.every(Boolean);
}
