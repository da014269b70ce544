// The server's intake: what reports and inventories change of the tasks that it knows. States only rise, and older
// reports are dropped.

import type { TaskEnd } from "../model/rows-work";
import type { ToldVerb } from "./assign";
import { NO_RECORD, proofOfAbsence } from "./absent";
import { mayMove } from "../model/lifecycle";
import type { Change, State } from "../model/rows-state";
import type { Observed, TaskRow } from "../model/rows-task";
import type { NodeRow, Orphan } from "../model/rows-node";
import type { Inventory, TaskReport, Verb } from "../model/record";
import type { TaskFinal } from "../model/end";
import { keptOrphans } from "./orphans";
import { grantOf, isBelievable, NUMBER_MAX, rowOf } from "./adopted";
import { arrayChanges, takeResults } from "./batches";
import { observedOf } from "./reported";
import { emptySlot } from "../pass/slot";
import { isEnd, slotKey, taskName } from "../model/task";
import { type IntakeDraft, type IntakeContext, putSlot, putTask } from "./draft";
import { endWithoutReport, takeEnd } from "./ends";

export interface Intake {
  readonly changes: readonly Change[];
  /**
   * Stops for tasks that live on the node, although their end is in history or their workload or run was removed for
   * good. They are sent at once, and again with each report of the task.
   */
  readonly verbs: readonly Verb[];
  /** What was dropped or could not be decided, and why; for the log and the operator. */
  readonly notes: readonly string[];
  /** What the node said that is not believed, such as reports of other nodes' tasks. */
  readonly doubts: readonly string[];
}

/** The result of an inventory, which also tells how far the agent is, so that only the difference is sent. */
export interface InventoryIntake extends Intake {
  readonly told: Map<string, ToldVerb>;
}

/**
 * Returns how far the agent counts as told: about the tasks that its inventory names, and about the `asked` tasks, so
 * that the server does not start these again.
 */
function toldByInventory(inventory: Inventory, asked: readonly TaskRow[]): Map<string, ToldVerb> {
  const told = new Map<string, ToldVerb>();
  for (const { uid, reported } of inventory.entries) told.set(uid, reported.state === "preparing" ? "prepare" : "run");
  for (const { uid } of [...asked, ...inventory.unreadable]) told.set(uid, "run");
  return told;
}

/** Takes in one report of a connected agent. */
export function observe(state: State, node_id: string, entries: readonly TaskReport[], context: IntakeContext): Intake {
  const node = state.nodes.get(node_id);
  if (node === undefined) return { changes: [], verbs: [], notes: [`report of unknown node ${node_id}`], doubts: [] };
  const draft = begin(node.boot_id, node.orphans);
  takeIn(state, node, entries, context, draft);
  return finish(state, node, draft);
}

/**
 * Takes in the whole inventory of an agent that has just connected. Tasks that the inventory does not name are judged
 * last.
 */
export function observeInventory(
  state: State,
  node_id: string,
  inventory: Inventory,
  context: IntakeContext,
): InventoryIntake {
  const node = state.nodes.get(node_id);
  if (node === undefined) {
    return { changes: [], verbs: [], notes: [`inventory of unknown node ${node_id}`], doubts: [], told: new Map() };
  }
  const draft = begin(inventory.boot_id, []);
  takeIn(state, node, inventory.entries, context, draft);
  for (const { uid, name, pid, held } of inventory.unreadable) {
    const owner = state.tasks.get(uid)?.node_id ?? node_id;
    if (owner !== node_id || isNamed(state, uid)) {
      draft.doubts.push(`told of a record of something that is not its own: ${uid}`);
      continue;
    }
    // The promise of a known task is counted with the task.
    const booked = state.tasks.get(uid)?.node_id === node_id;
    draft.orphans.set(uid, { uid, name, pid, held: booked ? null : held });
  }
  const asked = judgeAbsent(state, node, inventory, context, draft);
  const unread = unreadIn(state, node, inventory);
  const doubtful = [...unread, ...asked];
  const hidden = [...unread, ...strangersIn(state, node, inventory, context)];
  const reason =
    doubtful.length === 0
      ? null
      : `${hidden.length === 0 ? LIVE_ON : UNREAD}, so nobody knows of ` +
        `${doubtful.map(taskName).join(", ")}: orch cancel ends a run, orch node drain ${node.name} --deadline 1s ` +
        `ends them there: what may have begun asks then`;
  const done = finish(state, { ...node, boot_id: inventory.boot_id, reason }, draft, node);
  return {
    ...done,
    changes: [...done.changes, ...recovered(state, node_id, inventory.entries, context)],
    told: toldByInventory(inventory, asked),
  };
}

