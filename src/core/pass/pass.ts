// What one planning pass works with: the facts that every step reads, and the form of what a step finds.

import { dueAt } from "./drain";
import type { State } from "../model/rows-state";
import type { RunRow, SlotRow, WorkloadRow } from "../model/rows-work";
import type { StopOrder, TaskRow } from "../model/rows-task";
import { formatAge, formatRest } from "../format";
import type { Blocked, Op, PlanLimits, Snapshot, TimedWords } from "./snapshot";
import { fullRunName, jobName, slotKey } from "../model/task";
import type { Ms } from "../units";
import type { Kind, StopSettings, TaskSpec } from "../model/workload";
import type { NodeFact } from "./contact";

/** A slot that shall have an attempt if there is room. */
export interface Demand {
  readonly owner: WorkloadRow | RunRow;
  readonly kind: Kind;
  readonly spec: TaskSpec;
  readonly slot: number;
  readonly slot_row: SlotRow | null;
  /** The one node to which a daemon's task belongs. */
  readonly only: NodeFact | null;
  /** Attempts that are written off in the same commit that places this one. */
  readonly gives_up: readonly TaskRow[];
  /**
   * The slot's present attempt, if two attempts must never run together. When the new attempt would find room without
   * it, the present one is told to stop, and nothing is placed in this pass. Of one owner that happens to one slot, and
   * only in a pass that places nothing else of it. Null if the new attempt is placed at once.
   */
  readonly stops_first: TaskRow | null;
  readonly why: string;
}

/** The facts on which one pass plans. No step changes them. */
export interface Pass {
  readonly snapshot: Snapshot;
  readonly state: State;
  readonly limits: PlanLimits;
  readonly now_ms: Ms;
  readonly nodes: ReadonlyMap<string, NodeFact>;
  readonly mass_silence: boolean;
  /** Live tasks by the uid of their workload or run, without those that are lost with a forgotten node. */
  readonly tasks: ReadonlyMap<string, readonly TaskRow[]>;
  /** Slots whose attempts were lost with a forgotten node, as they are afterwards. */
  readonly slots: ReadonlyMap<string, SlotRow>;
}

/** A run as a step leaves it, and why. */
export interface RunChange {
  readonly run: RunRow;
  readonly why: string;
}

/** What a step of a pass has found. The next step reads it, and the plan is made of all findings. */
export interface Findings {
  /** The decisions of this step, in its own order. */
  readonly ops: readonly Op[];
  /** Uids of the tasks that this step and earlier ones order to stop. */
  readonly stopped: ReadonlySet<string>;
  /** Runs that this step and earlier ones change, by uid. */
  readonly runs: ReadonlyMap<string, RunChange>;
  /** The earliest time at which time alone changes the findings; null for never. */
  readonly wake_at_ms: Ms | null;
}

/** The working copy of one step's findings. The step makes it, fills it, and returns it as its result. */
export interface PassDraft extends Findings {
  readonly pass: Pass;
  readonly ops: Op[];
  readonly stopped: Set<string>;
  readonly runs: Map<string, RunChange>;
  wake_at_ms: Ms | null;
}

/** Makes an empty draft on top of the findings of the step before. */
export const draftAfter = (pass: Pass, before: Pick<Findings, "stopped" | "runs"> | null): PassDraft => ({
  pass,
  ops: [],
  stopped: new Set(before?.stopped),
  runs: new Map(before?.runs),
  wake_at_ms: null,
});

/** Asks for another pass at a time that is yet to come. Null asks for none. */
export function wakeAt(draft: PassDraft, at_ms: Ms | null): void {
  draft.wake_at_ms = earlier(draft.pass.now_ms, draft.wake_at_ms, at_ms);
}

/** Returns the earlier of a waking time and another time. Null means never, and so does a time that is past. */
export function earlier(now_ms: Ms, wake_at_ms: Ms | null, at_ms: Ms | null): Ms | null {
  if (at_ms === null || at_ms <= now_ms) return wake_at_ms;
  return wake_at_ms === null || at_ms < wake_at_ms ? at_ms : wake_at_ms;
}

const NONE: readonly TaskRow[] = [];

export const tasksOf = (pass: Pass, owner_uid: string): readonly TaskRow[] => pass.tasks.get(owner_uid) ?? NONE;

/** Returns a run as `found` leaves it. */
export const runOf = (pass: Pass, found: Pick<Findings, "runs">, uid: string): RunRow | undefined =>
  found.runs.get(uid)?.run ?? pass.state.runs.get(uid);

