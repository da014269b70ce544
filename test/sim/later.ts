// Faults that pass by themselves.

import type { World } from "./world";

/** Runs `what` within `longest_ms`, and at once when the world calms down (see settle.ts). */
export function later(world: World, longest_ms: number, what: () => void): void {
  world.schedule.in(world.dice.troubles.wait(longest_ms / 3), () => {
    if (!world.calm) what();
  });
}
