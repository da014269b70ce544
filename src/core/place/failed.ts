// What was searched for in vain, in this pass and in earlier ones: it fits on no node that has no more room since.

import { whereabouts } from "./company";
import type { Look } from "./shape";

/**
 * Returns a text for what decides where a demand fits, beside what the nodes have left: its shape, and where those are
 * that it wants to be with. A demand comes to fit when they are elsewhere, though no node has more room.
 */
export const failureKey = ({ pass, rooms, shape: { key, together } }: Look): string =>
  together.length === 0 ? key : `${key} ${whereabouts(pass, rooms, together)}`;

/** Returns the last pass that searched for a demand of this shape in vain; null for none. */
export const triedIn = (look: Look): number | null => look.shape.tried?.get(failureKey(look)) ?? null;

/** Returns whether a search would fail: it has failed in this pass, or no node has more room than when it did. */
export function hasFailed(look: Look): boolean {
  const { rooms, shape } = look;
  if (shape.failed !== null && shape.failed === failureKey(look)) return true;
  const tried = triedIn(look);
  return tried !== null && rooms.grown <= tried;
}
