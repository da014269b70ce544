// Cuts one machine off while the others are heard. That is the most common fault, and other faults hide it: where many
// nodes are silent at once, the server blames the network and gives nothing up.

import type { NodeRow } from "../../src/core/model/rows-node";
import { SIM_LIMITS } from "./limits";
import type { World } from "./world";

const SHORTEST_MS = 20_000;
const LONGEST_MS = 120_000;

/** Returns whether no new fault may happen now. */
export const isQuiet = (world: World): boolean => world.calm || world.schedule.now_ms < world.quiet_until_ms;

/**
 * Cuts a machine off for so long that its tasks may be given up, if few enough others are away. No other fault happens
 * meanwhile.
 */
export function cutAlone(world: World, id: string): void {
  const { troubles } = world.dice;
  if (!isTheOnlyOne(world, id)) return;
  world.trace.note(`cut alone: ${id}`);
  world.network.cut(id, troubles.pick(["up", "both", "both"] as const));
  const lasts_ms = quietFor(world);
  world.schedule.in(lasts_ms, () => {
    if (!world.calm) world.network.mend(id);
  });
}

/** Draws how long a machine is away alone, and lets no other fault happen meanwhile. */
export function quietFor(world: World, shortest_ms = SHORTEST_MS): number {
  const lasts_ms = world.dice.troubles.int(shortest_ms, LONGEST_MS);
  world.quiet_until_ms = world.schedule.now_ms + lasts_ms;
  return lasts_ms;
}

/** Returns whether so few other machines are away that the server gives up the tasks of this one if it falls silent. */
export function isTheOnlyOne(world: World, id: string): boolean {
  const { server } = world;
  if (server === null || isQuiet(world) || world.network.isCut(id)) return false;
  const { nodes } = server.store.state;
  const isAway = ({ name, contact, contact_ms, joined_ms }: NodeRow): boolean =>
    name !== id &&
    contact !== "lost" &&
    (contact === "unreachable" ||
      (contact_ms > joined_ms && server.store.now() - contact_ms < SIM_LIMITS.replace_after_ms));
  const away = [...nodes.values()].filter(isAway).length;
  return nodes.size >= 2 && (away === 0 || (away + 1) * 3 <= nodes.size);
}
