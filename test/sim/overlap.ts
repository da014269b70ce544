// When two attempts of one slot may live at once: only where somebody, or the workload's own policy, gave one of them
// up.

import { descends, type Life } from "./lives";
import type { World } from "./world";

export function mayOverlap(world: World, older: Life, newer: Life): boolean {
  // A restored server cannot tell which slot a record belongs to that its agent, or the server itself, cannot read.
  const isUnread = ({ machine, uid }: Life): boolean =>
    world.lostDisks.has(machine.id) || world.unknowable.has(uid) || world.misread.has(uid);
  if (world.restored && [older, newer].some(isUnread)) return true;
  return [older, newer].some((life) => {
    const node_id = world.ledger.rows.get(life.uid)?.node_id ?? nodeOf(world, life);
    return (node_id !== null && world.givenUp.has(node_id)) || isLeft(world, life);
  });
}

/**
 * Returns whether the plan gave the attempt up, or moves it away from a draining node, or whether its agent made it of
 * such an attempt.
 */
function isLeft(world: World, { uid, identity }: Life): boolean {
  const { writtenOff, moved, rows } = world.ledger;
  if (writtenOff.has(uid) || moved.has(uid)) return true;
  for (const left of [...writtenOff, ...moved]) {
    const row = rows.get(left);
    if (row?.owner_uid === identity.owner_uid && descends(uid, identity.attempt, left, row.attempt)) return true;
  }
  return false;
}

function nodeOf(world: World, life: Life): string | null {
  for (const [id, machine] of world.nodes) if (machine === life.machine) return id;
  return null;
}
