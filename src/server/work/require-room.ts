// Refuses new work while the server cannot take any. A disk that is nearly full must keep room for ends and stops.

import type { Context } from "../context";
import { RefusedError } from "../refused";

/** The most runs and workloads that may be open at once. More are refused before the server becomes slow. */
const OPEN_LIMIT = 100_000;

export function requireRoom({ store, loop }: Context): void {
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
