// Cards that are held and not used: the owners of their tasks are told, or the tasks have to end. A workload has to ask
// for either. By default, either happens only while somebody waits for such a card.

import { isHeir } from "../model/heirs";
import { withCancel } from "../model/new-run";
import { compareText } from "../canonical";
import { formatDuration } from "../format";
import type { RunRow, WorkloadRow } from "../model/rows-work";
import type { TaskRow } from "../model/rows-task";
import {
  draftAfter,
  slotNameForAll,
  runOf,
  setRun,
  stopTask,
  tasksOf,
  wakeAt,
  type Demand,
  type Findings,
  type Pass,
  type PassDraft,
} from "../pass/pass";
import { openRooms, takeRoom, type Room } from "../place/room";
import { promiseIn } from "../place/promise";
import type { Placements } from "../schedule/schedule";
import { noShapes, shapeOf, type Shape } from "../place/shape";
import { fit, release, smallestRelease, type WhatIf } from "../place/what-if";
import { isToStop, taskName } from "../model/task";
import type { Ms } from "../units";
import type { IdleSettings } from "../model/workload";
import type { IdleFact } from "../pass/snapshot";

/** An attempt whose workload limits how long its cards may be idle. */
interface Idle {
  readonly owner: WorkloadRow | RunRow;
  readonly settings: IdleSettings;
  /** Its task, or all members of its gang. */
  readonly tasks: readonly TaskRow[];
  readonly idle_ms: Ms;
  readonly told: boolean;
}

/** The most waiting demands that are examined. */
const MOST_WAITING = 64;
export const RECLAIMED_BY = "idle reclaim";

/**
 * Stops attempts that are idle too long, or tells their owners. `placed` says what the pass has placed, and who waits.
 */
export function reclaimIdle(pass: Pass, placed: Placements): Findings {
  const draft = draftAfter(pass, placed);
  const all = idleAttempts(draft);
  for (const { idle_ms, settings } of all) if (idle_ms > 0) wakeAt(draft, pass.now_ms + settings.for_ms - idle_ms);
  const idle = all.filter(({ idle_ms, settings }) => idle_ms >= settings.for_ms);
  for (const one of idle) if (!one.settings.only_if_wanted) act(draft, one, null);
  const wanted = idle.filter(({ settings }) => settings.only_if_wanted);
  const waiting = placed.waiting.filter(({ spec, only }) => spec.request.gpu !== null && only === null);
  if (wanted.length === 0 || waiting.length === 0) return draft;
  const rooms = openRooms(pass, draft.stopped, placed.placed);
  const reclaim: Reclaim = { pass, draft, rooms, idle: wanted, shapes: noShapes(), hopeless: new Set() };
  leaveEnding(reclaim);
  for (const demand of waiting.slice(0, MOST_WAITING)) {
    // Room that becomes free anyway, and what this pass has stopped for others, is used first.
    const soon = fit(reclaim, demand);
    if (soon === null) giveTo(reclaim, demand);
    else take(reclaim, demand, soon);
  }
  return draft;
}

// ---- who is idle

/** Returns the attempts whose workload limits their idle time, the longest idle first. */
function idleAttempts(found: PassDraft): Idle[] {
  const { pass } = found;
  const attempts = new Map<string, readonly TaskRow[]>();
  for (const uid of pass.snapshot.idle.keys()) {
    const task = pass.state.tasks.get(uid);
    if (task === undefined) continue;
    const { owner_uid, slot, attempt } = task;
    attempts.set(
      `${owner_uid}/${slot}/${attempt}`,
      tasksOf(pass, owner_uid).filter((other) => other.slot === slot && other.attempt === attempt),
    );
  }
  return [...attempts.values()].flatMap((tasks) => idleAttempt(found, tasks)).sort(byIdle);
}

const byIdle = (a: Idle, b: Idle): number => b.idle_ms - a.idle_ms || compareText(nameOf(a), nameOf(b));
const nameOf = ({ tasks: [first] }: Idle): string => (first === undefined ? "" : `${taskName(first)} ${first.uid}`);

/**
 * Returns the attempt with its idle time, or nothing if its workload does not limit idle time, or if one of its tasks
 * is not meant to run on. A gang has been idle for as long as every member with cards.
 */
function idleAttempt(found: PassDraft, tasks: readonly TaskRow[]): Idle[] {
  const { pass } = found;
  const owner_uid = tasks[0]?.owner_uid ?? "";
  const owner = runOf(pass, found, owner_uid) ?? pass.state.workloads.get(owner_uid);
  const settings = owner?.settings.idle;
  if (owner === undefined || settings === undefined) return [];
  if (tasks.some((task) => task.desired !== "run" || task.written_off !== null || found.stopped.has(task.uid)))
    return [];
  const facts = tasks
    .filter((task) => task.promised.devices.length > 0)
    .map((task) => pass.snapshot.idle.get(task.uid) ?? NEVER);
  const idle_ms = Math.min(...facts.map((fact) => fact.idle_ms));
  return [{ owner, settings, tasks, idle_ms, told: facts.every(({ told }) => told) }];
}

