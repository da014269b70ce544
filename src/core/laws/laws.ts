// The laws of the committed state, all of them, and how a transaction is held against them: whoever breaks one has a
// bug, and nothing of the transaction is kept.

import type { Law } from "./law";
import { rowsOf, type Moment } from "./moment";
import { PLACING_LAWS } from "./placing";
import { RECORD_LAWS } from "./records";
import { TASK_LAWS } from "./tasks";

/**
 * Each law holds after every transaction if it held before: so only what the transaction changed is looked at. A state
 * that an older release left behind is not judged by laws that came later.
 */
export const LAWS: readonly Law[] = [...TASK_LAWS, ...PLACING_LAWS, ...RECORD_LAWS];

/** A rule that does not hold, and the rows that break it. */
export interface Breach {
  readonly law: Law;
  readonly rows: readonly string[];
}

/** The first law that a transaction breaks; `null`: it keeps them all. */
export function breachOf(moment: Moment, laws: readonly Law[] = LAWS): Breach | null {
  const look = rowsOf(moment);
  for (const law of laws) {
    const rows = law.broken(look);
    if (rows.length > 0) return { law, rows };
  }
  return null;
}

const ROWS_SAID = 10;

/** `law task-moves is broken by plan (…): web.api.0 …`. */
export function sayBreach({ law, rows }: Breach, actor: string): string {
  const more = rows.length > ROWS_SAID ? `; and ${rows.length - ROWS_SAID} more` : "";
  return `law ${law.name} is broken by ${actor} (${law.says}): ${rows.slice(0, ROWS_SAID).join("; ")}${more}`;
}
