// Cards that are held and not used: their tasks are told so, or give them back. Nothing happens that a workload did not
// ask for, and by default nothing while nobody waits for such a card.

import { compareText } from "../canonical";
import { formatDuration } from "../format";
import type { RunRow, WorkloadRow } from "../model/rows-work";
import type { TaskRow } from "../model/rows-task";
import { ownerSlotName, runOf, setRun, stopTask, tasksOf, wakeAt, type Demand, type Pass } from "../pass/pass";
import { leaveRoom, takeRoom, type Room, type Rooms } from "../place/room";
import { hasPorts, promiseIn } from "../place/schedule";
import { bestRooms } from "../place/search";
import { noShapes, shapeOf, type Shape } from "../place/shape";
import { taskName } from "../model/task";
import type { Ms } from "../units";
import type { IdleSettings } from "../model/workload";
import type { IdleFact } from "../pass/snapshot";

/** An attempt whose cards have been idle for as long as its workload allows. */
interface Idle {
  readonly owner: WorkloadRow | RunRow;
  readonly settings: IdleSettings;
  /** Its task, or all members of its gang. */
  readonly tasks: readonly TaskRow[];
  readonly idle_ms: Ms;
  readonly told: boolean;
}

/** At most so many of those who wait are looked at. */
const MOST_WAITING = 64;
export const RECLAIMED_BY = "idle reclaim";

/** Stops what is idle too long, or tells of it. `rooms` is what the pass leaves, `waiting` what it could not place. */
export function reclaimIdle(pass: Pass, rooms: Rooms | null, waiting: readonly Demand[]): void {
  const idle = idleAttempts(pass);
  for (const one of idle) if (!one.settings.only_if_wanted) act(pass, one, null);
  const wanted = idle.filter(({ settings }) => settings.only_if_wanted);
  if (wanted.length === 0 || rooms === null) return;
  const cards = waiting.filter(({ spec, only }) => spec.request.gpu !== null && only === null).slice(0, MOST_WAITING);
  const reclaim: Reclaim = { pass, rooms, idle: wanted, shapes: noShapes(), hopeless: new Set() };
  leaveEnding(reclaim);
  for (const demand of cards) {
    // What ends anyway, and what this pass has stopped for others, comes first.
    const soon = fit(reclaim, demand);
    if (soon === null) giveTo(reclaim, demand);
    else take(reclaim, demand, soon);
  }
}

// ---- who is idle

function idleAttempts(pass: Pass): Idle[] {
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
  return [...attempts.values()].flatMap((tasks) => idleAttempt(pass, tasks)).sort(byIdle);
}

const byIdle = (a: Idle, b: Idle): number => b.idle_ms - a.idle_ms || compareText(nameOf(a), nameOf(b));
const nameOf = ({ tasks: [first] }: Idle): string => (first === undefined ? "" : `${taskName(first)} ${first.uid}`);

/** A gang is idle when every member that holds cards is. What has been told to stop gives its cards back anyway. */
function idleAttempt(pass: Pass, tasks: readonly TaskRow[]): Idle[] {
  const owner_uid = tasks[0]?.owner_uid ?? "";
  const owner = runOf(pass, owner_uid) ?? pass.state.workloads.get(owner_uid);
  const settings = owner?.settings.idle;
  if (owner === undefined || settings === undefined) return [];
  if (tasks.some((task) => task.desired !== "run" || task.written_off !== null || pass.stopped.has(task.uid)))
    return [];
  const facts = tasks
    .filter((task) => task.promised.devices.length > 0)
    .map((task) => pass.snapshot.idle.get(task.uid) ?? NEVER);
  const idle_ms = Math.min(...facts.map((fact) => fact.idle_ms));
  if (idle_ms >= settings.for_ms) {
    return [{ owner, settings, tasks, idle_ms, told: facts.every(({ told }) => told) }];
  }
  if (idle_ms > 0) wakeAt(pass, pass.now_ms + settings.for_ms - idle_ms);
  return [];
}

const NEVER: IdleFact = { idle_ms: 0, told: false };

// ---- who waits, and for what

interface Reclaim {
  readonly pass: Pass;
  readonly rooms: Rooms;
  readonly idle: readonly Idle[];
  /** Only to know which demands are alike. */
  readonly shapes: ReturnType<typeof noShapes>;
  /** What no idle card could serve. */
  readonly hopeless: Set<Shape>;
}

/** Where a demand would fit now. Nothing is remembered, since rooms grow here, too. */
function fit({ pass, rooms }: Reclaim, demand: Demand): readonly Room[] | null {
  const look = { pass, rooms, shape: shapeOf(pass, noShapes(), demand) };
  return bestRooms(look, demand.spec.members, (room, chosen) => hasPorts(look, room, chosen));
}

