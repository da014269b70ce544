// Moments as they are kept on disk: on the boot clock with the id of the boot, so that no decision depends on the wall
// clock, and on the wall clock beside it, for people and for older releases.

import type { BootMs, WallMs } from "../../core/units";
import { bootMs, nowMs } from "../../os/clock";
import { bootId } from "../../os/proc";

/** The clocks of this machine, read together. */
export interface Clocks {
  readonly boot_id: string;
  readonly boot_ms: BootMs;
  readonly wall_ms: WallMs;
}

export const clocksNow = (): Clocks => ({ boot_id: bootId(), boot_ms: bootMs(), wall_ms: nowMs() });

/** A moment that was kept. `boot_ms` is null where an older release kept the wall time alone. */
export interface KeptMoment {
  readonly wall_ms: WallMs;
  readonly boot_ms: BootMs | null;
  readonly boot_id: string;
}

/** Returns a moment of this boot as wall time, for people and older releases. */
export const wallOf = (at_ms: BootMs, now: Clocks): WallMs => now.wall_ms - (now.boot_ms - at_ms);

/**
 * Returns a kept moment on the clock of this boot. A moment of an earlier boot is at least as old as this boot, and as
 * old as the wall clock says beyond that. A moment of this boot that was kept by its wall time alone is as old as the
 * wall clock says, within this boot.
 */
export function recalled({ wall_ms, boot_ms, boot_id }: KeptMoment, now: Clocks): BootMs {
  const same = boot_id === now.boot_id;
  if (same && boot_ms !== null) return boot_ms;
  const told_ms = now.wall_ms - wall_ms;
  return now.boot_ms - (same ? Math.min(Math.max(told_ms, 0), now.boot_ms) : Math.max(told_ms, now.boot_ms));
}

/** How many ticks of the kernel's process times are a second, on every Linux. */
const TICKS = 100;

/**
 * Returns when a process of this boot began, by its start time in ticks since boot; null where the kernel does not
 * count so. It serves what an earlier release has kept by wall time alone.
 */
export function bootOfStart(start: string): BootMs | null {
  const ticks = Number(start);
  return process.platform === "linux" && start !== "" && ticks > 0 ? Math.floor((ticks * 1_000) / TICKS) : null;
}
