// When two attempts of one slot may live at once: only where somebody, or the workload's own policy, gave the older up.

import type { Life } from "./lives";
import type { World } from "./world";

export function mayOverlap(world: World, older: Life, newer: Life): boolean {
  const { node_id } = world.ledger.rows.get(older.uid) ?? { node_id: nodeOf(world, older) };
  if (node_id !== null && world.givenUp.has(node_id)) return true;
  return isGivenUp(world, older.uid) || isGivenUp(world, newer.uid);
}

/** The plan gave the attempt up, or one whose successor its agent made of it. */
const isGivenUp = (world: World, uid: string): boolean => world.ledger.writtenOff.has(uid);

function nodeOf(world: World, life: Life): string | null {
  for (const [id, machine] of world.nodes) if (machine === life.machine) return id;
  return null;
}
