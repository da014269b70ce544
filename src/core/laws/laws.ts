// All laws of the committed state, and the check of a transaction against them. A transaction that breaks a law shows a
// bug, and nothing of it is kept.

import { AssertionError } from "../assert";
import { ARRAY_LAWS } from "./arrays";
import { HEIR_LAWS } from "./heirs";
import type { Law } from "./law";
import { rowsOf, type Moment } from "./moment";
import { PLACING_LAWS } from "./placing";
import { RECORD_LAWS } from "./records";
import { TASK_LAWS } from "./tasks";

/**
 * A law that held before a transaction holds after it if the rows that the transaction changed keep it, so only those
 * are checked. A state that an older release left behind is not judged by laws that came later.
 */
export const LAWS: readonly Law[] = [...TASK_LAWS, ...PLACING_LAWS, ...RECORD_LAWS, ...ARRAY_LAWS, ...HEIR_LAWS];

/** A law that does not hold, and the rows that break it. */
export interface Breach {
  readonly law: Law;
  readonly rows: readonly string[];
  /** The ids of the nodes on which it is broken; none for a law that is not kept node by node. */
  readonly nodes: readonly string[];
}

/** The error of a transaction that breaks a law, which is a bug of the code that made it. */
export class BrokenLawError extends AssertionError {
  readonly nodes: readonly string[];

  constructor(breach: Breach, actor: string) {
    super(sayBreach(breach, actor));
    this.nodes = breach.nodes;
  }
}

/** A pass that changes more rows than this is large. Of large passes, every eighth is checked. */
const [LARGE_ROWS, LARGE_EVERY] = [300, 8];

/**
 * Returns whether a commit of the plan goes unchecked in production. The laws cost a large pass 12 % of its own time
 * (scripts/bench/laws.ts), so they are checked for one in eight; tests and the simulator check all.
 */
export const isSkipped = (actor: string, rows: number, revision: number): boolean =>
  actor === "plan" && rows > LARGE_ROWS && revision % LARGE_EVERY !== 0;

/** Returns the first law that a transaction breaks, or null. */
export function breachOf(moment: Moment, laws: readonly Law[] = LAWS): Breach | null {
  const look = rowsOf(moment);
  for (const law of laws) {
    const rows = law.broken(look);
    if (rows.length > 0) return { law, rows, nodes: law.nodes?.(look) ?? [] };
  }
  return null;
}

const ROWS_SAID = 10;

/** Returns a breach in words: `law task-moves is broken by plan (…): web.api.0 …`. */
export function sayBreach({ law, rows }: Omit<Breach, "nodes">, actor: string): string {
  const more = rows.length > ROWS_SAID ? `; and ${rows.length - ROWS_SAID} more` : "";
  return `law ${law.name} is broken by ${actor} (${law.says}): ${rows.slice(0, ROWS_SAID).join("; ")}${more}`;
}
