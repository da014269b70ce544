// Whether new work can be taken at all: a disk that runs full must keep room for what ends and what is stopped.

import type { Context } from "../context";
import { RefusedError } from "../refused";

/** Runs and workloads that are not over; more of them are refused before anything gets slow. */
const OPEN_LIMIT = 100_000;

export function demandRoom({ store, loop }: Context): void {
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
  if (state.cluster.recovering !== null) {
    throw new RefusedError(
      "unavailable",
      `the server waits for the inventories of ${state.cluster.recovering.length} nodes after a ` + "restore",
      loop.notices()[0] ?? null,
    );
  }
}
