// Room that is kept for a demand that has waited for long: smaller ones that come behind it would take every piece of
// room that becomes free, for ever. It is kept on the nodes where the demand fits first.

import { slotNameForAll, type Demand, type Pass } from "../pass/pass";
import { holdKept } from "../place/company";
import { formatAge } from "../format";
import { HOUSE_LIMITS } from "../limits";
import { isCandidate } from "../place/checks";
import { takeRoom, trialOf, type KeptRoom, type Room, type Rooms } from "../place/room";
import type { Look, NeverKept } from "../place/shape";
import { needsIn } from "../place/together";
import { isHeir } from "../model/heirs";
import { giveBack } from "../model/resources";
import { isToStop } from "../model/task";
import { wantedSince } from "../model/slots";
import type { Promised } from "../model/promised";
import type { TaskRow } from "../model/rows-task";
import { SECOND_MS, type Ms } from "../units";

/** For how many demands room is kept on the same nodes. What waits behind them gets its turn when they run. */
const MOST_KEPT = 4;
/** What ends within this time is waited for at once: nothing that comes behind gets the room in between. */
const SOON_MS = 30 * SECOND_MS;
/** For how many demands room is kept at once. More would make a pass slow. */
const MOST_KEPT_IN_ALL = 32;

/**
 * Returns since when a demand has waited: since it is wanted, or since the end of its last attempt. A version that is
 * to replace a task of its slot, which runs, is not known to wait.
 */
function waitsSince({ tasks }: Pass, { owner, slot, slot_row }: Demand): Ms | null {
  if (slot_row === null && "run" in owner) return owner.created_ms;
  const ended = Math.max(0, slot_row?.not_before_ms ?? 0, ...(slot_row?.ends ?? []).map(({ at_ms }) => at_ms));
  if ("run" in owner) return Math.max(owner.created_ms, ended);
  const isThere = tasks.get(owner.uid)?.some((task) => task.slot === slot) === true;
  const wanted_ms = isThere ? null : wantedSince(owner, slot);
  return ended === 0 ? wanted_ms : Math.max(ended, wanted_ms ?? 0);
}

/** Returns since when the one of some companions has waited that has waited for the longest time. */
const longestOf = (pass: Pass, demands: readonly Demand[]): Ms | null =>
  demands
    .map((demand) => waitsSince(pass, demand))
    .reduce((a, b) => (a === null || (b !== null && b < a) ? b : a), null);

/**
 * Keeps room for a demand that finds none, or for companions that find none as a whole, if they have waited for
 * `patience_ms`, or if only what ends soon is in their way, such as batches of an array behind them. Returns when they
 * will have waited for so long, or null if they have, or if room is never kept for them. A node counts as soon as what
 * runs there and ends by itself, jobs, would leave enough: nodes where that is known to come earliest first, then those
 * where the fewest jobs have to end. A node that is kept free becomes such a node more and more, so the choice stays.
 * `never_kept` is what is known of all that are like them.
 */
export function keepRoom(looks: readonly Look[], demands: readonly Demand[], never_kept: NeverKept): Ms | null {
  const [look] = looks;
  if (look === undefined || demands.some(({ only, stops_first }) => only !== null || stops_first !== null)) return null;
  const { pass, rooms, shape } = look;
  const since_ms = longestOf(pass, demands);
  if (since_ms === null) return null;
  const patient_ms = since_ms + pass.limits.patience_ms;
  const isPatient = patient_ms <= pass.now_ms;
  const next_ms = isPatient ? null : patient_ms;
  const when = isPatient ? "ever" : "soon";
  if (never_kept[when]) return next_ms;
  const by_ms = isPatient ? Number.POSITIVE_INFINITY : pass.now_ms + SOON_MS;
  const { members } = shape.spec;
  const first = isEnoughKept(looks, rooms)
    ? []
    : rooms.list
        .flatMap((room) => firstFit(looks, room, by_ms) ?? [])
        .sort((a, b) => a.at_ms - b.at_ms || a.ends - b.ends || a.room.index - b.room.index)
        .slice(0, members);
  if (first.length < members) {
    never_kept[when] = true;
    return next_ms;
  }
  const age = formatAge(pass.now_ms - since_ms);
  for (const { room, needs } of first) {
    for (const [n, need] of needs.entries()) {
      const { owner, slot } = demands[n] as Demand;
      const promised = partOf(need, room);
      takeRoom(rooms, room, promised);
      holdKept(rooms, {
        room,
        promised,
        demands,
        name: `room for ${slotNameForAll(owner, slot)}, which has waited for ${age}`,
      });
    }
  }
  return next_ms;
}

