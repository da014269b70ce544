// Services and daemons as wholes: which slots there are, and in which order outdated ones are replaced.

import { exclusiveSilence, type NodeFact } from "../pass/contact";
import { goneDueAt, isDraining } from "../pass/drain";
import { isMatch, repelledBy } from "../place/labels";
import type { State } from "../model/rows-state";
import type { WorkloadRow } from "../model/rows-work";
import { slotsEnd, slotsOf } from "../model/slots";
import type { TaskRow } from "../model/rows-task";
import type { ReconcileDraft } from "./draft";
import { drainDueAt, isUp, settlesAt, stopTask, tasksOf, wakeAt, type Pass } from "../pass/pass";
import { isWanted } from "../model/task";
import { isFine, reconcileSlot, whyNotBegin, wantAttempt, type Keeping, type SlotView } from "./replicas";
import type { Ms } from "../units";

/** Keeps a service at its replicas: its slots, each with one attempt. */
export function reconcileService(draft: ReconcileDraft, workload: WorkloadRow): void {
  const { pass } = draft;
  const tasks = tasksOf(pass, workload.uid);
  if (isAsWanted(pass, workload, tasks)) return;
  wakeForTasks(draft, workload, tasks);
  const spec = pass.snapshot.spec(workload.spec_hash);
  const { replicas, stop } = workload.settings;
  // An attempt of an exclusive version is never beside another, even if the newest version is not exclusive any more.
  const exclusive = spec.exclusive || tasks.some((task) => task.exclusive);
  const give_up_after_ms = giveUpAfter(pass, workload, exclusive);
  const keeping: Keeping = { workload, spec, stop_first: exclusive, give_up_after_ms };
  const bySlot = groupBySlot(tasks);
  const wanted = new Set(slotsOf(workload));
  const surplus = [...bySlot.keys()].filter((slot) => !wanted.has(slot)).sort((x, y) => y - x);
  for (const slot of surplus) {
    for (const task of bySlot.get(slot) ?? []) stopTask(draft, task, stop, `scaled to ${replicas}`);
  }
  const slots: Slot[] = [];
  for (const slot of wanted) {
    slots.push({ slot, view: reconcileSlot(draft, keeping, slot, bySlot.get(slot) ?? NO_TASKS, null), fact: null });
  }
  replaceStale(draft, keeping, slots);
}

/** Asks for the passes in which time alone makes tasks up, or due to leave their draining nodes. */
function wakeForTasks(draft: ReconcileDraft, { kind, settings }: WorkloadRow, tasks: readonly TaskRow[]): void {
  for (const task of tasks) {
    if (!isWanted(task)) continue;
    wakeAt(draft, settlesAt(draft.pass, task));
    if (kind !== "daemon") wakeAt(draft, drainDueAt(draft.pass, task, settings.stop));
  }
}

/**
 * Returns whether every slot has one attempt that is fine and up. This common case is found without building anything.
 */
function isAsWanted(pass: Pass, workload: WorkloadRow, tasks: readonly TaskRow[]): boolean {
  const { replicas } = workload.settings;
  if (tasks.length !== replicas) return false;
  const end = slotsEnd(workload);
  const seen = new Uint8Array(end);
  for (const slot of workload.without ?? NO_SLOTS) seen[slot] = 1;
  for (const task of tasks) {
    if (task.slot >= end || seen[task.slot] === 1 || !isFine(pass, workload, task) || !isUp(pass, task)) return false;
    seen[task.slot] = 1;
  }
  return true;
}

/** A slot as it was found, and the node that it belongs to if it is a daemon's. */
interface Slot {
  readonly slot: number;
  readonly view: SlotView;
  readonly fact: NodeFact | null;
}

const NO_TASKS: readonly TaskRow[] = [];
const NO_SLOTS: readonly number[] = [];

function giveUpAfter(pass: Pass, workload: WorkloadRow, exclusive: boolean): Ms | null {
  if (workload.settings.on_node_loss !== "replace") return null;
  const { replace_after_ms } = pass.limits;
  return exclusive ? Math.max(replace_after_ms, exclusiveSilence(pass.limits)) : replace_after_ms;
}

function groupBySlot(tasks: readonly TaskRow[]): Map<number, TaskRow[]> {
  const bySlot = new Map<number, TaskRow[]>();
  for (const task of tasks) {
    const known = bySlot.get(task.slot);
    if (known === undefined) bySlot.set(task.slot, [task]);
    else known.push(task);
  }
  return bySlot;
}

/**
 * Replaces the attempts of an older version one slot at a time, in order. Until a slot's new attempt is up, no other
 * slot is replaced, also while that new attempt keeps crashing. An attempt that has to leave a draining node or a bad
 * card gets its successor at once, and stays until the successor is up.
 */