const UNREAD = "it has records that it cannot read";
const LIVE_ON = "it has a new data directory, and processes of before may live on";

/** Returns the tasks whose records an inventory could not read and of which no process is seen to live. */
const unreadIn = ({ tasks }: State, node: NodeRow, { unreadable }: Inventory): readonly TaskRow[] =>
  unreadable.flatMap(({ uid, pid }) => {
    const task = tasks.get(uid);
    return pid === null && task?.node_id === node.id ? [task] : [];
  });

/**
 * Returns what an inventory could not read and may be of any task: a record of a uid that the server does not know,
 * living or ended.
 */
const strangersIn = (
  { tasks }: State,
  node: NodeRow,
  { unreadable }: Inventory,
  { hasEnded }: IntakeContext,
): readonly Orphan[] => unreadable.filter(({ uid }) => tasks.get(uid)?.node_id !== node.id && !hasEnded(uid));

/**
 * Returns whether the uid is one of a workload, a run, an app or a node. A task of that uid would be taken for theirs.
 */
const isNamed = ({ workloads, runs, apps, nodes }: State, uid: string): boolean =>
  [workloads, runs, apps, nodes].some((rows) => rows.has(uid));

const begin = (boot_id: string, orphans: readonly Orphan[]): IntakeDraft => ({
  boot_id,
  tasks: new Map(),
  by_slot: null,
  slots: new Map(),
  arrays: new Map(),
  orphans: new Map(orphans.map((orphan) => [orphan.uid, orphan])),
  changes: [],
  verbs: [],
  notes: [],
  doubts: [],
});

function finish(state: State, node: NodeRow, draft: IntakeDraft, before: NodeRow = node): Intake {
  const { orphans, beyond } = keptOrphans(node, [...draft.orphans.values()]);
  const kept = `lists ${draft.orphans.size} tasks that no server knows: of ${beyond} only the room is kept`;
  const doubts = beyond === 0 ? draft.doubts : [...draft.doubts, kept];
  const same = before === node && JSON.stringify(orphans) === JSON.stringify(node.orphans);
  const all = [...draft.changes, ...arrayChanges(state, draft)];
  const changes = same ? all : [...all, { table: "nodes", key: node.id, row: { ...node, orphans } } as const];
  return { changes, verbs: draft.verbs, notes: draft.notes, doubts };
}

/**
 * Returns the changes that end a restored server's wait for this node. `next_run` is raised above the run numbers in
 * the node's inventory that a server has signed, so that none is given out again.
 */
function recovered(
  state: State,
  node_id: string,
  entries: readonly TaskReport[],
  { isAssigned }: IntakeContext,
): Change[] {
  const { cluster } = state;
  if (cluster.recovering === null) return [];
  const awaited = cluster.recovering.filter((id) => id !== node_id);
  const runs = entries
    .filter((entry) => isAssigned(node_id, entry, "identity"))
    .map(({ identity }) => identity?.run ?? 0)
    .filter((run) => run <= NUMBER_MAX);
  const next_run = Math.max(cluster.next_run, ...runs.map((run) => run + 1));
  const recovering = awaited.length === 0 ? null : awaited;
  return [{ table: "cluster", key: "cluster", row: { ...cluster, next_run, recovering } }];
}

