// What one planning pass works with: facts about nodes, tasks by owner, and the decisions taken so far.

import { drainingOf, stopsAt } from "./drain";
import type { State } from "../model/rows-state";
import type { RunRow, SlotRow, WorkloadRow } from "../model/rows-work";
import type { StopOrder, TaskRow } from "../model/rows-task";
import type { Blocked, Op, PlanLimits, Snapshot } from "./snapshot";
import { jobName, slotKey } from "../model/task";
import type { Ms } from "../units";
import type { Kind, StopSettings, TaskSpec } from "../model/workload";
import { contact, type NodeFact } from "./contact";

/** A slot that shall have an attempt, if there is room. */
export interface Demand {
  readonly owner: WorkloadRow | RunRow;
  readonly kind: Kind;
  readonly spec: TaskSpec;
  readonly slot: number;
  readonly slot_row: SlotRow | null;
  /** The one node that a daemon's task belongs to. */
  readonly only: NodeFact | null;
  /** Attempts that are given up by the same commit that places this one. */
  readonly gives_up: readonly TaskRow[];
  /** An attempt that never runs beside another: where this one finds room, that one is told to stop, no more. */
  readonly stops_first: TaskRow | null;
  readonly why: string;
}

export interface ApartWorkload {
  readonly name: string;
  readonly from: readonly string[];
}

export interface Pass {
  readonly snapshot: Snapshot;
  readonly state: State;
  readonly limits: PlanLimits;
  readonly now_ms: Ms;
  readonly nodes: ReadonlyMap<string, NodeFact>;
  readonly mass_silence: boolean;
  /** Live tasks by the uid of their workload or run. */
  readonly tasks: Map<string, TaskRow[]>;
  /** Slots that this pass has changed. */
  readonly slots: Map<string, SlotRow>;
  /** Runs that this pass has changed, as they will be, and why. */
  readonly runs: Map<string, { readonly run: RunRow; readonly why: string }>;
  readonly ops: Op[];
  /** Tasks that this pass has ordered to stop. */
  readonly stopped: Set<string>;
  readonly demands: Demand[];
  /** Slots that wait for something else than room. */
  readonly waits: Blocked[];
  readonly notices: string[];
  /** Nodes that have other tasks than daemons', once somebody has asked. */
  nodes_with_work: ReadonlySet<string> | null;
  /** By app uid, the workloads that keep apart from others, once somebody has asked. */
  apart: ReadonlyMap<string, readonly ApartWorkload[]> | null;
  /** Node checks made so far; the pass ends its search at `limits.node_checks`. */
  checks: number;
  /** How many uids were derived from the seed. */
  made: number;
  wake_at_ms: Ms | null;
}

/** Asks for another pass when time has come; what is past or now needs none. */
export function wakeAt(pass: Pass, at_ms: Ms): void {
  if (at_ms > pass.now_ms && (pass.wake_at_ms === null || at_ms < pass.wake_at_ms)) pass.wake_at_ms = at_ms;
}

const NONE: readonly TaskRow[] = [];

export const tasksOf = (pass: Pass, owner_uid: string): readonly TaskRow[] => pass.tasks.get(owner_uid) ?? NONE;

export const runOf = (pass: Pass, uid: string): RunRow | undefined =>
  pass.runs.get(uid)?.run ?? pass.state.runs.get(uid);

export function slotOf(pass: Pass, owner_uid: string, slot: number): SlotRow | null {
  const key = slotKey(owner_uid, slot);
  return pass.slots.get(key) ?? pass.state.slots.get(key) ?? null;
}

/** Orders a task to stop, once. `idle`: its slot is not filled again before somebody asks for it. */
export function stopTask(pass: Pass, task: TaskRow, settings: StopSettings, why: string, idle = false): void {
  if (task.desired === "stop" || pass.stopped.has(task.uid)) return;
  pass.stopped.add(task.uid);
  const order = { why, signal: settings.signal, grace_ms: settings.grace_ms, at_ms: pass.now_ms };
  const stop: StopOrder = idle ? { ...order, idle } : order;
  pass.ops.push({ op: "stop", task, stop, why });
}

/** Whether a task runs and has done so for long enough; its node may be silent meanwhile. */
export function isSettled(pass: Pass, task: TaskRow): boolean {
  if (task.observed.state !== "running") return false;
  const settled = task.observed.started_ms + pass.limits.settle_ms;
  wakeAt(pass, settled);
  return settled <= pass.now_ms;
}

/** Whether a task is known, now, to run well: settled, and its node is heard. */
export const isUp = (pass: Pass, task: TaskRow): boolean =>
  isSettled(pass, task) && pass.nodes.get(task.node_id)?.heard === true;

/** Whether a draining node's time is up for this task; asks for a pass when it will be. */
export function isDrainDue(pass: Pass, task: TaskRow, { grace_ms }: StopSettings): boolean {
  const node = pass.nodes.get(task.node_id)?.node;
  const draining = node === undefined ? null : drainingOf(node);
  const due = draining === null ? null : stopsAt(draining, grace_ms);
  if (due === null) return false;
  wakeAt(pass, due);
  return due <= pass.now_ms;
}

/** The workload's own name; a run of an app's job is called `app.job`. */
export function workloadNameOf(owner: WorkloadRow | RunRow): string {
  return "run" in owner ? jobName(owner) : owner.name;
}

/** `recs.api.0`, `123`: what people call a slot. */
export function ownerSlotName(owner: WorkloadRow | RunRow, slot: number): string {
  if ("run" in owner && owner.app === null) return String(owner.run);
  return `${owner.app}.${workloadNameOf(owner)}.${slot}`;
}

/** Notes that a slot waits for something that is no matter of room. */
export function waitFor(
  pass: Pass,
  owner: WorkloadRow | RunRow,
  slot: number,
  summary: string,
  smallest_change: string | null = null,
): void {
  pass.waits.push({
    name: ownerSlotName(owner, slot),
    owner_uid: owner.uid,
    slot,
    kind: "queued",
    summary,
    smallest_change,
    nodes: [],
  });
}

/** Sets what a run will be after this pass. */
export function setRun(pass: Pass, run: RunRow, why: string): void {
  pass.runs.set(run.uid, { run, why });
}

function byOwner(state: State): Map<string, TaskRow[]> {
  const tasks = new Map<string, TaskRow[]>();
  for (const task of state.tasks.values()) {
    const known = tasks.get(task.owner_uid);
    if (known === undefined) tasks.set(task.owner_uid, [task]);
    else known.push(task);
  }
  return tasks;
}

export function begin(snapshot: Snapshot): Pass {
  const { state, limits, now_ms } = snapshot;
  const { nodes, ops, mass_silence, notices, next_in_ms } = contact(snapshot);
  const pass: Pass = {
    snapshot,
    state,
    limits,
    now_ms,
    nodes,
    mass_silence,
    tasks: byOwner(state),
    slots: new Map(),
    runs: new Map(),
    ops: [...ops],
    stopped: new Set(),
    demands: [],
    waits: [],
    notices: [...notices],
    nodes_with_work: null,
    apart: null,
    checks: 0,
    made: 0,
    wake_at_ms: null,
  };
  if (next_in_ms !== null) wakeAt(pass, now_ms + next_in_ms);
  return pass;
}
