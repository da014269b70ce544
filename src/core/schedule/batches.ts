// Hands out the elements of an array: every node with room gets as many places as fit there, and elements that run in
// them one after the other.

import { HOUSE_LIMITS } from "../limits";
import { labelOf, type ArrayRun, type ElementRange } from "../model/array";
import type { Promised } from "../model/promised";
import type { RunRow } from "../model/rows-work";
import type { TaskRow } from "../model/rows-task";
import { draftOf, leftToHandOut, placesLeft, takeNext } from "../pass/elements";
import { runOf, setRun, tasksOf, type Demand, type PassDraft } from "../pass/pass";
import { emptySlot, slotAfterPlace } from "../pass/slot";
import { hasRoom, isCandidate } from "../place/checks";
import { settleIn } from "../place/company";
import { failureKey } from "../place/failed";
import { cardsOn, promiseOn } from "../place/promise";
import { takeRoom, type Room } from "../place/room";
import { bestRooms } from "../place/search";
import type { Look } from "../place/shape";
import { taskOf } from "./commit";

/** How many elements a place gets while nobody knows how long they take. */
const UNKNOWN_ELEMENTS = 4;

/** Returns how many elements one place runs in the time of a batch, by what the elements of its array took so far. */
const elementsAPlace = ({ ended, ran_ms }: ArrayRun): number =>
  ended === 0 ? UNKNOWN_ELEMENTS : Math.max(1, Math.floor((HOUSE_LIMITS.batch_ms * ended) / Math.max(ran_ms, 1)));

/** Places batches of an array as long as it has elements and there is room. Returns how many it has placed. */
export function placeBatches(draft: PassDraft, look: Look, demand: Demand, most: number): number {
  const { pass } = draft;
  const run = runOf(pass, draft, demand.owner.uid) ?? (demand.owner as RunRow);
  if (run.array === null) return 0;
  const noted = draftOf(pass.state, run.uid, run.array);
  const open = tasksOf(pass, run.uid).filter(({ written_off }) => written_off === null);
  let places = Math.min(placesLeft(run.array, open), leftToHandOut(run.array), placesIn(look));
  const each = elementsAPlace(run.array);
  let slot = demand.slot_row ?? emptySlot(run.uid, demand.slot);
  let placed = 0;
  while (places > 0 && placed < most) {
    const [room] = bestRooms(look, 1) ?? [];
    if (room === undefined) {
      look.shape.failed = failureKey(look);
      break;
    }
    const one = promiseOn(look, room, cardsOn(look, room).cards);
    const here = Math.min(fits(look, room, one, places), Math.ceil(HOUSE_LIMITS.batch_elements / each));
    // No place gets more than its part of what is left, so that none is idle beside elements that wait.
    const share = Math.ceil((leftToHandOut(noted.array) * here) / places);
    const parts = takeNext(noted, Math.min(here * each, share, HOUSE_LIMITS.batch_elements));
    if (parts.length === 0) break;
    const batch = batchOf(noted.array, parts, here);
    slot = slotAfterPlace(slot, run.version, slot.attempts + 1);
    const numbers = { member: 0, attempt: slot.attempts, grant_until: slot.attempts };
    const task = { ...taskOf(look, demand, room, times(one, batch.places), numbers), batch };
    takeRoom(look.rooms, room, task.promised);
    settleIn(look.rooms, room, task);
    draft.ops.push({ op: "place", task, slot, why: demand.why });
    places -= batch.places;
    placed += 1;
  }
  if (noted.array !== run.array) {
    const started_ms = run.started_ms ?? (placed > 0 ? pass.now_ms : null);
    const state = placed > 0 ? ("running" as const) : run.state;
    setRun(draft, { ...run, array: noted.array, state, started_ms, reason: placed > 0 ? null : run.reason }, "placed");
  }
  return placed;
}

function batchOf(array: ArrayRun, parts: readonly ElementRange[], most: number): NonNullable<TaskRow["batch"]> {
  const places = parts.reduce((sum, [from, to]) => sum + to - from + 1, 0);
  return { parts, round: array.round, places: Math.min(most, places), told: 0, label: labelOf(array, parts) };
}

/** Returns how many places there are for elements of a shape on all nodes. */
function placesIn(look: Look): number {
  let sum = 0;
  for (const room of look.rooms.list) {
    if (!isCandidate(look, room) || !hasRoom(look, room)) continue;
    sum += fits(look, room, promiseOn(look, room, cardsOn(look, room).cards), HOUSE_LIMITS.batch_elements);
  }
  return sum;
}

/**
 * Returns how often a promise fits in a room that has room for it once, at most `most` times. Cards are given once, and
 * so is a place of elements that are to be spread, or apart from each other.
 */
function fits({ shape: { spec, own } }: Look, { free }: Room, one: Promised, most: number): number {
  const isAlone = own !== null || spec.place.strategy === "spread";
  if (isAlone || one.devices.length > 0 || one.ports.length > 0) return Math.min(1, most);
  const counted = Object.entries(one.countables).map(([name, count]) => [free.countables?.get(name) ?? 0, count]);
  const amounts = [
    [free.cpu_milli, one.cpu_milli],
    [free.memory_bytes, one.memory_bytes],
    [free.disk_bytes, one.disk_bytes],
    ...counted,
  ];
  return amounts.reduce(
    (least, [left = 0, need = 0]) => (need <= 0 ? least : Math.min(least, Math.floor(left / need))),
    most,
  );
}

const times = (one: Promised, count: number): Promised => ({
  ...one,
  cpu_milli: one.cpu_milli * count,
  memory_bytes: one.memory_bytes * count,
  disk_bytes: one.disk_bytes * count,
  countables: Object.fromEntries(Object.entries(one.countables).map(([name, each]) => [name, each * count])),
});
