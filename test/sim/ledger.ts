// Checks every durable batch against what was there before, and against the truth about processes from `lives`: numbers
// rise, what is final stays, nothing wanted is stopped, nothing is placed twice. What the laws of src/core/laws say is
// checked by them, since the store's own batches are built here too.

import { hasBegun } from "../../src/core/model/heirs";
import { isFinal, RUN } from "../../src/core/model/lifecycle";
import type { Change, ClusterRow, State } from "../../src/core/model/rows-state";
import type { RunRow, WorkloadRow } from "../../src/core/model/rows-work";
import type { TaskRow } from "../../src/core/model/rows-task";
import type { NodeRow } from "../../src/core/model/rows-node";
import { isWanted, slotKey, taskName } from "../../src/core/model/task";
import { makeArrayBooks, type ArrayBooks, type ArraysWorld } from "./array-checks";
import { makeCardBooks, type CardBooks } from "./cards";
import { checkCompany } from "./company";
import type { Database } from "./database";
import type { Lives } from "./lives";
import { checkEnd } from "./ends";
import { checkGangs, checkGo } from "./gangs";
import { isDraining, isRepelled, reasonToStop } from "./wanted";
import { demand } from "./violation";

export interface LedgerWorld {
  readonly note: (what: string) => void;
  readonly lives: () => Lives;
  /** Returns whether a machine cannot be asked any more: an operator had it forgotten, or its disk was lost. */
  readonly isGivenUp: (node_id: string) => boolean;
  /** Returns whether the task's record, claim or keeper was lost, so that nobody may know how it ended. */
  readonly isUnknowable: (row: TaskRow) => boolean;
  /** Returns whether a person has called this run a success. */
  readonly isDeclared: (run_uid: string) => boolean;
  /** Returns whether an older database was restored at some time. */
  readonly isRestored: () => boolean;
  /** Holds the server's decision that a node is silent against the truth. */
  readonly silent: (node: NodeRow) => void;
  /** Returns the present boot of a node's machine. */
  readonly bootOf: (node_id: string) => string | null;
  /** Holds a decision to write an attempt off against the truth. */
  readonly writtenOff: (row: TaskRow) => void;
  readonly arrays: () => ArraysWorld;
}

export interface Ledger {
  /** Called when a database becomes the valid one, for the first time or again. */
  open(database: Database): void;
  /** Checks a batch that has just become durable. */
  committed(changes: readonly Change[]): void;
  /** Called when somebody takes this node without tests. */
  skipped(node_id: string): void;
  /** The newest row that any database had of a task. */
  readonly rows: ReadonlyMap<string, TaskRow>;
  readonly writtenOff: ReadonlySet<string>;
  /** Attempts that a drain, a taint or a bad card moves away, which stay until their successors run elsewhere. */
  readonly moved: ReadonlySet<string>;
  /** Which run had a number, over restores too. */
  readonly numbers: ReadonlyMap<number, string>;
  readonly arrays: ArrayBooks;
  /** How often a job's run could be retried when an attempt of it was placed, by uid of the task. */
  readonly retries: ReadonlyMap<string, number>;
}

interface Books {
  readonly world: LedgerWorld;
  database: Database;
  cluster: ClusterRow;
  readonly tasks: Map<string, TaskRow>;
  readonly runs: Map<string, RunRow>;
  readonly ended: Map<string, TaskRow>;
  readonly endedRuns: Map<string, RunRow>;
  /** The highest attempt of each slot on this timeline. */
  readonly attempts: Map<string, number>;
  readonly rows: Map<string, TaskRow>;
  readonly writtenOff: Set<string>;
  readonly moved: Set<string>;
  readonly contacts: Map<string, NodeRow["contact"]>;
  /** Each node's tests as they were before this batch. */
  readonly tested: Map<string, Pick<NodeRow, "admission" | "testing">>;
  readonly skips: Set<string>;
  /** Nodes and workloads as they were before this batch, which may also contain changes that came after the plan. */
  readonly nodes: Map<string, NodeRow>;
  readonly workloads: Map<string, WorkloadRow>;
  readonly numbers: Map<number, string>;
  readonly retries: Map<string, number>;
  readonly cards: CardBooks;
  readonly arrays: ArrayBooks;
}

