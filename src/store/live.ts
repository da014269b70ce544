// The live maps, which are held in memory and planned on. One function changes them, for commits and for tests alike.

import type { ElementPage } from "../core/model/array";
import type { Change, ClusterRow, RestingPort, State, TokenRow, UserRow } from "../core/model/rows-state";
import type { AppRow, RunRow, SlotRow, WorkloadRow } from "../core/model/rows-work";
import type { TaskRow } from "../core/model/rows-task";
import type { NodeRow } from "../core/model/rows-node";

/** The tables that are held in memory. */
export const LIVE_TABLES = [
  "nodes",
  "apps",
  "workloads",
  "runs",
  "slots",
  "tasks",
  "elements",
  "ports",
  "users",
  "tokens",
] as const;
export type LiveTable = (typeof LIVE_TABLES)[number];

export interface LiveState extends State {
  cluster: ClusterRow;
  readonly nodes: Map<string, NodeRow>;
  readonly apps: Map<string, AppRow>;
  readonly workloads: Map<string, WorkloadRow>;
  readonly runs: Map<string, RunRow>;
  readonly slots: Map<string, SlotRow>;
  readonly tasks: Map<string, TaskRow>;
  readonly elements: Map<string, ElementPage>;
  readonly ports: Map<string, RestingPort>;
  readonly users: Map<string, UserRow>;
  readonly tokens: Map<string, TokenRow>;
}

export function isLive(table: Change["table"]): table is LiveTable {
  return (LIVE_TABLES as readonly string[]).includes(table);
}

export function emptyState(cluster: ClusterRow): LiveState {
  return {
    cluster,
    nodes: new Map(),
    apps: new Map(),
    workloads: new Map(),
    runs: new Map(),
    slots: new Map(),
    tasks: new Map(),
    elements: new Map(),
    ports: new Map(),
    users: new Map(),
    tokens: new Map(),
  };
}

/** Applies changed rows to the live maps, in place. Rows that only history keeps are skipped. */
export function applyToLive(state: LiveState, changes: readonly Change[]): void {
  for (const change of changes) {
    if (change.table === "cluster") {
      state.cluster = change.row;
    } else if (isLive(change.table)) {
      const map = state[change.table] as Map<string, unknown>;
      if (change.row === null) map.delete(change.key);
      else map.set(change.key, change.row);
    }
  }
}
