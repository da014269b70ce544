// A transaction for the laws: some changes over a state, made by somebody.

import { breachOf } from "../../src/core/laws/laws";
import type { Moment } from "../../src/core/laws/moment";
import type { Change, State } from "../../src/core/model/rows-state";
import { withChanges } from "../../src/core/plan/changes";

/** For rows that only show how they are stored or listed: they are made up, and keep no law. */
export const NO_LAWS = { list: [], thorough: false } as const;

/** As a batch would be made of them: the newest image of each row, one revision further. */
export function momentOf(before: State, changes: readonly Change[], actor: string, part: Partial<Moment> = {}): Moment {
  const applied = withChanges(before, changes);
  const after = { ...applied, cluster: { ...applied.cluster, revision: before.cluster.revision + 1 } };
  const newest = new Map(changes.map((change) => [`${change.table}/${change.key}`, change]));
  newest.delete("cluster/cluster");
  return { actor, before, after, changes: newest.values(), hasEnded: () => false, thorough: true, ...part };
}

/** The name of the law that a transaction breaks, and the rows; `null`: it keeps them all. */
export function brokenBy(before: State, changes: readonly Change[], actor: string, part: Partial<Moment> = {}) {
  const breach = breachOf(momentOf(before, changes, actor, part));
  return breach === null ? null : { law: breach.law.name, rows: breach.rows };
}