export function openLedger(world: LedgerWorld, database: Database): Ledger {
  const books: Books = {
    world,
    database,
    cluster: database.state.cluster,
    tasks: new Map(),
    runs: new Map(),
    ended: new Map(),
    endedRuns: new Map(),
    attempts: new Map(),
    rows: new Map(),
    writtenOff: new Set(),
    moved: new Set(),
    tested: new Map(),
    skips: new Set(),
    nodes: new Map(),
    workloads: new Map(),
    contacts: new Map(),
    numbers: new Map(),
    retries: new Map(),
    cards: makeCardBooks(),
    arrays: makeArrayBooks(world.arrays),
  };
  const open = (next: Database): void => {
    books.database = next;
    books.cluster = next.state.cluster;
    fill(books.tasks, next.state.tasks);
    fill(books.runs, next.state.runs);
    fill(books.ended, next.ended_tasks);
    fill(books.endedRuns, next.ended_runs);
    books.cards.open(next.state);
    books.arrays.open(next.state);
    fill(books.nodes, next.state.nodes);
    fill(books.workloads, next.state.workloads);
    books.contacts.clear();
    fill(books.tested, next.state.nodes);
    books.attempts.clear();
    for (const task of next.state.tasks.values()) rise(books, task);
  };
  open(database);
  return {
    open,
    rows: books.rows,
    writtenOff: books.writtenOff,
    moved: books.moved,
    numbers: books.numbers,
    arrays: books.arrays,
    retries: books.retries,
    committed: (changes) => committed(books, changes),
    skipped: (node_id) => void books.skips.add(node_id),
  };
}

function fill<V>(into: Map<string, V>, from: ReadonlyMap<string, V>): void {
  into.clear();
  for (const [key, value] of from) into.set(key, value);
}

const attemptKey = (task: TaskRow): string => slotKey(task.owner_uid, task.slot);

function rise(books: Books, task: TaskRow): void {
  const key = attemptKey(task);
  books.attempts.set(key, Math.max(books.attempts.get(key) ?? 0, task.attempt));
}

function committed(books: Books, changes: readonly Change[]): void {
  const { state } = books.database;
  const placed: TaskRow[] = [];
  const before = { tasks: new Map(books.tasks), workloads: books.workloads };
  for (const change of changes) {
    if (change.table === "cluster") checkCluster(books, change.row);
    else if (change.table === "tasks") checkTask(books, change.key, change.row, placed, state);
    else if (change.table === "ended_tasks") checkEndedTask(books, change.row);
    else if (change.table === "runs") checkRun(books, change.key, change.row, changes);
    else if (change.table === "ended_runs") checkEndedRun(books, change.row);
    else if (change.table === "nodes" && change.row !== null) checkNode(books, change.row);
  }
  for (const task of placed) checkPlacement(books, task, state);
  if (placed.length > 0) checkGangs(placed, state);
  checkCompany(placed, before, state, books.database.specs);
  books.cards.committed(changes);
  books.arrays.committed(changes, state);
  for (const change of changes) {
    if (change.table === "nodes") keep(books.nodes, change.key, change.row);
    else if (change.table === "workloads") keep(books.workloads, change.key, change.row);
  }
}

function keep<V>(into: Map<string, V>, key: string, row: V | null): void {
  if (row === null) into.delete(key);
  else into.set(key, row);
}

function checkCluster(books: Books, row: ClusterRow): void {
  const before = books.cluster;
  demand(
    row.revision === before.revision + 1,
    "I15: revisions rise by one",
    () => `${before.revision} to ${row.revision}`,
  );
  demand(row.at_ms >= before.at_ms, "16: committed time never goes back", () => `${before.at_ms} to ${row.at_ms}`);
  books.cluster = row;
}

function checkNode(books: Books, node: NodeRow): void {
  checkAdmission(books, node);
  const before = books.contacts.get(node.id);
  books.contacts.set(node.id, node.contact);
  if (before === "connected" && node.contact !== "connected") books.world.silent(node);
}

