// What would end a wait: a change a line, so that each can be copied.

import { partsOf } from "../../core/why/ways";
import type { BlockedView } from "../../wire/api/plans";
import { clean } from "./clean";
import { hang, wide } from "./wrap";

type Waiting = Pick<BlockedView, "smallest_change" | "smallest_changes">;

/** Returns whether more than one way is known. */
export const isChoice = ({ smallest_changes }: Waiting): boolean => smallest_changes.length > 1;

/**
 * Returns the ways one a line. One that is too long has each of its changes on a line: the later ones begin with `and`.
 */
export function wayLines({ smallest_change, smallest_changes }: Waiting, width: number | null): string[] {
  // A server of an earlier release says it in one text.
  const old = smallest_change === null ? [] : [[smallest_change]];
  const ways = smallest_changes.length === 0 ? old : smallest_changes.map(partsOf);
  return ways.flatMap((way) => {
    const parts = way.map(clean);
    const line = parts.join(" and ");
    if (width === null || wide(line) <= width) return [line];
    return parts.flatMap((part, n) => hang(n === 0 ? part : `  and ${part}`, width, "    "));
  });
}
