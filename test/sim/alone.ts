// One machine cut off while the others are heard, which is what happens most and what everything else hides: where many
// are silent at once it is the network, and nothing is given up.

import type { Machine } from "./machine";
import type { World } from "./world";

/** Longer than a node that comes back counts among the silent ones. */
const STEADY_MS = 40_000;

/** Cuts a machine off for so long that its tasks may be given up, if so few others are away that they are. */
export function cutAlone(world: World, id: string): void {
  const { troubles } = world.dice;
  const isSteady = (machine: Machine): boolean =>
    world.schedule.now_ms - (world.heardSince.get(machine.id) ?? Number.POSITIVE_INFINITY) >= STEADY_MS;
  const up = world.machines.filter(({ power }) => power === "on");
  const away = up.filter((machine) => machine.id === id || !isSteady(machine)).length;
  if (up.length < 2 || away * 3 > Math.max(3, up.length)) return;
  world.trace.note(`cut alone: ${id}`);
  world.network.cut(id, troubles.pick(["up", "both", "both"] as const));
  world.schedule.in(troubles.int(STEADY_MS / 2, STEADY_MS * 3), () => {
    if (!world.calm) world.network.mend(id);
  });
}
