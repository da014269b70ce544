// The working copy of an intake: later entries of a report see what earlier ones have changed.

import type { SlotRow } from "../model/rows-work";
import type { TaskRow } from "../model/rows-task";
import type { Change, State } from "../model/rows-state";
import type { Orphan } from "../model/rows-node";
import type { TaskReport, Verb } from "../model/record";
import type { ArrayDraft } from "../pass/elements";
import type { PlanLimits } from "../pass/snapshot";
import type { Ms } from "../units";
import type { SealScope } from "./seal";

/** What an intake needs beyond the state. */
export interface IntakeContext {
  readonly now_ms: Ms;
  readonly revision: number;
  readonly limits: PlanLimits;
  /** 32 random hex digits, for the ids of events. */
  readonly seed: string;
  /** Returns whether a task with this uid has ended, according to history. */
  readonly hasEnded: (uid: string) => boolean;
  /** Returns whether this workload or run was removed for good, or has ended for good. */
  readonly hasGrave: (owner_uid: string) => boolean;
  /**
   * Returns whether a server of this cluster has assigned the reported attempt to this node, and its signature covers
   * the scope.
   */
  readonly isAssigned: (node_id: string, entry: TaskReport, scope: SealScope) => boolean;
}

/** The working copy of one intake. Later entries see what earlier ones changed. */
export interface IntakeDraft {
  /** The boot for which the agent speaks. */
  readonly boot_id: string;
  readonly tasks: Map<string, TaskRow | null>;
  /** The uids of tasks by workload or run, and by slot. Null until it is asked for. */
  by_slot: Map<string, Map<number, Set<string>>> | null;
  readonly slots: Map<string, SlotRow>;
  /** The arrays of whose elements something is noted, by the uid of their run. */
  readonly arrays: Map<string, ArrayDraft>;
  readonly orphans: Map<string, Orphan>;
  readonly changes: Change[];
  readonly verbs: Verb[];
  readonly notes: string[];
  /** What the node said that is not believed. */
  readonly doubts: string[];
}

/**
 * Returns the uids of all tasks of a slot that are, or were when the intake began. All tasks are looked through once in
 * an intake, however many ends it has.
 */
export function inSlot(
  state: State,
  draft: IntakeDraft,
  { owner_uid, slot }: Pick<TaskRow, "owner_uid" | "slot">,
): Iterable<string> {
  if (draft.by_slot === null) {
    draft.by_slot = new Map();
    for (const task of state.tasks.values()) index(draft.by_slot, task);
    for (const task of draft.tasks.values()) if (task !== null) index(draft.by_slot, task);
  }
  return draft.by_slot.get(owner_uid)?.get(slot) ?? [];
}

function index(by_slot: Map<string, Map<number, Set<string>>>, { uid, owner_uid, slot }: TaskRow): void {
  const slots = by_slot.get(owner_uid) ?? new Map<number, Set<string>>();
  by_slot.set(owner_uid, slots);
  slots.set(slot, (slots.get(slot) ?? new Set()).add(uid));
}

export function putTask(draft: IntakeDraft, task: TaskRow): void {
  draft.tasks.set(task.uid, task);
  if (draft.by_slot !== null) index(draft.by_slot, task);
  draft.changes.push({ table: "tasks", key: task.uid, row: task });
}

export function putSlot(draft: IntakeDraft, slot: SlotRow): void {
  draft.slots.set(slot.key, slot);
  draft.changes.push({ table: "slots", key: slot.key, row: slot });
}
