// The limits of one group, in the terms of each version: cpu is a weight, memory and processes are upper bounds.

import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tryWrite } from "./dirs";
import type { Controller } from "./hierarchy";

export interface GroupLimits {
  readonly cpu_milli: number;
  /** Null means that memory is counted and not limited. */
  readonly memory_bytes: number | null;
  readonly pids: number;
  /** Whether the kernel kills all processes of the group when it kills one for memory. Version 1 cannot. */
  readonly oom_kills_all?: boolean;
}

/**
 * Version 1 counts cpu in shares, 1024 per core. Weights of version 2 follow the kernel's own conversion from shares.
 * For example, one core (1000 thousandths) is 1024 shares, or weight 39.
 */
const sharesOf = (cpu_milli: number): number => Math.min(262_144, Math.max(2, Math.round((cpu_milli * 1024) / 1000)));
const weightOf = (cpu_milli: number): number => 1 + Math.floor(((sharesOf(cpu_milli) - 2) * 9_999) / 262_142);

/** Sets all limits but the weight, which a group gets once its first process runs in it. */
export function limitV1(dir: string, controller: Controller, limits: GroupLimits): void {
  if (controller === "cpu") return;
  if (controller === "pids") writeFileSync(join(dir, "pids.max"), String(limits.pids));
  else if (limits.memory_bytes !== null) {
    writeFileSync(join(dir, "memory.limit_in_bytes"), String(limits.memory_bytes));
    const swap = join(dir, "memory.memsw.limit_in_bytes");
    if (existsSync(swap)) tryWrite(swap, String(limits.memory_bytes));
  }
}

/** Gives a group its part of the processors, as against others. Returns why that failed, or null. */
export const weighV1 = (dir: string, { cpu_milli }: GroupLimits): string | null =>
  tryWrite(join(dir, "cpu.shares"), String(sharesOf(cpu_milli)));

export const weighV2 = (dir: string, controllers: readonly Controller[], { cpu_milli }: GroupLimits): string | null =>
  controllers.includes("cpu") ? tryWrite(join(dir, "cpu.weight"), String(weightOf(cpu_milli))) : null;

export function limitV2(dir: string, controllers: readonly Controller[], limits: GroupLimits): void {
  if (controllers.includes("cpu")) writeFileSync(join(dir, "cpu.weight"), String(weightOf(limits.cpu_milli)));
  if (controllers.includes("pids")) writeFileSync(join(dir, "pids.max"), String(limits.pids));
  if (!controllers.includes("memory")) return;
  writeFileSync(join(dir, "memory.oom.group"), limits.oom_kills_all === true ? "1" : "0");
  if (limits.memory_bytes === null) return;
  writeFileSync(join(dir, "memory.max"), String(limits.memory_bytes));
  tryWrite(join(dir, "memory.swap.max"), "0");
}
