// Gives demands their nodes, in order: all members of a gang or none. What finds no room gets a reason.

import { resolvedFor } from "./amounts";
import { assert } from "../assert";
import { hasRoom, isCandidate, saidAgainAt } from "./checks";
import { type Failure, type Look, noShapes, type Shape, shapeOf } from "./shape";
import { explainFailure, explainNode } from "./explain";
import { freshUid } from "../fresh";
import { reasonsOf, sayReasons } from "./pick-reasons";
import { identityOf, newTask } from "../model/new-task";
import type { RunRow } from "../model/rows-work";
import type { TaskRow } from "../model/rows-task";
import type { Promised } from "../model/promised";
import {
  draftAfter,
  ownerSlotName,
  runOf,
  setRun,
  stopTask,
  wakeAt,
  type Demand,
  type Findings,
  type Pass,
  type PassDraft,
} from "../pass/pass";
import type { CardPick } from "../cards/pick";
import { choosePorts, openRooms, pickIn, settleIn, takeRoom, type Room, type Rooms } from "./room";
import { emptySlot, slotAfterGivenUp, slotAfterPlace } from "../pass/slot";
import { bestRooms } from "./search";
import type { Blocked } from "../pass/snapshot";

/** What was placed, and what found no room. */
export interface Placements extends Findings {
  /**
   * Every task that got room in this pass, including those that are not placed yet, since an old attempt must end
   * first.
   */
  readonly placed: readonly TaskRow[];
  /** The demands that found no room, in the order in which they were examined. */
  readonly waiting: readonly Demand[];
  /** The reason of each demand that waits. */
  readonly blocked: readonly Blocked[];
  /** Whether the bound on the pass's work was reached. */
  readonly more: boolean;
}

/** Places what can be placed, in the order of `demands`. `before` is what the pass has found so far. */
export function schedule(pass: Pass, demands: readonly Demand[], before: Findings): Placements {
  const draft = draftAfter(pass, before);
  if (demands.length === 0) return { ...draft, placed: [], blocked: [], waiting: [], more: false };
  const rooms = openRooms(pass, draft.stopped);
  const shapes = noShapes();
  const blocked: Blocked[] = [];
  const waiting: Demand[] = [];
  let more = false;
  let placed = 0;
  for (const demand of demands) {
    const shape = shapeOf(pass, shapes, demand);
    for (const each of demand.slot_row?.avoid ?? []) wakeAt(draft, each.until_ms);
    let failure = knownFailure(rooms, shape, demand);
    if (failure === null && (rooms.checks >= pass.limits.node_checks || placed >= pass.limits.placements)) {
      more = true;
      failure = NOT_LOOKED_AT;
    }
    failure ??= place(draft, { pass, rooms, shape }, demand);
    if (failure === null) {
      placed += demand.spec.members;
      continue;
    }
    blocked.push(block(demand, failure));
    waiting.push(demand);
  }
  if (waiting.length > 0) for (const room of rooms.list) wakeAt(draft, saidAgainAt(pass, room));
  return { ...draft, placed: rooms.placed, blocked, waiting, more };
}

const NOT_LOOKED_AT: Failure = {
  kind: "queued",
  summary: "waits for its turn in the next pass",
  smallest_change: null,
  nodes: [],
};

function block(demand: Demand, failure: Failure): Blocked {
  return {
    name: ownerSlotName(demand.owner, demand.slot),
    owner_uid: demand.owner.uid,
    slot: demand.slot,
    kind: failure.kind,
    summary: failure.summary,
    smallest_change: failure.smallest_change,
    nodes: failure.nodes,
  };
}

/**
 * Returns why another demand of the shape failed earlier in this pass. The reason still holds, since rooms only shrink.
 * A shape that wants company is searched again once anything was placed.
 */
function knownFailure(rooms: Rooms, shape: Shape, demand: Demand): Failure | null {
  if (shape.failure === null || demand.only !== null) return null;
  return shape.together.length === 0 || shape.failure.at === rooms.touched.length ? shape.failure.found : null;
}

/** Places one demand, or returns why it cannot be placed. */
function place(draft: PassDraft, look: Look, demand: Demand): Failure | null {
  const { rooms, shape } = look;
  if (demand.only !== null) {
    const room = rooms.byId.get(demand.only.node.id);
    assert(room !== undefined, "a daemon's node has a room");
    rooms.checks++;
    if (!isCandidate(look, room) || !hasRoom(look, room)) return explainNode(look, room);
    commit(draft, look, demand, [room]);
    return null;
  }
  const { members } = demand.spec;
  const found = bestRooms(look, members, (room, chosen) => hasPorts(look, room, chosen));
  if (found === null) {
    rooms.checks += rooms.list.length;
    shape.failure = { at: rooms.touched.length, found: explainFailure(look, members) };
    return shape.failure.found;
  }
  commit(draft, look, demand, found);
  return null;
}