function take({ pass, rooms }: Reclaim, demand: Demand, chosen: readonly Room[]): void {
  const look = { pass, rooms, shape: shapeOf(pass, noShapes(), demand) };
  for (const room of chosen) takeRoom(rooms, room, promiseIn(look, room));
}

/** Rooms as they will be once everything that is told to stop has ended. */
function leaveEnding({ pass, rooms }: Reclaim): void {
  for (const tasks of pass.tasks.values())
    for (const task of tasks) if (task.desired === "stop" || pass.stopped.has(task.uid)) leave(rooms, task);
}

function leave(rooms: Rooms, { node_id, promised }: TaskRow): void {
  const room = rooms.byId.get(node_id);
  if (room !== undefined) leaveRoom(room, promised);
}

function comeBack(rooms: Rooms, { node_id, promised }: TaskRow): void {
  const room = rooms.byId.get(node_id);
  if (room !== undefined) takeRoom(rooms, room, promised);
}

/** Stops the fewest idle attempts of one node that let a demand in; those that only want to be told are told. */
function giveTo(reclaim: Reclaim, demand: Demand): void {
  const { pass, shapes, hopeless, idle } = reclaim;
  const shape = shapeOf(pass, shapes, demand);
  if (hopeless.has(shape)) return;
  const others = idle.filter(({ owner, tasks }) => owner.uid !== demand.owner.uid && !isStopped(pass, tasks));
  const nodes = new Set(others.flatMap(({ tasks }) => tasks.map(({ node_id }) => node_id)));
  let best: readonly Idle[] | null = null;
  for (const node_id of nodes) {
    const here = others.filter(({ tasks }) => tasks.some((task) => task.node_id === node_id));
    const gives = fewest(
      reclaim,
      demand,
      here.filter(({ settings }) => settings.action === "stop"),
    );
    if (gives !== null && (best === null || gives.length < best.length)) best = gives;
    for (const one of here.filter(({ settings }) => settings.action === "notify")) {
      if (fewest(reclaim, demand, [one]) !== null) act(pass, one, demand);
    }
  }
  if (best === null) {
    // Another owner of the same shape might take from this one.
    if (others.length === idle.filter(({ tasks }) => !isStopped(pass, tasks)).length) hopeless.add(shape);
    return;
  }
  for (const one of best) {
    act(pass, one, demand);
    for (const task of one.tasks) leave(reclaim.rooms, task);
  }
  const chosen = fit(reclaim, demand);
  if (chosen !== null) take(reclaim, demand, chosen);
}

const isStopped = (pass: Pass, tasks: readonly TaskRow[]): boolean => tasks.some((task) => pass.stopped.has(task.uid));

/** The first of these attempts, the longest idle first, without which the demand fits; `null`: it never does. */
function fewest(reclaim: Reclaim, demand: Demand, candidates: readonly Idle[]): readonly Idle[] | null {
  const { rooms } = reclaim;
  const gone: Idle[] = [];
  let fits = false;
  for (const one of candidates) {
    gone.push(one);
    for (const task of one.tasks) leave(rooms, task);
    fits = fit(reclaim, demand) !== null;
    if (fits) break;
  }
  for (const task of gone.flatMap(({ tasks }) => tasks)) comeBack(rooms, task);
  return fits ? gone : null;
}

// ---- what is done about it

/** `for_whom: null`: nobody has to wait for it to be done. */
function act(pass: Pass, idle: Idle, for_whom: Demand | null): void {
  const { owner, settings, tasks } = idle;
  const why = whyIdle(idle, for_whom);
  const [first] = tasks;
  if (settings.action === "notify") {
    const again = idle.told || pass.ops.some((op) => op.op === "notify" && op.task === first);
    if (first !== undefined && !again) pass.ops.push({ op: "notify", task: first, why });
    return;
  }
  const isRun = "run" in owner;
  if (isRun) setRun(pass, { ...owner, cancel: { at_ms: pass.now_ms, by: RECLAIMED_BY }, reason: why }, why);
  for (const task of tasks) stopTask(pass, task, owner.settings.stop, why, !isRun);
}

function whyIdle({ settings, tasks }: Idle, for_whom: Demand | null): string {
  const cards = tasks.reduce((sum, task) => sum + task.promised.devices.length, 0);
  const what = cards === 1 ? "its GPU was" : `its ${cards} GPUs were`;
  const text = `${what} below ${settings.gpu_below_percent} % for ${formatDuration(settings.for_ms)}`;
  if (for_whom === null) return text;
  const { owner, slot } = for_whom;
  const name = ownerSlotName(owner, slot);
  return `${text}, and ${"run" in owner && owner.app === null ? `run ${name}` : name} waits for a card`;
}
