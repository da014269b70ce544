// The share of a card that a task was promised, held against what its processes take of it, look by look.

import type { CardUser, Holder } from "./card-users";
import { formatMemory } from "../format";

/** What a task may take beyond its share: what a driver keeps for a process differs from release to release. */
export const SHARE_TOLERANCE = 1.05;

/** Looks in a row at which it takes more, before it has to end: one may fall into the moment of an allocation. */
const STRIKES = 2;

/** How many looks in a row each task has taken too much of a card, by its uid. */
export type Strikes = ReadonlyMap<string, number>;

export interface Overdrawn {
  readonly strikes: Strikes;
  /** Tasks that have to end, and why, by uid. */
  readonly over: ReadonlyMap<string, string>;
}

/** Takes in a look at the card `id`. What a driver tells no memory of is not held against anybody. */
export function overdrawn(
  id: string,
  users: readonly CardUser[],
  holders: readonly Holder[],
  before: Strikes,
): Overdrawn {
  const strikes = new Map<string, number>();
  const over = new Map<string, string>();
  for (const { uid, bytes } of holders) {
    if (bytes === null) continue;
    const took = users
      .filter(({ task_uid }) => task_uid === uid)
      .reduce((sum, { memory_bytes }) => sum + (memory_bytes ?? 0), 0);
    if (took <= bytes * SHARE_TOLERANCE) continue;
    const count = (before.get(uid) ?? 0) + 1;
    strikes.set(uid, count);
    if (count < STRIKES) continue;
    over.set(uid, `took ${formatMemory(took)} of GPU memory on ${id}, asked for ${formatMemory(bytes)}`);
  }
  return { strikes, over };
}
