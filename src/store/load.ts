// Reads the live maps from the database, at a start and in the test that compares the two.

import type { Database } from "bun:sqlite";
import type { ClusterRow } from "../core/model/rows-state";
import { emptyState, LIVE_TABLES, type LiveState } from "./live";
import { decodeRow, keyOf, ROW_TABLES } from "./rows";

/** Returns the cluster's row, or null in a database that was just made. */
export function loadCluster(db: Database): ClusterRow | null {
  const raw = db.query<Record<string, unknown>, []>("select * from cluster").get();
  return raw === null ? null : decodeRow<ClusterRow>(ROW_TABLES.cluster, raw);
}

/** Reads everything live. */
export function loadState(db: Database, cluster: ClusterRow): LiveState {
  const state = emptyState(cluster);
  for (const name of LIVE_TABLES) {
    const map = state[name] as Map<string, object>;
    // No order is asked for, since nothing may depend on the order of rows.
    for (const raw of db.query<Record<string, unknown>, []>(`select * from "${name}"`).iterate()) {
      const row = decodeRow<object>(ROW_TABLES[name], raw);
      map.set(keyOf(name, row), row);
    }
  }
  return state;
}
