// Compares the share of a card that a task was promised with what its processes use, look by look.

import type { CardUser, Holder } from "./card-users";
import { formatMemory } from "../format";

/**
 * How many times its share a task may use. The memory that a driver keeps for a process differs from release to
 * release.
 */
export const SHARE_TOLERANCE = 1.05;

/**
 * In how many looks in a row a task uses too much before it has to end. A single look may fall into the moment of an
 * allocation.
 */
const STRIKES = 2;

/** The number of looks in a row in which each task has used too much of a card, by its uid. */
export type Strikes = ReadonlyMap<string, number>;

export interface Overdrawn {
  readonly strikes: Strikes;
  /** Why tasks have to end, by their uid. */
  readonly over: ReadonlyMap<string, string>;
}

/**
 * Returns the strikes after a look at the card `id`, and the tasks that have to end. A process whose memory the driver
 * does not report counts as using none.
 */
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
