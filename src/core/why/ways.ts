// What would end a wait, in words.

import type { WayOut } from "../pass/snapshot";

/** Words all ways out in one text: `tolerate team=vision (runs now), or ask for 16GB (then waits for room)`. */
export const sayChanges = (ways: readonly WayOut[]): string | null =>
  ways.length === 0 ? null : ways.map(sayChange).join(", or ");

/** Words one: `ask for 16GB (then waits for room)`. */
export const sayChange = (way: WayOut): string => partsOf(way).join(" and ");

/** Returns its changes, the last one with what becomes of the slot then. */
export function partsOf({ changes, outcome }: WayOut): readonly string[] {
  const then = outcome === null ? "" : outcome === "runs" ? " (runs now)" : " (then waits for room)";
  return changes.map((change, n) => (n === changes.length - 1 ? change + then : change));
}
