// Refuses new work while the server cannot take any. A disk that is nearly full must keep room for ends and stops, and
// one person's work must leave room for the others'.

import { HOUSE_LIMITS } from "../../core/limits";
import { isFinal } from "../../core/model/lifecycle";
import type { State } from "../../core/model/rows-state";
import type { RunRow, WorkloadRow } from "../../core/model/rows-work";
import type { Draft, Store } from "../../store/store";
import type { Context } from "../context";
import { RefusedError } from "../refused";

const { open, open_each, replicas, replicas_each } = HOUSE_LIMITS;

export function requireRoom({ store, loop }: Context, user: string): void {
  const health = store.health();
  if (health.is !== "ok") {
    throw new RefusedError(
      "storage_full",
      `no new work is taken: ${health.why}`,
      "Free space where the server keeps its data",
    );
  }
  const { state } = store;
  if (state.runs.size + state.workloads.size >= open) {
    throw new RefusedError(
      "too_many",
      `${open} runs and workloads are open, no more are taken`,
      "Wait until some are done",
    );
  }
  if (state.runs.size + state.workloads.size >= open_each && openOf(state, user) >= open_each) {
    throw new RefusedError(
      "too_many",
      `${user} has ${open_each} open runs and workloads, no more are taken of one person`,
      "Wait until some are done",
    );
  }
  if (state.cluster.recovering !== null) {
    throw new RefusedError(
      "unavailable",
      `the server waits for the inventories of ${state.cluster.recovering.length} nodes after a restore`,
      loop.notices()[0] ?? null,
    );
  }
}

function openOf({ runs, workloads }: State, user: string): number {
  let own = 0;
  for (const row of runs.values()) if (row.user === user) own++;
  for (const row of workloads.values()) if (row.user === user) own++;
  return own;
}

type Members = Store["members"];

/**
 * Makes a change of what is wanted. Throws RefusedError if the services, daemons and gangs of somebody, or those of all
 * together, are more by it than before and more than the planner can hold. Whoever has too many by other ways, such as
 * daemons in a cluster that has grown, can still ask for fewer.
 */
export function withinReplicas<T>(draft: Draft, members: Members, change: (draft: Draft) => T): T {
  const { state } = draft;
  const before = { workloads: new Map<string, WorkloadRow | null>(), runs: new Map<string, RunRow | null>() };
  const put: Draft["put"] = (changes) => {
    for (const { table, key } of changes) {
      if (table === "workloads") before.workloads.getOrInsertComputed(key, () => state.workloads.get(key) ?? null);
      if (table === "runs") before.runs.getOrInsertComputed(key, () => state.runs.get(key) ?? null);
    }
    draft.put(changes);
  };
  const value = change({ ...draft, put });
  const grown = counterOf(state, members);
  for (const [key, row] of before.workloads) {
    grown.workload(row, -1);
    grown.workload(state.workloads.get(key) ?? null, 1);
  }
  for (const [key, row] of before.runs) {
    grown.run(row, -1);
    grown.run(state.runs.get(key) ?? null, 1);
  }
  const users = [...grown.of].filter(([, count]) => count > 0).map(([user]) => user);
  // To count what everybody has takes time, and most changes add nothing to it.
  if (users.length === 0) return value;
  const after = counterOf(state, members);
  for (const row of state.workloads.values()) after.workload(row, 1);
  for (const row of state.runs.values()) after.run(row, 1);
  for (const user of users) {
    const count = after.of.get(user) ?? 0;
    if (count > replicas_each) throw tooMany(`of ${user}`, count, replicas_each);
  }
  if (sumOf(grown) > 0 && sumOf(after) > replicas) throw tooMany("of all", sumOf(after), replicas);
  return value;
}

interface Counter {
  /** How many replicas each user has. */
  readonly of: ReadonlyMap<string, number>;
  /** Counts the replicas of a service or daemon `times` times. */
  workload(row: WorkloadRow | null, times: 1 | -1): void;
  /** Counts the members of an open gang `times` times. Other runs are counted as runs. */
  run(row: RunRow | null, times: 1 | -1): void;
}

const sumOf = ({ of }: Counter): number => of.values().reduce((sum, count) => sum + count, 0);

function counterOf({ nodes }: State, members: Members): Counter {
  const of = new Map<string, number>();
  const add = (user: string, count: number): unknown => of.set(user, (of.get(user) ?? 0) + count);
  return {
    of,
    workload(row, times) {
      if (row === null || row.kind === "job" || row.removing) return;
      add(row.user, times * (row.kind === "daemon" ? nodes.size : row.settings.replicas));
    },
    run(row, times) {
      if (row === null || row.cancel !== null || isFinal(row.state)) return;
      const count = members(row.spec_hash);
      if (count > 1) add(row.user, times * count);
    },
  };
}

const tooMany = (whose: string, sum: number, most: number): RefusedError =>
  new RefusedError(
    "too_many",
    `the services, daemons and gangs ${whose} would have ${sum} replicas together, at most ${most}`,
    "Ask for fewer, scale other services down first, or wait until gangs are done",
  );