function replaceStale(draft: ReconcileDraft, keeping: Keeping, slots: readonly Slot[]): void {
  if (keeping.stop_first) return replaceAlone(draft, keeping, slots);
  let mayReplace = !slots.some(({ view }) => isUnproven(view));
  for (const { slot, view, fact } of slots) {
    if (view.is !== "stale" || (view.moves === null && !mayReplace)) continue;
    if (view.moves === null) mayReplace = false;
    if (view.alone) wantAttempt(draft, keeping, slot, [], whyReplaced(keeping, view), fact);
  }
}

/**
 * Replaces attempts beside which no other may run, one slot at a time: each is stopped once there would be room without
 * it, so that none is stopped for nothing. A slot that finds no room holds no other one up.
 */
function replaceAlone(draft: ReconcileDraft, keeping: Keeping, slots: readonly Slot[]): void {
  const isReplacing = ({ view }: Slot): boolean =>
    isUnproven(view) || (view.is === "pending" && view.waits_for === "end");
  if (slots.some(isReplacing)) return;
  for (const { slot, view, fact } of slots)
    if (view.is === "stale") wantAttempt(draft, keeping, slot, [], whyReplaced(keeping, view), fact, view.task);
}

/** Returns whether a slot has yet to show that its new attempt runs well. */
const isUnproven = (view: SlotView): boolean =>
  view.is === "unsettled" || (view.is === "pending" && view.waits_for === "trouble");

const whyReplaced = ({ workload }: Keeping, { moves, task }: Extract<SlotView, { readonly is: "stale" }>): string =>
  moves ?? `version ${workload.version} replaces ${task.version}`;

/**
 * Keeps one task of a daemon on every node that it matches. The slot is the node's ordinal. A node that cannot take a
 * task now keeps the one that it has, unless the node is being drained. No other node waits for it. If a node's labels,
 * taints or pool change so that it no longer matches, it keeps its task to the end, but none of an older version, and
 * begins no other.
 */
export function reconcileDaemon(
  draft: ReconcileDraft,
  workload: WorkloadRow,
  onlyDaemonsLeft: (node_id: string) => boolean,
): void {
  const { pass } = draft;
  const spec = pass.snapshot.spec(workload.spec_hash);
  const keeping: Keeping = { workload, spec, stop_first: true, give_up_after_ms: null };
  const { stop } = workload.settings;
  const all = tasksOf(pass, workload.uid);
  wakeForTasks(draft, workload, all);
  const bySlot = groupBySlot(all);
  const slots: Slot[] = [];
  for (const fact of pass.nodes.values()) {
    const slot = fact.node.ordinal;
    const tasks = bySlot.get(slot) ?? NO_TASKS;
    bySlot.delete(slot);
    const matches = isMatch(spec, fact.node);
    const repelled = matches ? null : repelledBy(spec, fact.node);
    if (repelled !== null) stopAll(draft, workload, tasks, repelled);
    else if (!matches) {
      const older = tasks.filter(({ version }) => version !== workload.version);
      stopAll(draft, workload, older, `${fact.node.name} does not match version ${workload.version}`);
      for (const task of tasks) stopAll(draft, workload, [task], whyNotBegin(pass, workload, task));
    }
    if (isDraining(fact.node)) {
      const due = goneDueAt(fact.node, stop.grace_ms);
      wakeAt(draft, tasks.length === 0 ? null : due);
      if (onlyDaemonsLeft(fact.node.id) || (due !== null && due <= pass.now_ms))
        stopAll(draft, workload, tasks, `${fact.node.name} is being drained`);
    } else if (matches && fact.usable)
      slots.push({ slot, view: reconcileSlot(draft, keeping, slot, tasks, fact), fact });
  }
  for (const tasks of bySlot.values()) stopAll(draft, workload, tasks, "its node is gone");
  slots.sort((a, b) => a.slot - b.slot);
  replaceStale(draft, keeping, slots);
}

function stopAll(draft: ReconcileDraft, workload: WorkloadRow, tasks: readonly TaskRow[], why: string | null): void {
  if (why === null) return;
  for (const task of tasks) stopTask(draft, task, workload.settings.stop, why);
}

/** Returns whether a service has all its replicas up, as `after: [service]` means it. */
export function isServiceUp(pass: Pass, workload: WorkloadRow): boolean {
  const missing = new Set(slotsOf(workload));
  for (const task of tasksOf(pass, workload.uid)) {
    const counts = task.desired !== "stop" && task.written_off === null && task.version === workload.version;
    if (counts && isUp(pass, task)) missing.delete(task.slot);
  }
  return missing.size === 0;
}

/** Returns whether a newer version of its service or daemon is to replace a task, which runs until its turn comes. */
export function isToBeReplaced({ workloads }: State, task: TaskRow): boolean {
  const workload = workloads.get(task.owner_uid);
  return workload !== undefined && workload.kind !== "job" && isWanted(task) && task.version !== workload.version;
}
