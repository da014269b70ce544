// Gives demands their nodes, in order: all members of a gang or none. What finds no room gets a reason.

import { assert } from "../assert";
import { hasRoom, isCandidate, saidAgainAt } from "./checks";
import { type Look, noShapes, shapeOf } from "./shape";
import { blockedBy } from "./explain";
import { freshUid } from "../fresh";
import { renewedAt } from "./left-out";
import { reasonsOf, sayReasons } from "./pick-reasons";
import { identityOf, newTask } from "../model/new-task";
import type { RunRow } from "../model/rows-work";
import type { TaskRow } from "../model/rows-task";
import type { Promised } from "../model/promised";
import {
  draftAfter,
  runOf,
  setRun,
  stopTask,
  waitOf,
  wakeAt,
  type Demand,
  type Findings,
  type Pass,
  type PassDraft,
} from "../pass/pass";
import type { CardPick } from "../cards/pick";
import { choosePorts, openRooms, pickIn, takeRoom, type Room } from "./room";
import { settleIn } from "./company";
import { keepRoom } from "./patience";
import { noteGrowth, triedBy } from "./growth";
import type { Tried } from "../pass/tried";
import { resolvedFor } from "./spare";
import { emptySlot, slotAfterGivenUp, slotAfterPlace } from "../pass/slot";
import { bestRooms } from "./search";
import { answerDue, type Need } from "../pass/presence";
import type { Ms } from "../units";
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
  /** Whether the bound on the pass's work was reached, and if so, whether the next pass comes further at once. */
  readonly more: "no" | "at once" | "later";
  readonly tried: Tried | null;
  /** What the demands need to find on nodes. */
  readonly needs: readonly Need[];
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
  const blocked: Blocked[] = [];
  const waiting: Demand[] = [];
  let more: Placements["more"] = "no";
  let placed = 0;
  for (const demand of demands) {
    const shape = shapeOf(pass, shapes, demand);
    const look: Look = { pass, rooms, shape };
    if (!hasFailed(look, demand)) {
      if (rooms.checks >= pass.limits.node_checks || placed >= pass.limits.placements) {
        more = more === "no" ? "later" : more;
        blocked.push(waitOf(demand.owner, demand.slot, "waits for its turn in the next pass"));
        waiting.push(demand);
        continue;
      }
      if (place(draft, look, demand)) {
        placed += demand.spec.members;
        continue;
      }
    }
    wakeAt(draft, keepRoom(look, demand));
    blocked.push(blockedBy(look, demand));
    waiting.push(demand);
    for (const at_ms of renewedAt(shape.left_out, pass.now_ms)) wakeAt(draft, at_ms);
  }
  if (waiting.length > 0) for (const room of rooms.list) wakeAt(draft, saidAgainAt(pass, room));
  // The next pass need not try again what failed here, so it comes to what this one did not look at.
  const learned = shapes.byKey.values().some((shape) => shape.isTried && shape.failed_at !== null);
  if (more === "later" && (learned || rooms.placed.length > 0)) more = "at once";
  const needs = [...shapes.needs.values()];
  if (waiting.length > 0) for (const need of needs) wakeAt(draft, answeredBy(pass, need));
  return { ...draft, placed: rooms.placed, blocked, waiting, more, tried: triedBy(pass, rooms, shapes), needs };
}

/** Returns when a node that was asked for this has had its time to answer; null if none is waited for. */
function answeredBy({ snapshot: { presences }, now_ms }: Pass, need: Need): Ms | null {
  const due = answerDue(presences, need);
  return due === null ? null : now_ms + due;
}

/**
 * Returns whether another demand of the shape failed earlier in this pass. It would fail again, since rooms only
 * shrink. A shape that wants company is searched again once anything was placed.
 */
function hasFailed({ rooms, shape }: Look, demand: Demand): boolean {
  if (demand.only !== null) return false;
  if (shape.failed_at === null) return shape.tried !== null && rooms.grown <= shape.tried;
  return shape.together.length === 0 || shape.failed_at === rooms.touched.length;
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
    shape.failed_at = rooms.touched.length;
    return false;
  }
  commit(draft, look, demand, found);
  return true;
}

/** Returns what a task is promised on a node that has room for it. */
function promiseOn(look: Look, room: Room, cards: CardPick["cards"]): Promised {
  const { pass, rooms, shape } = look;
  const { cpu_milli, memory_bytes, disk_bytes, countables, memory_limited } = resolvedFor(look, room);
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
  const row = slotAfterPlace(before, owner.version, grant_until);
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
