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

/** A pass that changes more rows than this is large. Of large passes, every eighth is checked. */
const [LARGE_ROWS, LARGE_EVERY] = [300, 8];

/**
 * Returns whether a commit of the plan goes unchecked in production. The laws cost a large pass 12 % of its own time
 * (scripts/bench/laws.ts), so they are checked for one in eight; tests and the simulator check all.
 */
export const isSkipped = (actor: string, rows: number, revision: number): boolean =>
  actor === "plan" && rows > LARGE_ROWS && revision % LARGE_EVERY !== 0;

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
