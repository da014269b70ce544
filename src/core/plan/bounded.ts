// Keeps what one pass writes within what the database takes at once. A pass that is too large would be refused again
// and again, and nothing would be planned for anybody.

import { HOUSE_LIMITS } from "../limits";
import type { Op } from "../pass/snapshot";

export interface Bounded {
  readonly ops: readonly Op[];
  /** Whether operations were left out. The next pass finds them again. */
  readonly cut: boolean;
}

/** What an event about an operation takes besides the row. */
const EVENT_CHARS = 500;

/**
 * Returns the operations without those of the stops, ends and changes of runs, and quarantines that exceed the bound.
 * At least one of these is always kept. The change of a run stays with the tasks that are placed or stopped for it in
 * the same pass. Where anything is left out, no app or workload is removed yet, since a run of it may be left.
 */
export function withinBound(ops: readonly Op[]): Bounded {
  const owners = new Set<string>();
  let chars = 0;
  let cut = false;
  const kept = ops.filter((op) => {
    const row = rowOf(op);
    if (op.op === "place") owners.add(op.task.owner_uid);
    if (row === null) return true;
    const size = JSON.stringify(row).length + EVENT_CHARS;
    const tied = op.op === "run" && owners.has(op.run.uid);
    if (!tied && chars > 0 && chars + size > HOUSE_LIMITS.pass_chars) {
      cut = true;
      return false;
    }
    chars += size;
    if (op.op === "stop") owners.add(op.task.owner_uid);
    return true;
  });
  return cut ? { ops: kept.filter((op) => op.op !== "remove"), cut } : { ops: kept, cut };
}

/** Returns the row that an operation writes, if the operation may wait for the next pass. */
function rowOf(op: Op): object | null {
  switch (op.op) {
    case "stop":
      return op.task;
    case "run":
    case "archive":
      return op.run;
    case "quarantine":
      return op.node;
    default:
      return null;
  }
}
