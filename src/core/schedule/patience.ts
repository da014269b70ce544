// Room that is kept for a demand that has waited for long: smaller ones that come behind it would take every piece of
// room that becomes free, for ever. It is kept on the nodes where the demand fits first.

import { hasRoom, isCandidate } from "../place/checks";
import { fullSlotName, type Demand, type Pass } from "../pass/pass";
import { holdKept } from "../place/company";
import { formatAge } from "../format";
import { pickIn, takeRoom, trialOf, type Room } from "../place/room";
import type { Look } from "../place/shape";
import { resolvedFor } from "../place/spare";
import { giveBack } from "../model/resources";
import type { Promised } from "../model/promised";
import type { TaskRow } from "../model/rows-task";
import type { Ms } from "../units";

/** For how many demands room is kept at once. What waits behind them gets its turn when they run. */
const MOST_KEPT = 4;

/** Returns since when a demand has waited: since its run was made, or since the end of its last attempt. */
export const waitsSince = ({ owner, slot_row }: Demand): Ms | null => {
  const ended = Math.max(0, slot_row?.not_before_ms ?? 0, ...(slot_row?.ends ?? []).map(({ at_ms }) => at_ms));
  return "run" in owner ? Math.max(owner.created_ms, ended) : ended === 0 ? null : ended;
};

/**
 * Keeps room for a demand that finds none, if it has waited for `patience_ms`. Returns when it will have, or null if it
 * has, or if it is never kept room for. A node counts as soon as what runs there and ends by itself, jobs, would leave
 * enough: nodes where that is known to come earliest first, then those where the fewest jobs have to end. A node that
 * is kept free becomes such a node more and more, so the choice stays.
 */
export function keepRoom(look: Look, demand: Demand): Ms | null {
  const { pass, rooms } = look;
  const since_ms = waitsSince(demand);
  if (since_ms === null || demand.only !== null || demand.stops_first !== null) return null;
  if (since_ms + pass.limits.patience_ms > pass.now_ms) return since_ms + pass.limits.patience_ms;
  if (look.shape.never_kept || new Set(rooms.kept.map((each) => each.demand)).size >= MOST_KEPT) return null;
  const first = rooms.list
    .flatMap((room) => firstFit(look, room) ?? [])
    .sort((a, b) => a.at_ms - b.at_ms || a.ends - b.ends || a.room.index - b.room.index)
    .slice(0, demand.spec.members);
  if (first.length < demand.spec.members) {
    look.shape.never_kept = true;
    return null;
  }
  const who = fullSlotName(demand.owner, demand.slot);
  const name = `room for ${who}, which has waited for ${formatAge(pass.now_ms - since_ms)}`;
  for (const { room, promised } of first) {
    takeRoom(rooms, room, promised);
    holdKept(rooms, { room, promised, demand, name });
  }
  return null;
}

/** Where a demand would fit, once some jobs have ended. */
interface Fit {
  readonly room: Room;
  /** When the last of these jobs has to end by its time limit; infinite if one has none. */
  readonly at_ms: Ms;
  /** How many jobs have to end. */
  readonly ends: number;
  /**
   * What is kept there: of what the demand needs, what is free now, and its cards, also those that are still in use.
   */
  readonly promised: Promised;
}

/** Returns how a demand comes to fit on a node, or null if it would not even if all jobs there had ended. */
function firstFit(look: Look, room: Room): Fit | null {
  if (!isCandidate(look, room)) return null;
  const jobs = jobsOn(look.pass, room);
  const empty = trialOf(room);
  for (const { task } of jobs) giveBack(empty.free, task.promised);
  look.rooms.checks++;
  if (!hasRoom(look, empty)) return null;
  const trial = trialOf(room);
  let at_ms = 0;
  for (const [ends, { task, ends_ms }] of jobs.entries()) {
    look.rooms.checks++;
    if (hasRoom(look, trial)) return { room, at_ms, ends, promised: partOf(look, trial, room) };
    at_ms = Math.max(at_ms, ends_ms);
    giveBack(trial.free, task.promised);
    trial.picked = null;
    trial.filled = null;
  }
  return { room, at_ms, ends: jobs.length, promised: partOf(look, trial, room) };
}

/** Returns the jobs on a node, those that end first by their time limits before the others. */
function jobsOn(pass: Pass, { node }: Room): { readonly task: TaskRow; readonly ends_ms: Ms }[] {
  const jobs: { task: TaskRow; ends_ms: Ms }[] = [];
  for (const tasks of pass.tasks.values()) {
    for (const task of tasks)
      if (task.node_id === node.id && task.kind === "job") jobs.push({ task, ends_ms: endOf(pass, task) });
  }
  return jobs.sort((a, b) => a.ends_ms - b.ends_ms || (a.task.uid < b.task.uid ? -1 : 1));
}

function endOf(pass: Pass, { owner_uid, observed, created_ms, desired }: TaskRow): Ms {
  const settings = pass.state.runs.get(owner_uid)?.settings;
  if (desired === "stop") return pass.now_ms + (settings?.stop.grace_ms ?? 0);
  const limit_ms = settings?.time_limit_ms ?? null;
  if (limit_ms === null) return Number.POSITIVE_INFINITY;
  return (observed.state === "running" ? observed.started_ms : created_ms) + limit_ms;
}

function partOf(look: Look, trial: Room, { free }: Room): Promised {
  const { cpu_milli, memory_bytes, disk_bytes, countables } = resolvedFor(look, trial);
  const { gpu } = look.shape.spec.request;
  const cards = gpu === null ? [] : (pickIn(trial, gpu)?.cards ?? []);
  const part = (need: number, left: number): number => Math.max(0, Math.min(need, left));
  return {
    cpu_milli: part(cpu_milli, free.cpu_milli),
    memory_bytes: part(memory_bytes, free.memory_bytes),
    disk_bytes: part(disk_bytes, free.disk_bytes),
    countables: Object.fromEntries(
      Object.entries(countables).map(([name, need]) => [name, part(need, free.countables?.get(name) ?? 0)]),
    ),
    memory_limited: false,
    devices: cards.map(({ card, bytes }) => ({ id: card.device.id, bytes })),
    ports: [],
  };
}