/** Checks that a node gets work only after its own tests have passed, or when somebody took it without. */
function checkAdmission(books: Books, node: NodeRow): void {
  const before = books.tested.get(node.id);
  books.tested.set(node.id, { admission: node.admission, testing: node.testing });
  demand(
    (node.tests?.results ?? []).every(({ detail }) => detail.startsWith(node.tests?.id ?? "")),
    "a verdict is on what its own order found",
    () => `${node.name}, ${node.tests?.id ?? ""}`,
  );
  if (node.admission !== "ready" || before?.admission === "ready" || books.skips.delete(node.id)) return;
  demand(
    before !== undefined && node.tests?.verdict === "passed" && node.tests.id === before.testing?.id,
    "a node is ready after it passed the tests that were ordered last",
    () => `${node.name}, ${before?.testing?.id ?? "nothing"} ordered, ${node.tests?.id ?? "nothing"} passed`,
  );
}

function checkTask(books: Books, uid: string, row: TaskRow | null, placed: TaskRow[], state: State): void {
  const before = books.tasks.get(uid);
  if (row === null) {
    books.tasks.delete(uid);
    demand(
      before === undefined || books.database.ended_tasks.has(uid),
      "I10: no task disappears",
      () => `${before === undefined ? uid : taskName(before)} left without an end`,
    );
    return;
  }
  const name = (): string => `${taskName(row)} ${uid.slice(0, 6)} on ${row.node_id}`;
  demand(!books.ended.has(uid), "I5: final is final", () => `${name()} came back after its end`);
  books.tasks.set(uid, row);
  books.rows.set(uid, row);
  if (before === undefined) {
    // A successor that an agent made of an attempt that was written off is written off too.
    if (row.written_off !== null) books.writtenOff.add(uid);
    if (row.observed.state === "assigned") placed.push(row);
    const run = state.runs.get(row.owner_uid);
    if (run !== undefined) books.retries.set(uid, run.settings.retries);
    rise(books, row);
    return;
  }
  if (row.written_off !== null && !books.writtenOff.has(uid)) checkWriteOff(books, row);
  if (before.desired === "prepare" && row.desired === "run") checkGo(row, state);
  if (row.stop?.unbegun === true && before.stop === null) {
    demand(row.heir_of !== null && !hasBegun(before), "33: only an heir that waits is taken back", name);
  } else if (isOrdered(row) && !isOrdered(before)) {
    const members = books.database.specs.get(row.spec_hash)?.members ?? 1;
    const reason = isDraining(row, books)
      ? "its node drained"
      : (reasonToStop(row, before, state, members) ??
        reasonToStop(row, before, { ...state, workloads: books.workloads }, members));
    if (row.kind === "service" && books.cards.isBad(row, state)) return;
    demand(reason !== null, "I7: nothing wanted is stopped", () => `${name()}: ${row.stop?.why ?? "no reason"}`);
  }
}

/** Returns whether a task has to stop also where it has begun. */
const isOrdered = ({ desired, stop }: TaskRow): boolean => desired === "stop" && stop?.unbegun !== true;

/**
 * Checks that an attempt is written off only where its workload says so, and an exclusive one only when it cannot live
 * any more.
 */
function checkWriteOff(books: Books, row: TaskRow): void {
  books.writtenOff.add(row.uid);
  books.world.writtenOff(row);
  const life = books.world.lives().living.get(row.uid);
  const settings = (books.database.state.runs.get(row.owner_uid) ?? books.database.state.workloads.get(row.owner_uid))
    ?.settings;
  const name = (): string => `${taskName(row)} ${row.uid.slice(0, 6)} on ${row.node_id}: ${row.written_off?.why ?? ""}`;
  if (books.world.isGivenUp(row.node_id) || settings === undefined) return;
  demand(life === undefined || !row.exclusive, "19: an exclusive task is replaced after its lease", name);
  demand(settings.on_node_loss !== "wait", "17: what waits for proof is not given up", name);
}