export function slotOf(pass: Pass, owner_uid: string, slot: number): SlotRow | null {
  const key = slotKey(owner_uid, slot);
  return pass.slots.get(key) ?? pass.state.slots.get(key) ?? null;
}

/**
 * Orders a task to stop, unless it was ordered to before. `idle` says that the task's slot then stays empty until
 * somebody asks for its workload again, `unbegun` that the order holds only if the task has not begun.
 */
export function stopTask(
  draft: PassDraft,
  task: TaskRow,
  settings: StopSettings,
  why: string,
  how: Pick<StopOrder, "idle" | "unbegun"> = {},
): void {
  const isLess = task.stop?.unbegun === true && how.unbegun !== true;
  if ((task.desired === "stop" && !isLess) || draft.stopped.has(task.uid)) return;
  draft.stopped.add(task.uid);
  const stop = { ...how, why, signal: settings.signal, grace_ms: settings.grace_ms, at_ms: draft.pass.now_ms };
  draft.ops.push({ op: "stop", task, stop, why });
}

/** Returns when a running task has run for long enough to count as up; null if it does not run. */
export const settlesAt = ({ limits }: Pass, { observed }: TaskRow): Ms | null =>
  observed.state === "running" ? observed.started_ms + limits.settle_ms : null;

/** Returns whether a task runs and has done so for long enough. Its node may be silent meanwhile. */
export function isSettled(pass: Pass, task: TaskRow): boolean {
  const at_ms = settlesAt(pass, task);
  return at_ms !== null && at_ms <= pass.now_ms;
}

/** Returns whether a task is known to run well now: it is settled, and its node is heard. */
export const isUp = (pass: Pass, task: TaskRow): boolean =>
  isSettled(pass, task) && pass.nodes.get(task.node_id)?.heard === true;

/** Returns when a task has to leave its draining node; null if it may stay. */
export function drainDueAt(pass: Pass, task: TaskRow, { grace_ms }: StopSettings): Ms | null {
  const node = pass.nodes.get(task.node_id)?.node;
  return node === undefined ? null : dueAt(node, grace_ms);
}

/** Returns whether a task has to leave its draining node by now. */
export function isDrainDue(pass: Pass, task: TaskRow, settings: StopSettings): boolean {
  const due = drainDueAt(pass, task, settings);
  return due !== null && due <= pass.now_ms;
}

/**
 * Returns the name of a workload, or of a run's job, without the name of its app. For a run that is in no app, returns
 * the run's own name.
 */
export function workloadNameOf(owner: WorkloadRow | RunRow): string {
  return "run" in owner ? jobName(owner) : owner.name;
}

/** Returns the name of a slot: `recs.api.0`, or `123` for a run that is in no app. */
export function ownerSlotName(owner: WorkloadRow | RunRow, slot: number): string {
  if ("run" in owner && owner.app === null) return String(owner.run);
  return `${owner.app}.${workloadNameOf(owner)}.${slot}`;
}

/** Returns the name of an owner's slot for sentences that people of any project read. */
export const slotNameForAll = (owner: WorkloadRow | RunRow, slot: number): string =>
  "run" in owner && owner.app === null ? fullRunName(owner) : `${owner.project}/${ownerSlotName(owner, slot)}`;

/** Returns words as they are so long after the pass that made them. */
export const sayTimed = ({ before, is, ms, after }: TimedWords, gone_ms: Ms): string =>
  `${before}${is === "rest" ? formatRest(ms - gone_ms) : formatAge(ms + gone_ms)}${after}`;

/** Returns the words for a slot that waits for something other than room. Each of the `commands` would end the wait. */
export const waitOf = (
  owner: WorkloadRow | RunRow,
  slot: number,
  summary: string | TimedWords,
  commands: readonly string[] = [],
  stuck = false,
): Blocked => ({
  name: ownerSlotName(owner, slot),
  owner_uid: owner.uid,
  version: owner.version,
  slot,
  kind: "queued",
  ...(typeof summary === "string" ? { summary } : { summary: sayTimed(summary, 0), timed: summary }),
  smallest_changes: commands.map((command) => ({ changes: [command], outcome: null })),
  smallest_change: commands.length === 0 ? null : commands.join(", or "),
  changes: [],
  nodes: [],
  ...(stuck ? { stuck } : {}),
});

/** Sets the row that a run has after this pass. */
export function setRun(draft: PassDraft, run: RunRow, why: string): void {
  draft.runs.set(run.uid, { run, why });
}
