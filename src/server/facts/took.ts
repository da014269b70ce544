// How long runs took, by person and name, from the ends that became durable since the server started. It is kept in
// memory only: a server that starts anew learns it anew.

import { tookKey } from "../../core/model/heirs";
import type { Change } from "../../core/model/rows-state";
import type { Ms } from "../../core/units";

export interface TookRecord {
  /** Takes in the ends of runs among changes that have become durable. */
  take(changes: readonly Change[]): void;
  /** Returns the mean of the last runs of each key. */
  facts(): ReadonlyMap<string, Ms>;
}

/** Of so many persons and names it is known. Those whose runs ended the longest ago are forgotten first. */
const MOST_KEPT = 10_000;
/** How much of the mean the newest end is, so that about the last eight count. */
const WEIGHT = 1 / 8;

export function createTook(): TookRecord {
  const means = new Map<string, Ms>();
  return {
    take(changes) {
      for (const change of changes) {
        if (change.table !== "ended_tasks" || change.row === null) continue;
        const { observed, kind, batch } = change.row;
        if (kind !== "job" || batch !== null || !("finished_ms" in observed) || observed.started_ms === null) continue;
        const [key, ran_ms] = [tookKey(change.row), observed.finished_ms - observed.started_ms];
        const before = means.get(key) ?? ran_ms;
        means.delete(key);
        means.set(key, before + (ran_ms - before) * WEIGHT);
        const [oldest] = means.size > MOST_KEPT ? means.keys() : [];
        if (oldest !== undefined) means.delete(oldest);
      }
    },
    facts: () => means,
  };
}
