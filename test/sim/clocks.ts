// The clocks of simulated machines. The schedule is the true time, which nobody can read: each boot counts from its own
// beginning, and each wall clock is wrong by an amount of its own and jumps.

import type { Clocks } from "../../src/agent/tasks/moments";
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from "../../src/core/units";
import type { Random } from "./random";

/** How far the clocks of a machine are ahead of the schedule. */
export interface Ahead {
  boot_ms: number;
  wall_ms: number;
}

/** The wall time at the beginning of the schedule, on a clock that is right. */
const WALL_MS = 1_800_000_000_000;

/** How far wall clocks are wrong: by a bad time server, a suspended machine, a bad date, an empty battery. */
const ERRORS_MS = [0, 0, SECOND_MS, MINUTE_MS, 2 * HOUR_MS, 30 * DAY_MS, WALL_MS] as const;

/** Returns an error of a wall clock: ahead or behind. */
export function drawError(random: Random): number {
  const error_ms = random.pick(ERRORS_MS);
  return error_ms === WALL_MS || random.chance(0.5) ? -error_ms : error_ms;
}

/** Returns the clocks of a machine that has been up for a while. */
export const drawClocks = (random: Random): Ahead => ({
  boot_ms: random.int(10 * SECOND_MS, random.pick([MINUTE_MS, HOUR_MS, DAY_MS])),
  wall_ms: drawError(random),
});

/** A machine that boots counts from the beginning, and its wall clock may have stood still or been set. */
export function bootClocks(ahead: Ahead, random: Random, now_ms: number): void {
  ahead.boot_ms = random.int(SECOND_MS, MINUTE_MS) - now_ms;
  if (random.chance(0.3)) ahead.wall_ms = drawError(random);
}

export interface Clocked {
  readonly boot_id: string;
  readonly clocks: Ahead;
}

/** Returns what the clocks of a machine show. */
export const clocksOf = ({ boot_id, clocks }: Clocked, now_ms: number): Clocks => ({
  boot_id,
  boot_ms: now_ms + clocks.boot_ms,
  wall_ms: wallOf(clocks, now_ms),
});

export const wallOf = ({ wall_ms }: Pick<Ahead, "wall_ms">, now_ms: number): number => WALL_MS + now_ms + wall_ms;
