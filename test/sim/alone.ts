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
  const { server } = world;
  if (server === null || isQuiet(world) || world.network.isCut(id)) return;
  const { nodes } = server.store.state;
  const isAway = ({ name, contact, contact_ms, joined_ms }: NodeRow): boolean =>
    name !== id &&
    contact !== "lost" &&
    (contact === "unreachable" ||
      (contact_ms > joined_ms && server.store.now() - contact_ms < SIM_LIMITS.replace_after_ms));
  const away = [...nodes.values()].filter(isAway).length;
  if (nodes.size < 2 || (away > 0 && (away + 1) * 3 > nodes.size)) return;
  world.trace.note(`cut alone: ${id}`);
  world.network.cut(id, troubles.pick(["up", "both", "both"] as const));
  const lasts_ms = troubles.int(SHORTEST_MS, LONGEST_MS);
  world.quiet_until_ms = world.schedule.now_ms + lasts_ms;
  world.schedule.in(lasts_ms, () => {
    if (!world.calm) world.network.mend(id);
  });
}