function takeIn(
  state: State,
  node: NodeRow,
  entries: readonly TaskReport[],
  context: IntakeContext,
  draft: IntakeDraft,
): void {
  // An entry without an identity may be about the successor that another entry reports, so it is taken in after that
  // one.
  const rank = ({ identity }: TaskReport): number => identity?.attempt ?? Number.MAX_SAFE_INTEGER;
  const ordered = [...entries].sort((a, b) => rank(a) - rank(b));
  for (const entry of ordered) {
    // The task's end was in an earlier entry, so what else is reported of it is older.
    const booked = draft.tasks.get(entry.uid);
    if (booked === null) continue;
    const task = booked ?? state.tasks.get(entry.uid);
    if (task === undefined) strange(state, node, entry, context, draft);
    else if (task.node_id !== node.id) draft.doubts.push(`told of ${taskName(task)}, which is a task of another node`);
    else known(state, task, entry, context, draft);
  }
}

/** Takes in an entry about a live task. */
function known(state: State, row: TaskRow, entry: TaskReport, context: IntakeContext, draft: IntakeDraft): void {
  const observed = observedOf(entry.reported, context.now_ms);
  const task = takeResults(state, row, entry, context, draft);
  const from = task.observed.state;
  if (isEnd(observed)) {
    takeEnd(state, task, asKnown(task, entry, observed), entry, context, draft);
    return;
  }
  const rises = mayMove(from, observed.state);
  const prepares =
    from === "preparing" &&
    observed.state === "preparing" &&
    JSON.stringify(task.observed) !== JSON.stringify(observed);
  if (rises || prepares) putTask(draft, { ...task, observed });
  else if (task !== row) putTask(draft, task);
}

/**
 * Returns the end of a task with what the server knows better: when it began, and that it began. An agent without a
 * record of the task says that it was stopped before it began, since it does not find it. If it had reported that the
 * task ran, then nobody knows how it ended.
 */
function asKnown(task: TaskRow, { identity }: TaskReport, final: TaskFinal): TaskFinal {
  const { state } = task.observed;
  const since_ms = "started_ms" in task.observed ? task.observed.started_ms : null;
  const known = { ...final, started_ms: final.started_ms ?? since_ms };
  const ran = state === "starting" || state === "running" || state === "stopping";
  if (!ran || identity !== null || final.state !== "stopped" || final.started_ms !== null) return known;
  return { ...known, state: "unknown", cause: NO_RECORD.cause, reason: NO_RECORD.why };
}

/**
 * Takes in an entry about a task that is not live here. The end of a task is recorded only while recovering, for a
 * workload or run that is known. A living task is told to stop if its end is in history or its workload or run was
 * removed. It is adopted while recovering, or if an earlier attempt's grant covers it, and only for a workload or run
 * that is known. Otherwise it becomes an orphan.
 */
function strange(state: State, node: NodeRow, entry: TaskReport, context: IntakeContext, draft: IntakeDraft): void {
  const observed = observedOf(entry.reported, context.now_ms);
  const { identity } = entry;
  // A restored copy does not know which elements a batch of after it has, so the batch is kept as an orphan.
  const run = identity === null ? undefined : state.runs.get(identity.owner_uid);
  const owned = identity !== null && (run?.array === null || state.workloads.has(identity.owner_uid));
  if (isEnd(observed)) {
    draft.orphans.delete(entry.uid);
    if (state.cluster.recovering === null || !owned || context.hasEnded(entry.uid)) return;
    if (!context.isAssigned(node.id, entry, "place")) {
      draft.doubts.push(`told how ${entry.name} ended, which no server has assigned to it`);
      return;
    }
    const row = rowOf(state, node, entry, context, null);
    if (row !== null) takeEnd(state, row, observed, entry, context, draft);
    return;
  }
  if (context.hasEnded(entry.uid) || (identity !== null && context.hasGrave(identity.owner_uid))) {
    draft.verbs.push({
      verb: "stop",
      uid: entry.uid,
      attempt: identity?.attempt ?? 0,
      assigned_revision: 0,
      signal: "TERM",
      grace_ms: 10_000,
      why: "its end is already on record",
    });
    return;
  }
  const known = owned && identity !== null && entry.held !== null && isBelievable(entry, identity);
  const earlier = known ? grantOf(state, draft, node, entry.uid, identity) : null;
  const isAssigned = state.cluster.recovering !== null && context.isAssigned(node.id, entry, "place");
  if (known && (isAssigned || earlier !== null)) {
    adopt(state, node, entry, observed, context, draft, earlier);
    return;
  }
  if (isNamed(state, entry.uid)) {
    draft.doubts.push(`told of a task with the uid of something else: ${entry.uid}`);
    return;
  }
  const pid = observed.state === "running" || observed.state === "stopping" ? observed.pid : null;
  const { uid, held } = entry;
  // A name that only the node says holds nobody up.
  const proven = identity !== null && context.isAssigned(node.id, entry, "name") ? identity : null;
  const name = proven === null ? entry.name : taskName(proven);
  draft.orphans.set(uid, { uid, name, pid, held, ...(proven === null ? {} : { project: proven.project }) });
  draft.notes.push(`${node.name} runs ${name}, which no server knows: kept; see orch show ${node.name}`);
}