/** Returns whether room is kept for as many others as may have it where these demands could come to fit. */
function isEnoughKept(looks: readonly Look[], { kept }: Rooms): boolean {
  if (new Set(kept.map(({ demands }) => demands)).size >= MOST_KEPT_IN_ALL) return true;
  const ahead = new Set<readonly Demand[]>();
  const could = new Map<Room, boolean>();
  for (const { room, demands } of kept) {
    if (ahead.size >= MOST_KEPT) break;
    if (!ahead.has(demands) && could.getOrInsertComputed(room, () => couldFit(looks, room, kept))) ahead.add(demands);
  }
  return ahead.size >= MOST_KEPT;
}

/** Returns whether demands would fit on a node if all jobs there had ended, and no room were kept. */
function couldFit(looks: readonly Look[], room: Room, kept: readonly KeptRoom[]): boolean {
  const [look] = looks;
  if (look === undefined || !isCandidate(look, room)) return false;
  const empty = trialOf(room);
  for (const { task } of jobsOn(look.pass, room)) giveBack(empty.free, task.promised);
  for (const each of kept) if (each.room === room) giveBack(empty.free, each.promised);
  return needsIn(looks, empty) !== null;
}

/** Where a demand, or companions, would fit, once some jobs have ended. */
interface Fit {
  readonly room: Room;
  /** When the last of these jobs has to end by its time limit; infinite if one has none. */
  readonly at_ms: Ms;
  /** How many jobs have to end. */
  readonly ends: number;
  /** What each of them needs there. */
  readonly needs: readonly Promised[];
}

/** Returns how demands come to fit on a node, or null if they would not even if all jobs there had ended by `by_ms`. */
function firstFit(looks: readonly Look[], room: Room, by_ms: Ms): Fit | null {
  const [look] = looks;
  if (look === undefined || !isCandidate(look, room)) return null;
  const jobs = jobsOn(look.pass, room).filter(({ ends_ms }) => ends_ms <= by_ms);
  if (jobs.length === 0 && Number.isFinite(by_ms)) return null;
  const empty = trialOf(room);
  for (const { task } of jobs) giveBack(empty.free, task.promised);
  const last = needsIn(looks, empty);
  if (last === null) return null;
  const trial = trialOf(room);
  let at_ms = 0;
  for (const [ends, { task, ends_ms }] of jobs.entries()) {
    const needs = needsIn(looks, trial);
    if (needs !== null) return { room, at_ms, ends, needs };
    at_ms = Math.max(at_ms, ends_ms);
    giveBack(trial.free, task.promised);
  }
  return { room, at_ms, ends: jobs.length, needs: last };
}

interface Job {
  readonly task: TaskRow;
  readonly ends_ms: Ms;
}

/** By node id, the jobs of a pass, those that end first by their time limits before the others. */
const jobsOfPass = new WeakMap<Pass, ReadonlyMap<string, readonly Job[]>>();

function jobsOn(pass: Pass, { node }: Room): readonly Job[] {
  return jobsOfPass.getOrInsertComputed(pass, jobsByNode).get(node.id) ?? [];
}

function jobsByNode(pass: Pass): ReadonlyMap<string, readonly Job[]> {
  const jobs = new Map<string, Job[]>();
  for (const tasks of pass.tasks.values()) {
    for (const task of tasks)
      if (task.kind === "job" && !isHeir(task, pass.state.tasks))
        jobs.getOrInsertComputed(task.node_id, () => []).push({ task, ends_ms: endOf(pass, task) });
  }
  for (const each of jobs.values()) each.sort((a, b) => a.ends_ms - b.ends_ms || (a.task.uid < b.task.uid ? -1 : 1));
  return jobs;
}

function endOf(pass: Pass, task: TaskRow): Ms {
  const { owner_uid, observed, created_ms, batch } = task;
  const { settings, array = null } = pass.state.runs.get(owner_uid) ?? {};
  if (isToStop(task)) return pass.now_ms + (settings?.stop.grace_ms ?? 0);
  const limit_ms = settings?.time_limit_ms ?? null;
  // A batch begins nothing more after a while, and lasts as long as its last elements then.
  if (batch !== null && array !== null && array.ended > 0)
    return pass.now_ms + HOUSE_LIMITS.batch_begins_ms + array.ran_ms / array.ended;
  if (limit_ms === null) return Number.POSITIVE_INFINITY;
  return (observed.state === "running" ? observed.started_ms : created_ms) + limit_ms;
}

/** Returns what is kept: of what is needed, what is free now, and the cards, also those that are still in use. */
function partOf({ cpu_milli, memory_bytes, disk_bytes, countables, devices }: Promised, { free }: Room): Promised {
  const part = (need: number, left: number): number => Math.max(0, Math.min(need, left));
  return {
    cpu_milli: part(cpu_milli, free.cpu_milli),
    memory_bytes: part(memory_bytes, free.memory_bytes),
    disk_bytes: part(disk_bytes, free.disk_bytes),
    countables: Object.fromEntries(
      Object.entries(countables).map(([name, need]) => [name, part(need, free.countables?.get(name) ?? 0)]),
    ),
    memory_limited: false,
    devices,
    ports: [],
  };
}
