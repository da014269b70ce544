// One transaction as the laws see it: the state before and after, and the rows that it changed, sorted by table.

import type { Change, State } from "../model/rows-state";
import type { RunRow } from "../model/rows-work";
import type { TaskRow } from "../model/rows-task";
import type { NodeRow } from "../model/rows-node";

/** A transaction that is about to be part of a batch. */
export interface Moment {
  /** `plan`, `server`, `node NAME`, or a person's name. */
  readonly actor: string;
  readonly before: State;
  readonly after: State;
  /** The newest image of each changed row, one change a row; without the cluster's. */
  readonly changes: Iterable<Change>;
  /** Whether history had this task before the transaction. */
  readonly hasEnded: (uid: string) => boolean;
  /** Whether laws whose check reads every live task are checked, too, although the plan is not the actor. */
  readonly thorough: boolean;
}

/** A changed row with its image before: `undefined` is a row that was not there, `null` one that left. */
export interface Changed<Row> {
  readonly key: string;
  readonly was: Row | undefined;
  readonly row: Row | null;
}

/** A moment with its changes sorted, made once for all laws. */
export interface MomentRows {
  readonly moment: Moment;
  readonly before: State;
  readonly after: State;
  /** The last images of every changed row, by table. */
  readonly rows: { readonly [T in Change["table"]]?: readonly Extract<Change, { table: T }>[] };
  readonly tasks: readonly Changed<TaskRow>[];
  readonly runs: readonly Changed<RunRow>[];
  readonly nodes: readonly Changed<NodeRow>[];
  /** Attempts that the plan has placed by this transaction. */
  readonly placed: readonly TaskRow[];
  /** Live tasks on each node of the machines on which something was placed. Reads every live task, once. */
  readonly onNodes: () => ReadonlyMap<string, readonly TaskRow[]>;
  /** Live tasks of each owner of which a task or slot was changed. Reads every live task, once. */
  readonly ofOwners: () => ReadonlyMap<string, readonly TaskRow[]>;
  /** Whether reading every live task is worth it: in passes always, else only where it is asked for. */
  readonly scans: boolean;
}

export function rowsOf(moment: Moment): MomentRows {
  const { before, after } = moment;
  const rows: Record<string, Change[]> = {};
  for (const change of moment.changes) (rows[change.table] ??= []).push(change);
  const tasks = changed(rows["tasks"], before.tasks);
  const scans = moment.thorough || moment.actor === "plan";
  const isNew = ({ was, row }: Changed<TaskRow>): boolean =>
    was === undefined && row !== null && row.observed.state === "assigned";
  const placed = moment.actor === "plan" ? tasks.filter(isNew).map(({ row }) => row as TaskRow) : [];
  let groups: Groups | null = null;
  const grouped = (): Groups => (groups ??= group(after, placed, ownersOf(rows, tasks)));
  return {
    moment,
    before,
    after,
    rows,
    tasks,
    runs: changed(rows["runs"], before.runs),
    nodes: changed(rows["nodes"], before.nodes),
    placed,
    scans,
    onNodes: () => grouped().onNodes,
    ofOwners: () => grouped().ofOwners,
  };
}

function changed<Row>(changes: readonly Change[] | undefined, before: ReadonlyMap<string, Row>): Changed<Row>[] {
  return (changes ?? []).map(({ key, row }) => ({ key, was: before.get(key), row: row as Row | null }));
}

function ownersOf(rows: Readonly<Record<string, Change[]>>, tasks: readonly Changed<TaskRow>[]): Set<string> {
  const owners = new Set<string>();
  for (const { row, was } of tasks) owners.add((row ?? was)?.owner_uid ?? "");
  for (const change of rows["slots"] ?? []) owners.add(change.key.slice(0, change.key.lastIndexOf("/")));
  for (const table of ["runs", "workloads"] as const)
    for (const { key, row } of rows[table] ?? []) if (row === null) owners.add(key);
  return owners;
}

interface Groups {
  readonly onNodes: ReadonlyMap<string, readonly TaskRow[]>;
  readonly ofOwners: ReadonlyMap<string, readonly TaskRow[]>;
}

function group(after: State, placed: readonly TaskRow[], owners: ReadonlySet<string>): Groups {
  const onNodes = new Map<string, TaskRow[]>();
  const ofOwners = new Map<string, TaskRow[]>([...owners].map((uid) => [uid, []]));
  const fingerprints = new Set(placed.map((task) => after.nodes.get(task.node_id)?.fingerprint));
  if (placed.length > 0)
    for (const node of after.nodes.values()) if (fingerprints.has(node.fingerprint)) onNodes.set(node.id, []);
  for (const task of after.tasks.values()) {
    onNodes.get(task.node_id)?.push(task);
    ofOwners.get(task.owner_uid)?.push(task);
  }
  return { onNodes, ofOwners };
}