/** Takes in a living attempt of a known workload or run that the server has not seen yet. */
function adopt(
  state: State,
  node: NodeRow,
  entry: TaskReport,
  observed: Observed,
  context: IntakeContext,
  draft: IntakeDraft,
  earlier: TaskRow | TaskEnd | null,
): void {
  const { identity } = entry;
  const row = rowOf(state, node, entry, context, earlier);
  if (identity === null || row === null) return;
  draft.orphans.delete(entry.uid);
  // What was decided about the attempt before holds for this one too.
  const decided =
    earlier === null || !("desired" in earlier)
      ? {}
      : { desired: earlier.desired, stop: earlier.stop, written_off: earlier.written_off };
  putTask(draft, { ...row, ...decided, observed });
  const key = slotKey(identity.owner_uid, identity.slot);
  const slot = draft.slots.get(key) ?? state.slots.get(key) ?? emptySlot(identity.owner_uid, identity.slot);
  putSlot(draft, { ...slot, attempts: Math.max(slot.attempts, row.grant_until) });
  draft.notes.push(`adopted ${taskName(row)} on ${node.name}`);
}

/** Decides about tasks of this node that its inventory does not name. Returns those about which nobody can decide. */
function judgeAbsent(
  state: State,
  node: NodeRow,
  inventory: Inventory,
  context: IntakeContext,
  draft: IntakeDraft,
): TaskRow[] {
  const named = new Set([...inventory.entries, ...inventory.unreadable].map((entry) => entry.uid));
  // What is known to be of one task, such as a survivor of a lost data directory, hides no other one.
  const unnamed = { ...inventory, unreadable: strangersIn(state, node, inventory, context) };
  const asked: TaskRow[] = [];
  for (const task of state.tasks.values()) {
    if (task.node_id !== node.id || named.has(task.uid) || draft.tasks.has(task.uid)) continue;
    const proof = proofOfAbsence(task, node, unnamed, state.cluster.timeline);
    if (proof.is === "lost" || proof.is === "unknown") endWithoutReport(state, task, proof, context, draft);
    else if (proof.is === "ask") asked.push(task);
  }
  // A successor that the inventory mentions and does not list has lost its record since.
  for (const [uid, task] of Array.from(draft.tasks)) {
    if (task === null || state.tasks.has(uid) || named.has(uid)) continue;
    if (unnamed.unreadable.length > 0) asked.push(task);
    else endWithoutReport(state, task, NO_RECORD, context, draft);
  }
  return asked;
}

/** Returns what follows from somebody's word that a node is gone for good: all of its tasks are lost. */
export function loseNode(state: State, node: NodeRow, by: string, why: string, context: IntakeContext): Intake {
  const draft = begin(node.boot_id, []);
  for (const task of state.tasks.values()) {
    if (task.node_id !== node.id) continue;
    endWithoutReport(state, task, { is: "lost", cause: "node_forgotten", why }, context, draft);
  }
  const { verbs, notes, doubts } = draft;
  const changes = [...draft.changes, ...arrayChanges(state, draft)].map((change) =>
    change.table === "events" ? { ...change, row: { ...change.row, actor: by } } : change,
  );
  return { changes, verbs, notes, doubts };
}
