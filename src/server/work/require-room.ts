// Refuses new work while the server cannot take any. A disk that is nearly full must keep room for ends and stops, and
// one person's work must leave room for the others'.

import { HOUSE_LIMITS } from "../../core/limits";
import { isFinal } from "../../core/model/lifecycle";
import type { State } from "../../core/model/rows-state";
import type { TaskSpec } from "../../core/model/workload";
import type { Draft } from "../../store/store";
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
      `the server waits for the inventories of ${state.cluster.recovering.length} nodes after a ` + "restore",
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

type Spec = (hash: string) => Pick<TaskSpec, "members">;

/**
 * Makes a change of what is wanted. Throws RefusedError if the services, daemons and gangs of somebody, or those of all
 * together, are more by it than before and more than the planner can hold. Whoever has too many by other ways, such as
 * daemons in a cluster that has grown, can still ask for fewer.
 */
export function withinReplicas<T>(draft: Draft, spec: Spec, change: () => T): T {
  const before = replicasOf(draft.state, spec);
  const value = change();
  const after = replicasOf(draft.state, spec);
  for (const [user, count] of after.of) {
    const isMore = count > (before.of.get(user) ?? 0);
    if (isMore && count > replicas_each) throw tooMany(`of ${user}`, count, replicas_each);
  }
  if (after.all > replicas && after.all > before.all) throw tooMany("of all", after.all, replicas);
  return value;
}

interface Replicas {
  readonly all: number;
  readonly of: ReadonlyMap<string, number>;
}

/** Counts the replicas of services and daemons, and the members of open gangs. Other runs are counted as runs. */
function replicasOf({ workloads, runs, nodes }: State, spec: Spec): Replicas {
  let all = 0;
  const of = new Map<string, number>();
  const add = (user: string, count: number): void => {
    all += count;
    of.set(user, (of.get(user) ?? 0) + count);
  };
  for (const row of workloads.values()) {
    if (row.kind === "job" || row.removing) continue;
    add(row.user, row.kind === "daemon" ? nodes.size : row.settings.replicas);
  }
  for (const run of runs.values()) {
    const { members } = spec(run.spec_hash);
    if (members > 1 && run.cancel === null && !isFinal(run.state)) add(run.user, members);
  }
  return { all, of };
}

const tooMany = (whose: string, sum: number, most: number): RefusedError =>
  new RefusedError(
    "too_many",
    `the services, daemons and gangs ${whose} would have ${sum} replicas together, at most ${most}`,
    "Ask for fewer, scale other services down first, or wait until gangs are done",
  );