/**
 * Returns whether a room suits the next member of a demand, beside the rooms that are chosen for the other members: its
 * machine has the ports for all members there, and no chosen room gives out the same cards.
 */
export function hasPorts({ pass, rooms, shape }: Look, room: Room, chosen: readonly Room[]): boolean {
  const { ports, request } = shape.spec;
  // The node's cards may be those that a member beside it takes.
  if (request.gpu !== null && room.beside.length > 0 && chosen.some((other) => room.beside.includes(other)))
    return false;
  if (ports.length === 0) return true;
  const beside = chosen.filter((other) => other.node.fingerprint === room.node.fingerprint).length;
  if (beside > 0 && ports.some((port) => port.published !== null)) return false;
  return choosePorts(pass, rooms, room, Array.from({ length: beside + 1 }, () => ports).flat()).is === "chosen";
}

/** Returns what a task is promised on a node that has room for it. */
function promiseOn({ pass, rooms, shape }: Look, room: Room, cards: CardPick["cards"]): Promised {
  const { cpu_milli, memory_bytes, disk_bytes, countables, memory_limited } = resolvedFor(shape, room);
  const chosen = choosePorts(pass, rooms, room, shape.spec.ports);
  assert(chosen.is === "chosen", "the node has the ports");
  return {
    cpu_milli,
    memory_bytes,
    disk_bytes,
    countables,
    memory_limited,
    devices: cards.map(({ card, bytes }) => ({ id: card.device.id, bytes })),
    ports: chosen.ports,
  };
}

/** Returns the cards of a task on a node that has them, and the reasons. */
function cardsOn({ shape }: Look, room: Room): { readonly cards: CardPick["cards"]; readonly why: string } {
  const { gpu } = shape.spec.request;
  if (gpu === null) return NO_CARDS;
  const pick = pickIn(room, gpu);
  assert(pick !== null, "the node has the cards");
  return { cards: pick.cards, why: `; ${sayReasons(reasonsOf(gpu, room, pick))}` };
}

const NO_CARDS = { cards: [], why: "" } as const;

/** Returns what the next member of a demand would be promised in a room. */
export const promiseIn = (look: Look, room: Room): Promised => promiseOn(look, room, cardsOn(look, room).cards);

/** Notes the attempt: what it writes off, its tasks, its slot, and its run's state. */
function commit(draft: PassDraft, look: Look, demand: Demand, chosen: readonly Room[]): void {
  const { pass, rooms } = look;
  const { owner, kind, slot, spec } = demand;
  for (const task of demand.gives_up) draft.ops.push({ op: "write_off", task, why: demand.why });
  const known = demand.slot_row ?? emptySlot(owner.uid, slot);
  const before = kind === "job" && demand.gives_up.length > 0 ? slotAfterGivenUp(known) : known;
  const attempt = before.attempts + 1;
  const granted = kind !== "job" && owner.settings.restart.offline && !spec.exclusive;
  const grant_until = granted ? attempt + pass.limits.grant_attempts : attempt;
  const row = slotAfterPlace(before, owner.version, grant_until, pass.now_ms);
  const first = demand.stops_first;
  for (const [member, room] of chosen.entries()) {
    const { cards, why } = cardsOn(look, room);
    const promised = promiseOn(look, room, cards);
    const task = taskOf(look, demand, room, promised, { member, attempt, grant_until });
    takeRoom(rooms, room, promised);
    settleIn(rooms, room, task);
    if (first === null) draft.ops.push({ op: "place", task, slot: row, why: demand.why + why });
  }
  // The room is only kept during this pass. The demand comes again once the old attempt has ended.
  if (first !== null) stopTask(draft, first, owner.settings.stop, demand.why);
  if (kind === "job") startRun(draft, owner as RunRow);
}

function startRun(draft: PassDraft, row: RunRow): void {
  const { pass } = draft;
  const run = runOf(pass, draft, row.uid) ?? row;
  if (run.state === "running" && run.reason === null) return;
  setRun(draft, { ...run, state: "running", reason: null, started_ms: run.started_ms ?? pass.now_ms }, "placed");
}

function taskOf(
  { pass, rooms, shape }: Look,
  { owner, slot, spec }: Demand,
  { node }: Room,
  promised: Promised,
  { member, attempt, grant_until }: Pick<TaskRow, "member" | "attempt" | "grant_until">,
): TaskRow {
  return newTask({
    uid: freshUid(pass.snapshot.seed, rooms.placed.length),
    identity: identityOf(owner, { slot, member, attempt }),
    node,
    desired: spec.members > 1 ? "prepare" : "run",
    grant_until,
    promised,
    unix_user: node.facts.accounts === "shared" || shape.account.is === "none" ? null : shape.account.name,
    exclusive: spec.exclusive,
    created_ms: pass.now_ms,
    assigned_revision: pass.state.cluster.revision + 1,
  });
}
