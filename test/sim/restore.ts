// What `orch restore` makes of a copy, without SQLite: a new timeline, numbers beyond everything that the directory
// still knows (by the product's own function), and the list of nodes that must be heard before anything is decided.

import { beyond } from "../../src/store/restore";
import type { Database } from "./database";
import type { Guard } from "./world";

/**
 * Returns the restored database. `present` is the one that was there; null if there was none, as on another machine.
 */
export function restored(
  copy: Database,
  present: Database | null,
  guard: Guard,
  timeline: string,
  at_ms: number,
): Database {
  const { cluster, nodes } = copy.state;
  const known = [cluster, { ...guard, revision: 0 }, ...(present === null ? [] : [present.state.cluster])];
  copy.state.cluster = {
    ...cluster,
    ...beyond(known, at_ms),
    timeline,
    recovering: nodes.size === 0 ? null : [...nodes.keys()],
  };
  return copy;
}