function checkPlacement(books: Books, task: TaskRow, state: State): void {
  const name = (): string => `${taskName(task)} ${task.uid.slice(0, 6)} on ${task.node_id}`;
  demand(state.cluster.recovering === null, "22: a recovering server places nothing", name);
  const node = state.nodes.get(task.node_id);
  demand(node !== undefined, "a task is placed on a node that is there", name);
  // A drain in the same batch came after the plan.
  const drains = (node?.drain?.since_ms ?? state.cluster.at_ms) < state.cluster.at_ms;
  demand(!drains, "a draining node gets nothing", name);
  demand(node === undefined || isFit(node, state), "a node that is not ready gets nothing", name);
  const boots = [node?.boot_id, books.nodes.get(task.node_id)?.boot_id];
  demand(boots.includes(task.boot_id), "12: a placement is for the node's boot", name);
  for (const other of state.tasks.values()) {
    if (other.uid === task.uid || other.owner_uid !== task.owner_uid || other.slot !== task.slot) continue;
    if (task.batch !== null) continue;
    if (other.attempt === task.attempt) {
      demand(
        other.member !== task.member,
        "I3: an attempt number is one task",
        () => `${name()} and ${taskName(other)}`,
      );
      continue;
    }
    demand(task.attempt > other.attempt, "attempts rise", () => `${name()} after ${taskName(other)}`);
    if (other.version !== task.version && !task.exclusive) continue;
    // What takes the drain or the taint back in the same batch came after the plan.
    const leaves =
      [state, books].some((seen) => isDraining(other, seen) || isRepelled(other, seen)) ||
      books.cards.isBad(other, state);
    if (leaves && !task.exclusive) {
      books.moved.add(other.uid);
      continue;
    }
    demand(
      other.written_off !== null,
      "I3: the attempt before has ended or was given up",
      () => `${name()} beside ${taskName(other)} ${other.uid.slice(0, 6)} (${other.observed.state})`,
    );
  }
  books.cards.checkPlaced(task, state);
}

/** A change in the same batch that makes the node unready came after the plan. */
function isFit({ admission, testing, tests }: NodeRow, { cluster }: State): boolean {
  if (admission === "ready") return true;
  const since_ms = admission === "testing" ? testing?.at_ms : tests?.at_ms;
  return since_ms !== undefined && since_ms >= cluster.at_ms;
}

function checkEndedTask(books: Books, row: TaskRow): void {
  const before = books.ended.get(row.uid);
  demand(
    before === undefined || before.observed.state === row.observed.state,
    "I5: final is final",
    () => `${taskName(row)} was ${before?.observed.state ?? ""}, is ${row.observed.state}`,
  );
  if (before !== undefined) return;
  books.ended.set(row.uid, row);
  books.rows.set(row.uid, row);
  books.world.note(`= ${taskName(row)} ${row.uid.slice(0, 6)} is ${row.observed.state}`);
  checkEnd(row, books.world.lives().of(row.uid), {
    ran: row.batch === null || books.world.arrays().elements.hasRun(row.uid),
    beyond: books.world.isGivenUp(row.node_id) || !isWanted(row),
    unknowable: books.world.isUnknowable(row),
    restored: books.world.isRestored(),
    rebooted: books.world.bootOf(row.node_id) !== row.boot_id,
  });
}

function checkRun(books: Books, uid: string, row: RunRow | null, changes: readonly Change[]): void {
  const before = books.runs.get(uid);
  if (row === null) {
    books.runs.delete(uid);
    const archived = changes.some((change) => change.table === "ended_runs" && change.key === uid);
    demand(before === undefined || archived, "I10: no run disappears", () => `run ${before?.run ?? uid}`);
    return;
  }
  const holder = books.numbers.get(row.run);
  demand(holder === undefined || holder === uid, "a run's number is never used twice", () => `${row.run}`);
  books.numbers.set(row.run, uid);
  books.runs.set(uid, row);
  demand(!books.endedRuns.has(uid), "I5: a finished run stays finished", () => `run ${row.run}`);
  if (before === undefined || before.state === row.state) return;
  demand(
    RUN[row.state].rank > RUN[before.state].rank,
    "a run's state rises",
    () => `run ${row.run} from ${before.state} to ${row.state}`,
  );
}

function checkEndedRun(books: Books, row: RunRow): void {
  demand(isFinal(row.state), "a run leaves when it is over", () => `run ${row.run} as ${row.state}`);
  const before = books.endedRuns.get(row.uid);
  demand(
    before === undefined || before.state === row.state,
    "I5: a finished run stays finished",
    () => `run ${row.run}`,
  );
  books.endedRuns.set(row.uid, row);
  if (before === undefined) books.world.note(`= run ${row.run} is ${row.state}: ${row.reason ?? ""}`);
  if (row.array !== null || row.state !== "succeeded" || books.world.isDeclared(row.uid)) return;
  const lives = [...books.world.lives().all.values()].filter((life) => life.identity.owner_uid === row.uid);
  demand(
    lives.some((life) => life.exit?.exit_code === 0),
    "I9: a run that succeeded had a success",
    () => `run ${row.run}`,
  );
}
