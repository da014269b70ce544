// Gives demands their nodes, in order: all members of a gang or none. What finds no room gets a reason.

import { assert } from "../assert";
import { hasRoom, isCandidate, saidAgainAt } from "../place/checks";
import { noShapes, shapeOf, type Look, type Shapes } from "../place/shape";
import { blockedBeside, blockedBy } from "../why/blocked";
import { renewedAt } from "../place/left-out";
import type { TaskRow } from "../model/rows-task";
import {
  draftAfter,
  runOf,
  stopTask,
  waitOf,
  wakeAt,
  type Demand,
  type Findings,
  type Pass,
  type PassDraft,
} from "../pass/pass";
import { openRooms, type Rooms } from "../place/room";
import { keepRoom } from "./patience";
import { noteGrowth, triedBy } from "./growth";
import type { Tried } from "../pass/tried";
import { failureKey, hasFailed } from "../place/failed";
import { bestRooms } from "../place/search";
import { answerDue, type Need } from "../pass/presence";
import type { Ms } from "../units";
import { placeBatches } from "./batches";
import { commit } from "./commit";
import { hasBatches, leftToHandOut } from "../pass/elements";
import { becomeHeir, giveWay, noHeirs, noteWaiting, type Heirs } from "./heirs";
import { settleOut } from "../place/company";
import { companionsOf, type Companions } from "../place/companions";
import { bestRoomFor, createTogether, firstOf, partyOf, roomsToTry, type Party } from "../place/together";
import { fit, without } from "../place/what-if";
import type { Blocked } from "../pass/snapshot";

/** What was placed, and what found no room. */
export interface Placements extends Findings {
  /** Every task that got room in this pass. */
  readonly placed: readonly TaskRow[];
  /** The demands that found no room, in the order in which they were examined. */
  readonly waiting: readonly Demand[];
  /** The reason of each demand that waits. */
  readonly blocked: readonly Blocked[];
  /** Whether the bound on the pass's work was reached, and if so, whether the next pass comes further at once. */
  readonly more: "no" | "at once" | "later";
  readonly tried: Tried | null;
  /** What the demands need to find on nodes. */
  readonly needs: readonly Need[];
}

/** What one pass has scheduled so far. */
interface Scheduling {
  readonly draft: PassDraft;
  readonly rooms: Rooms;
  readonly shapes: Shapes;
  readonly blocked: Blocked[];
  readonly waiting: Demand[];
  readonly heirs: Heirs;
  /** The uids of the owners of which this pass places or replaces something. */
  readonly served: Set<string>;
  more: Placements["more"];
  placed: number;
}

/** Places what can be placed, in the order of `demands`. `before` is what the pass has found so far. */
export function schedule(pass: Pass, demands: readonly Demand[], before: Findings): Placements {
  const draft = draftAfter(pass, before);
  if (demands.length === 0) {
    return { ...draft, placed: [], blocked: [], waiting: [], more: "no", tried: null, needs: [] };
  }
  const rooms = openRooms(pass, draft.stopped);
  noteGrowth(pass, rooms);
  const shapes = noShapes(pass.snapshot.tried);
  const now: Scheduling = {
    draft,
    rooms,
    shapes,
    blocked: [],
    waiting: [],
    heirs: noHeirs(),
    served: new Set(),
    more: "no",
    placed: 0,
  };
  const companions = companionsOf(demands);
  const done = new Set<Demand>();
  for (const demand of demands) {
    const party = companions.get(demand);
    if (party === undefined) scheduleOne(now, demand);
    else if (!done.has(demand)) {
      for (const each of party.demands) done.add(each);
      scheduleParty(now, party);
    }
  }
  const { blocked, waiting } = now;
  giveWay(draft, now.heirs, rooms);
  if (waiting.length > 0) for (const room of rooms.list) wakeAt(draft, saidAgainAt(pass, room));
  // The next pass need not try again what failed here, so it comes to what this one did not look at.
  const learned =
    shapes.byKey.values().some(({ failed }) => failed !== null) ||
    shapes.parties.values().some(({ failed_at }) => failed_at !== null);
  const more = now.more === "later" && (learned || rooms.placed.length > 0) ? "at once" : now.more;
  const needs = [...shapes.needs.values()];
  if (waiting.length > 0) for (const need of needs) wakeAt(draft, answeredBy(pass, need));
  return { ...draft, placed: rooms.placed, blocked, waiting, more, tried: triedBy(pass, rooms, shapes), needs };
}

/** Returns when a node that was asked for this has had its time to answer; null if none is waited for. */
function answeredBy({ snapshot: { presences }, now_ms }: Pass, need: Need): Ms | null {
  const due = answerDue(presences, need);
  return due === null ? null : now_ms + due;
}

function scheduleOne(now: Scheduling, demand: Demand): void {
  const { draft, rooms, shapes } = now;
  const { pass } = draft;
  const look: Look = { pass, rooms, shape: shapeOf(pass, shapes, demand) };
  if (look.shape.is_array) return scheduleArray(now, look, demand);
  const first = demand.stops_first;
  // Its turn comes once the other slot has shown that it runs well.
  if (first !== null && now.served.has(demand.owner.uid)) return;
  if (first !== null && isFollowed(now, first)) return notLookedAt(now, demand);
  if (demand.only !== null || first !== null || !hasFailed(look)) {
    if (isAtBound(now)) return notLookedAt(now, demand);
    if (first === null ? place(draft, look, demand) : makeWay(draft, look, demand, first)) {
      now.placed += demand.spec.members;
      now.served.add(demand.owner.uid);
      if (first !== null) settleOut(rooms, first);
      return;
    }
  }
  if (!isAtBound(now) && becomeHeir(draft, now.heirs, shapes, look, demand)) {
    now.placed++;
    now.served.add(demand.owner.uid);
    return;
  }
  waitForRoom(now, look, demand);
}

