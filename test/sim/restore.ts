// What `orch restore` makes of a copy (src/store/restore.ts), as rows: a new timeline, an epoch, a revision and run
// numbers beyond all that the directory still knows, and the list of nodes that must be heard before anything is decided.

import type { Database } from "./database";
import type { Guard } from "./world";

const RUN_GAP = 1_000;

/** `present`: the database that was there; `null`: none, as on another machine. */
export function restored(copy: Database, present: Database | null, guard: Guard, timeline: string): Database {
  const { cluster, nodes } = copy.state;
  const known = [cluster, ...(present === null ? [] : [present.state.cluster])];
  const highest = (field: "epoch" | "revision" | "next_run", kept: number): number =>
    Math.max(kept, ...known.map((one) => one[field]));
  copy.state.cluster = { ...cluster, timeline, epoch: highest("epoch", guard.epoch) + 1, revision: highest("revision", 0) + 1,
    next_run: highest("next_run", guard.next_run) + RUN_GAP, recovering: nodes.size === 0 ? null : [...nodes.keys()] };
  return copy;
}
