// Converts between rows of the model and rows of SQLite: which table, which key, and each column's value on either
// side.

import { getTableColumns } from "drizzle-orm";
import { getTableConfig } from "drizzle-orm/sqlite-core";
import type { ElementPage } from "../core/model/array";
import type { NodeTests } from "../core/model/node-tests";
import type { SQLiteTable } from "drizzle-orm/sqlite-core";
import type { Change, ClusterRow, EventRow, GraveRow, RestingPort, TokenRow, UserRow } from "../core/model/rows-state";
import type { AppRow, RunRow, SlotRow, VersionRow, WorkloadRow } from "../core/model/rows-work";
import type { TaskRow } from "../core/model/rows-task";
import type { NodeRow } from "../core/model/rows-node";
import type { Ms } from "../core/units";
import { AssertionError } from "../core/assert";
import * as tables from "./tables";

/** A value that SQLite takes and returns. */
export type Cell = string | number | null;

export type TableName = Change["table"];

interface Column {
  readonly name: string;
  readonly kind: "plain" | "flag" | "json";
}

/** One table: how its rows are written, read and found. */
export interface RowTable {
  readonly name: TableName;
  /** The field of a row that is its key. The cluster's row has none. */
  readonly key: string;
  readonly columns: readonly Column[];
  /** Whether the table has the column `archived_ms`, which holds the batch's time and is no field of the row. */
  readonly archived: boolean;
  readonly upsert: string;
  readonly remove: string;
}

function rowTable(name: TableName, table: SQLiteTable): RowTable {
  const all = Object.values(getTableColumns(table));
  const key = all.find((column) => column.primary)?.name ?? "";
  const own = all.filter((column) => column.name !== "archived_ms" && !(name === "cluster" && column.name === "key"));
  const columns = own.map((column): Column => ({
    name: column.name,
    kind: column.dataType === "json" ? "json" : column.dataType === "boolean" ? "flag" : "plain",
  }));
  const archived = all.some((column) => column.name === "archived_ms");
  const names = [
    ...columns.map((column) => column.name),
    ...(archived ? ["archived_ms"] : []),
    ...(name === "cluster" ? ["key"] : []),
  ];
  const sets = names.filter((column) => column !== key).map((column) => `"${column}" = excluded."${column}"`);
  const { name: sqlName } = getTableConfig(table);
  return {
    name,
    key,
    columns,
    archived,
    upsert:
      `insert into "${sqlName}" (${names.map((column) => `"${column}"`).join(", ")}) ` +
      `values (${names.map(() => "?").join(", ")}) on conflict ("${key}") do update set ${sets.join(", ")}`,
    remove: `delete from "${sqlName}" where "${key}" = ?`,
  };
}

/** The tables that a change may name. */
export const ROW_TABLES: { readonly [N in TableName]: RowTable } = {
  cluster: rowTable("cluster", tables.cluster),
  nodes: rowTable("nodes", tables.nodes),
  apps: rowTable("apps", tables.apps),
  workloads: rowTable("workloads", tables.workloads),
  runs: rowTable("runs", tables.runs),
  slots: rowTable("slots", tables.slots),
  tasks: rowTable("tasks", tables.tasks),
  elements: rowTable("elements", tables.elements),
  ports: rowTable("ports", tables.ports),
  users: rowTable("users", tables.users),
  tokens: rowTable("tokens", tables.tokens),
  specs: rowTable("specs", tables.specs),
  ended_tasks: rowTable("ended_tasks", tables.ended_tasks),
  ended_runs: rowTable("ended_runs", tables.ended_runs),
  ended_elements: rowTable("ended_elements", tables.ended_elements),
  versions: rowTable("versions", tables.versions),
  node_tests: rowTable("node_tests", tables.node_tests),
  graves: rowTable("graves", tables.graves),
  events: rowTable("events", tables.events),
};

/** Returns a row's key, read from the row itself. */
export function keyOf(table: TableName, row: object): string {
  if (table === "cluster") return "cluster";
  return String((row as Record<string, unknown>)[ROW_TABLES[table].key]);
}

/** Returns the cells of a row in the order of the table's upsert. */
export function encodeRow(table: RowTable, row: object, at_ms: Ms): Cell[] {
  const cells: Cell[] = [];
  for (const column of table.columns) {
    const value = (row as Record<string, unknown>)[column.name];
    if (value === null || value === undefined) cells.push(null);
    else if (column.kind === "json") cells.push(JSON.stringify(value));
    else if (column.kind === "flag") cells.push(value === true ? 1 : 0);
    else if (typeof value === "string" || typeof value === "number") cells.push(value);
    else throw new AssertionError(`${table.name}.${column.name} holds a ${typeof value}`);
  }
  if (table.archived) cells.push(at_ms);
  if (table.name === "cluster") cells.push("cluster");
  return cells;
}

/** Returns a row of the model, without the columns that are the store's own. */
export function decodeRow<T>(table: RowTable, raw: Readonly<Record<string, unknown>>): T {
  const row: Record<string, unknown> = {};
  for (const { name, kind } of table.columns) {
    const cell = raw[name] ?? null;
    if (cell === null) row[name] = null;
    else if (kind === "json") row[name] = JSON.parse(cell as string);
    else row[name] = kind === "flag" ? cell === 1 : cell;
  }
  return row as T;
}

// Model and tables have the same fields, or this does not compile.
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never;
type Stored<T extends { $inferSelect: object }> = Omit<T["$inferSelect"], "archived_ms">;
export const SAME_AS_MODEL: readonly true[] = [
  true satisfies Same<Omit<Stored<typeof tables.cluster>, "key">, ClusterRow>,
  true satisfies Same<Stored<typeof tables.nodes>, NodeRow>,
  true satisfies Same<Stored<typeof tables.apps>, AppRow>,
  true satisfies Same<Stored<typeof tables.workloads>, WorkloadRow>,
  true satisfies Same<Stored<typeof tables.runs>, RunRow>,
  true satisfies Same<Stored<typeof tables.ended_runs>, RunRow>,
  true satisfies Same<Stored<typeof tables.slots>, SlotRow>,
  true satisfies Same<Stored<typeof tables.tasks>, TaskRow>,
  true satisfies Same<Stored<typeof tables.ended_tasks>, TaskRow>,
  true satisfies Same<Stored<typeof tables.elements>, ElementPage>,
  true satisfies Same<Stored<typeof tables.ended_elements>, ElementPage>,
  true satisfies Same<Stored<typeof tables.ports>, RestingPort>,
  true satisfies Same<Stored<typeof tables.users>, UserRow>,
  true satisfies Same<Stored<typeof tables.tokens>, TokenRow>,
  true satisfies Same<Stored<typeof tables.versions>, VersionRow>,
  true satisfies Same<Stored<typeof tables.node_tests>, NodeTests>,
  true satisfies Same<Stored<typeof tables.graves>, GraveRow>,
  true satisfies Same<Stored<typeof tables.events>, EventRow>,
];
