// Refuses new work while the server cannot take any. A disk that is nearly full must keep room for ends and stops, and
// one person's work must leave room for the others'.

import type { State } from "../../core/model/rows-state";
import type { Context } from "../context";
import { RefusedError } from "../refused";

/** The most runs and workloads that may be open at once. More are refused before the server becomes slow. */
const OPEN_LIMIT = 100_000;

/** The most of them that are one person's. */
const OPEN_LIMIT_EACH = OPEN_LIMIT / 2;

/**
 * The most replicas of all services together, and of one person's. A daemon counts as one on every node. Beyond this a
 * pass of the planner is slow.
 */
const REPLICAS_LIMIT = 50_000;
const REPLICAS_LIMIT_EACH = 20_000;

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
  if (state.runs.size + state.workloads.size >= OPEN_LIMIT) {
    throw new RefusedError(
      "too_many",
      `${OPEN_LIMIT} runs and workloads are open, no more are taken`,
      "Wait until some are done",
    );
  }
  if (state.runs.size + state.workloads.size >= OPEN_LIMIT_EACH && openOf(state, user) >= OPEN_LIMIT_EACH) {
    throw new RefusedError(
      "too_many",
      `${user} has ${OPEN_LIMIT_EACH} open runs and workloads, no more are taken of one person`,
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

/** Throws RefusedError if services and daemons, as a commit would leave them, are more than the planner can hold. */
export function requireReplicas({ workloads, nodes }: State, user: string): void {
  let all = 0;
  let own = 0;
  for (const row of workloads.values()) {
    if (row.kind === "job" || row.removing) continue;
    const count = row.kind === "daemon" ? nodes.size : row.settings.replicas;
    all += count;
    if (row.user === user) own += count;
  }
  const mine = own > REPLICAS_LIMIT_EACH;
  if (!mine && all <= REPLICAS_LIMIT) return;
  const whose = mine ? `the services and daemons of ${user}` : "all services and daemons";
  const [sum, most] = mine ? [own, REPLICAS_LIMIT_EACH] : [all, REPLICAS_LIMIT];
  throw new RefusedError(
    "too_many",
    `${whose} would have ${sum} replicas together, at most ${most}`,
    "Ask for fewer, or scale other services down first",
  );
}
