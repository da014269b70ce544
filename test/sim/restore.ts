// What `orch restore` makes of a copy, without SQLite: a new timeline, numbers beyond all that the directory still
// knows (by the same function), and the list of nodes that must be heard before anything is decided.

import { beyond } from "../../src/store/restore";
import type { Database } from "./database";
import type { Guard } from "./world";

/** `present`: the database that was there; `null`: none, as on another machine. */
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