/**
 * Places batches of an array, as far as there is room and the bound on the pass goes. An array that runs does not wait:
 * it gets more room as its own elements end. What is left of it is passed by no heir all the same.
 */
function scheduleArray(now: Scheduling, look: Look, demand: Demand): void {
  const { draft } = now;
  const { uid } = demand.owner;
  if (!hasFailed(look)) {
    if (isAtBound(now)) return notLookedAt(now, demand);
    const placed = placeBatches(draft, look, demand, draft.pass.limits.placements - now.placed);
    now.placed += placed;
    if (placed > 0) now.served.add(uid);
  }
  if (!now.served.has(uid) && !hasBatches(draft.pass, uid)) return waitForRoom(now, look, demand);
  const { array = null } = runOf(draft.pass, draft, uid) ?? {};
  if (array !== null && leftToHandOut(array) > 0) noteWaiting(now.heirs, look, demand);
}

function waitForRoom(now: Scheduling, look: Look, demand: Demand): void {
  const { draft } = now;
  wakeAt(draft, keepRoom([look], [demand], look.shape.never_kept));
  for (const at_ms of renewedAt(look.shape.left_out, draft.pass.now_ms)) wakeAt(draft, at_ms);
  wait(now, demand, blockedBy(look, demand));
}

function wait(
  { blocked, waiting, heirs, draft: { pass }, rooms, shapes }: Scheduling,
  demand: Demand,
  why: Blocked,
): void {
  noteWaiting(heirs, { pass, rooms, shape: shapeOf(pass, shapes, demand) }, demand);
  blocked.push(why);
  waiting.push(demand);
}

const isAtBound = ({ rooms, placed, draft: { pass } }: Scheduling): boolean =>
  rooms.checks >= pass.limits.node_checks || placed >= pass.limits.placements;

function notLookedAt(now: Scheduling, demand: Demand): void {
  now.more = "later";
  wait(now, demand, waitOf(demand.owner, demand.slot, "waits for its turn in the next pass"));
}

/**
 * Places companions as a whole. If no node has room for all of them and one could have, all wait. If none could ever
 * hold them all, as many as fit are placed together, and the others by themselves.
 */
function scheduleParty(now: Scheduling, companions: Companions): void {
  const { draft, rooms, shapes } = now;
  const { pass } = draft;
  const party = partyOf(pass, rooms, shapes, companions);
  if (isAtBound(now) && roomsToTry(party).length > 0) {
    for (const demand of companions.demands) notLookedAt(now, demand);
    return;
  }
  if (placeParty(now, party)) return;
  if ((shapes.together ??= createTogether(pass)).possible(party).length > 0) {
    wakeAt(draft, keepRoom(party.looks, companions.demands, party.trial.never_kept));
    for (const demand of companions.demands) wait(now, demand, blockedBeside(party, demand));
    return;
  }
  const first = firstOf(party, shapes, (part) => placeParty(now, part));
  for (const demand of companions.demands.slice(first)) scheduleOne(now, demand);
}

/** Places all of a party on one node. Returns whether one has room for them. */
function placeParty(now: Scheduling, party: Party): boolean {
  const { draft, rooms, shapes } = now;
  const { pass } = draft;
  const room = bestRoomFor(party);
  if (room === null) return false;
  for (const demand of party.companions.demands) {
    commit(draft, { pass, rooms, shape: shapeOf(pass, shapes, demand) }, demand, [room]);
    now.placed++;
    now.served.add(demand.owner.uid);
  }
  return true;
}

/** Returns whether this pass has placed something beside an attempt that came there for its company. */
const isFollowed = ({ draft: { pass }, rooms }: Scheduling, { node_id, app_uid, workload }: TaskRow): boolean =>
  rooms.placed.some(
    (task) =>
      task.node_id === node_id &&
      task.app_uid === app_uid &&
      pass.snapshot.spec(task.spec_hash).place.together_with.includes(workload),
  );

/**
 * Stops the attempt that a demand comes after, if the demand would find room then. Returns whether it would. No room is
 * kept: what is not placed is no company for others. The demand comes again once that attempt has ended.
 */
function makeWay(draft: PassDraft, look: Look, demand: Demand, first: TaskRow): boolean {
  const after = without(look, demand, [first]);
  look.rooms.checks += after.rooms.list.length;
  if (fit(after, demand) === null) return false;
  stopTask(draft, first, demand.owner.settings.stop, demand.why);
  return true;
}

/** Places one demand. Returns whether it found room. */
function place(draft: PassDraft, look: Look, demand: Demand): boolean {
  const { rooms, shape } = look;
  if (demand.only !== null) {
    const room = rooms.byId.get(demand.only.node.id);
    assert(room !== undefined, "a daemon's node has a room");
    rooms.checks++;
    if (!isCandidate(look, room) || !hasRoom(look, room)) return false;
    commit(draft, look, demand, [room]);
    return true;
  }
  const found = bestRooms(look, demand.spec.members);
  if (found === null) {
    shape.failed = failureKey(look);
    return false;
  }
  commit(draft, look, demand, found);
  return true;
}
