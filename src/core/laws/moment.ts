// One transaction as the laws see it: the state before and after, and the rows that it changed, sorted by table.

import type { Change, State } from "../model/rows-state";
import type { RunRow } from "../model/rows-work";
import type { TaskRow } from "../model/rows-task";
import type { NodeRow } from "../model/rows-node";

/** A transaction that is about to become part of a batch. */
export interface Moment {
  /** Who made the transaction: `plan`, `server`, `node NAME`, or a person's name. */
  readonly actor: string;
  readonly before: State;
  readonly after: State;
  /** The newest image of each changed row, one change a row. The cluster's row is left out. */
  readonly changes: Iterable<Change>;
  /** Returns whether the task was in history before the transaction. */
  readonly hasEnded: (uid: string) => boolean;
  /**
   * Whether everything is checked. Otherwise, placements are sampled, and laws that read every live task are skipped at
   * times.
   */
  readonly thorough: boolean;
}

/**
 * A changed row with its images before and after. `was` is undefined for a new row, `row` is null for one that left.
 */
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
  /** The last image of every changed row, by table. */
  readonly rows: { readonly [T in Change["table"]]?: readonly Extract<Change, { table: T }>[] };
  readonly tasks: readonly Changed<TaskRow>[];
  readonly runs: readonly Changed<RunRow>[];
  readonly nodes: readonly Changed<NodeRow>[];
  /** Changed tasks that were live before and still are. */
  readonly kept: readonly { readonly was: TaskRow; readonly row: TaskRow }[];
  /** Tasks that are live now and were not before. Of those that the plan has placed, only the sample. */
  readonly fresh: readonly TaskRow[];
  /** Attempts that the plan has placed in this transaction. */
  readonly placed: readonly TaskRow[];
  /** The placed attempts that the laws of placing check: all of them, or an even selection if they are many. */
  readonly sample: readonly TaskRow[];
  /** Returns the live tasks on each node of the sample's machines. Every live task is read for it, once. */
  readonly onNodes: () => ReadonlyMap<string, readonly TaskRow[]>;
  /**
   * Returns the live tasks by owner and slot, for owners whose tasks or slots are checked. Every live task is read for
   * it, once.
   */
  readonly ofSlots: () => ReadonlyMap<string, ReadonlyMap<number, readonly TaskRow[]>>;
  /** Whether every live task may be read for this transaction. */
  readonly scans: boolean;
}

/** About how many placements of one pass are checked, so that the laws stay cheap beside the pass. */
const SAMPLE = 100;
/**
 * If there are at most this many live tasks (2,000), every pass reads them all. If there are more, one pass in eight
 * does.
 */
const [SCANNED_ALWAYS, SCANNED_EVERY] = [2_000, 8];

export function rowsOf(moment: Moment): MomentRows {
  const { before, after } = moment;
  const rows: Record<string, Change[]> = {};
  for (const change of moment.changes) (rows[change.table] ??= []).push(change);
  const tasks = changed(rows["tasks"], before.tasks);
  const kept: { was: TaskRow; row: TaskRow }[] = [];
  const others: TaskRow[] = [];
  const placed: TaskRow[] = [];
  for (const { was, row } of tasks) {
    if (row === null) continue;
    if (was !== undefined) kept.push({ was, row });
    else if (moment.actor === "plan" && row.observed.state === "assigned") placed.push(row);
    else others.push(row);
  }
  const sample = moment.thorough ? placed : sampleOf(placed, after.cluster.revision);
  let groups: Groups | null = null;
  const grouped = (): Groups => (groups ??= group(moment, sample, tasks, ownersOf(rows, before, sample)));
  return {
    moment,
    before,
    after,
    rows,
    tasks,
    runs: changed(rows["runs"], before.runs),
    nodes: changed(rows["nodes"], before.nodes),
    kept,
    fresh: [...others, ...sample],
    placed,
    sample,
    scans: moment.thorough || (moment.actor === "plan" && isScanned(before.tasks.size, after.cluster.revision)),
    onNodes: () => grouped().onNodes,
    ofSlots: () => grouped().ofSlots,
  };
}

const isScanned = (tasks: number, revision: number): boolean =>
  tasks <= SCANNED_ALWAYS || revision % SCANNED_EVERY === 0;

/**
 * Returns every n-th placement. The first placement that is checked changes with the revision, so that a lasting fault
 * is found.
 */
function sampleOf(placed: readonly TaskRow[], revision: number): readonly TaskRow[] {
  const step = Math.ceil(placed.length / SAMPLE);
  return step <= 1 ? placed : placed.filter((_, n) => (n + revision) % step === 0);
}

function changed<Row>(changes: readonly Change[] | undefined, before: ReadonlyMap<string, Row>): Changed<Row>[] {
  return (changes ?? []).map(({ key, row }) => ({ key, was: before.get(key), row: row as Row | null }));
}

/** Returns the owners of what was placed, and of slots that remember fewer attempts than before. */
function ownersOf(rows: Readonly<Record<string, Change[]>>, before: State, sample: readonly TaskRow[]): Set<string> {
  const owners = new Set(sample.map(({ owner_uid }) => owner_uid));
  for (const change of rows["slots"] ?? []) {
    const was = before.slots.get(change.key);
    const attempts = change.table === "slots" ? (change.row?.attempts ?? 0) : 0;
    if (was !== undefined && attempts < was.attempts) owners.add(was.owner_uid);
  }
  return owners;
}

interface Groups {
  readonly onNodes: ReadonlyMap<string, readonly TaskRow[]>;
  readonly ofSlots: ReadonlyMap<string, ReadonlyMap<number, readonly TaskRow[]>>;
}

function group(
  { before, after }: Moment,
  sample: readonly TaskRow[],
  tasks: readonly Changed<TaskRow>[],
  owners: ReadonlySet<string>,
): Groups {
  const onNodes = new Map<string, TaskRow[]>();
  const ofSlots = new Map<string, Map<number, TaskRow[]>>([...owners].map((uid) => [uid, new Map()]));
  const machines = new Set(sample.map((task) => after.nodes.get(task.node_id)?.fingerprint));
  if (sample.length > 0)
    for (const node of after.nodes.values()) if (machines.has(node.fingerprint)) onNodes.set(node.id, []);
  const add = (task: TaskRow): void => {
    onNodes.get(task.node_id)?.push(task);
    const slots = ofSlots.get(task.owner_uid);
    if (slots === undefined) return;
    const known = slots.get(task.slot);
    if (known === undefined) slots.set(task.slot, [task]);
    else known.push(task);
  };
  // `before` is mostly a plain map. `after` is a view over it, in which reading a row costs a look-up.
  const stale = new Set(tasks.flatMap(({ was }) => (was === undefined ? [] : [was])));
  for (const task of before.tasks.values()) if (stale.size === 0 || !stale.has(task)) add(task);
  for (const { row } of tasks) if (row !== null) add(row);
  return { onNodes, ofSlots };
}