const NEVER: IdleFact = { idle_ms: 0, told: false };

// ---- which demands wait, and which cards would serve them

interface Reclaim extends WhatIf {
  readonly draft: PassDraft;
  readonly idle: readonly Idle[];
  /** Serves only to find out which demands are alike. */
  readonly shapes: ReturnType<typeof noShapes>;
  /** Shapes that no idle card could serve. */
  readonly hopeless: Set<Shape>;
}

function take({ pass, rooms }: Reclaim, demand: Demand, chosen: readonly Room[]): void {
  const look = { pass, rooms, shape: shapeOf(pass, noShapes(), demand) };
  for (const room of chosen) takeRoom(rooms, room, promiseIn(look, room));
}

/** Changes the rooms to their state after every task that was told to stop has ended. Heirs hold nothing yet. */
function leaveEnding({ pass, draft, rooms }: Reclaim): void {
  const ends = (task: TaskRow): boolean =>
    (isToStop(task) || draft.stopped.has(task.uid)) && !isHeir(task, pass.state.tasks);
  for (const tasks of pass.tasks.values()) release(rooms, { tasks: tasks.filter(ends) });
}

/**
 * Stops the fewest idle attempts of one node whose release lets a demand fit. An owner that asked only for notices gets
 * one if its attempt alone would be enough.
 */
function giveTo(reclaim: Reclaim, demand: Demand): void {
  const { pass, draft, shapes, hopeless, idle } = reclaim;
  const shape = shapeOf(pass, shapes, demand);
  if (hopeless.has(shape)) return;
  const others = idle.filter(({ owner, tasks }) => owner.uid !== demand.owner.uid && !isStopped(draft, tasks));
  const nodes = new Set(others.flatMap(({ tasks }) => tasks.map(({ node_id }) => node_id)));
  let best: readonly Idle[] | null = null;
  for (const node_id of nodes) {
    const here = others.filter(({ tasks }) => tasks.some((task) => task.node_id === node_id));
    const stoppable = here.filter(({ settings }) => settings.action === "stop");
    best = smallestRelease(reclaim, demand, stoppable, best === null ? undefined : best.length - 1) ?? best;
    for (const one of here.filter(({ settings }) => settings.action === "notify")) {
      if (smallestRelease(reclaim, demand, [one]) !== null) act(draft, one, demand);
    }
  }
  if (best === null) {
    // A demand of another owner may have the same shape, and could be served from this owner's attempts.
    if (others.length === idle.filter(({ tasks }) => !isStopped(draft, tasks)).length) hopeless.add(shape);
    return;
  }
  for (const one of best) {
    act(draft, one, demand);
    release(reclaim.rooms, one);
  }
  const chosen = fit(reclaim, demand);
  if (chosen !== null) take(reclaim, demand, chosen);
}

const isStopped = ({ stopped }: PassDraft, tasks: readonly TaskRow[]): boolean =>
  tasks.some((task) => stopped.has(task.uid));

// ---- what is done about an idle attempt

/**
 * Stops an idle attempt, or tells its owner. If `for_whom` is null, this is done even if nobody waits for the cards.
 */
function act(draft: PassDraft, idle: Idle, for_whom: Demand | null): void {
  const { owner, settings, tasks } = idle;
  const why = whyIdle(idle, for_whom);
  const [first] = tasks;
  if (settings.action === "notify") {
    const again = idle.told || draft.ops.some((op) => op.op === "notify" && op.task === first);
    const uids = tasks.map(({ uid }) => uid);
    if (first !== undefined && !again) draft.ops.push({ op: "notify", task: first, uids, why });
    return;
  }
  const isRun = "run" in owner;
  if (isRun) setRun(draft, withCancel(owner, RECLAIMED_BY, draft.pass.now_ms, why), why);
  for (const task of tasks) stopTask(draft, task, owner.settings.stop, why, isRun ? {} : { idle: true });
}

function whyIdle({ settings, tasks }: Idle, for_whom: Demand | null): string {
  const cards = tasks.reduce((sum, task) => sum + task.promised.devices.length, 0);
  const what = cards === 1 ? "its GPU was" : `its ${cards} GPUs were`;
  const text = `${what} below ${settings.gpu_below_percent} % for ${formatDuration(settings.for_ms)}`;
  if (for_whom === null) return text;
  return `${text}, and ${slotNameForAll(for_whom.owner, for_whom.slot)} waits for a card`;
}
