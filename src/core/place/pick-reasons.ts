// Why a task gets exactly these cards, in words: printed by the plan when it places the task, and by `orch explain`
// afterwards.

import {
  APART,
  fittingCards,
  heldOf,
  leftOf,
  needOn,
  refusalOf,
  TIGHTNESS_WORDS,
  type Promisable,
} from "../cards/node-cards";
import { formatMemory } from "../format";
import { sayRefusal } from "./card-checks";
import { formatCard, shortDevice } from "../cards/gpu";
import type { Promised } from "../model/promised";
import type { CardPick, Picked } from "../cards/pick";
import { pickIn, type Room } from "./room";
import type { DeviceReason } from "../pass/snapshot";
import type { GpuRequest } from "../model/workload";

/** Returns the reason for each card of a pick. The room still counts these cards as free. */
export function reasonsOf(request: GpuRequest, room: Room, pick: CardPick): DeviceReason[] {
  return pick.cards.map((picked) => ({ id: picked.card.device.id, why: whyCard(request, room, pick, picked) }));
}

/** Words reasons: `GPU-8a1c2d3e: the smallest that does, 24 GB`. Cards with the same reason are named together. */
export function sayReasons(reasons: readonly DeviceReason[]): string {
  const byWhy = new Map<string, string[]>();
  for (const { id, why } of reasons) {
    const ids = byWhy.get(why);
    if (ids === undefined) byWhy.set(why, [shortDevice(id)]);
    else ids.push(shortDevice(id));
  }
  return [...byWhy].map(([why, ids]) => `${ids.join(", ")}: ${why}`).join("; ");
}

function whyCard(request: GpuRequest, room: Room, pick: CardPick, picked: Picked): string {
  const { card, bytes } = picked;
  const together = pick.cards.length === 1 ? "" : whyTogether(room, pick);
  if (bytes !== null) return whyShared(room, card, bytes) + together;
  return whyWhole(request, room, pick, card) + (pick.cards.length === 1 ? whyGroup(room, pick, card) : together);
}

/** Words how the card compares with the others that would suit. */
function whyWhole(request: GpuRequest, room: Room, pick: CardPick, card: Promisable): string {
  const size = formatCard(card.device.memory_bytes);
  const others = openFor(request, room).filter((other) => !pick.cards.some((picked) => picked.card === other));
  if (others.length === 0) return `no other fits and is free, ${size}`;
  return `${others.some((other) => other.class_gb > card.class_gb) ? "smallest fit" : "fits"}, ${size}`;
}

const openFor = (request: GpuRequest, room: Room): Promisable[] =>
  fittingCards(room.cards, request).filter((card) => refusalOf(card, needOn(request, card), room.free) === null);

function whyShared(room: Room, card: Promisable, bytes: number): string {
  const left = `${formatMemory(leftOf(card, room.free) - bytes)} left of ${formatCard(card.device.memory_bytes)}`;
  if (heldOf(card, room.free).shares > 0) return `shared already, ${left}`;
  if (refusalOf(card, null, room.free) !== null) return `not to be had whole, since others use some of it, ${left}`;
  return `no shared card has room, so that this one is shared now, ${left}`;
}

/** Words what taking a single card does to the group that it is connected with. */
function whyGroup({ cards, free }: Room, pick: CardPick, card: Promisable): string {
  if (!cards.linked) return "";
  if (pick.breaks < APART) {
    const group = card.groups[pick.breaks];
    const size = cards.sizes[pick.breaks]?.[group ?? 0] ?? 1;
    return `, though its group of ${size} ${TIGHTNESS_WORDS[pick.breaks]} was whole`;
  }
  const partners = cards.list.filter(
    (other) => other !== card && cards.tightness(card.at, other.at) < APART && refusalOf(other, null, free) !== null,
  );
  return partners.length === 0 ? ", connected with no other" : ", of a group of connected cards that is broken already";
}

/** Words how the cards of a request are connected. */
function whyTogether({ cards }: Room, pick: CardPick): string {
  if (pick.tightness === APART) return cards.linked ? ", not connected" : "";
  return `, ${TIGHTNESS_WORDS[pick.tightness]} with the others`;
}

/**
 * Explains why a task has its cards, as if it were placed now. The caller has given the task's promise back to the room
 * before (`leaveRoom`).
 */
export function explainCards(request: GpuRequest, room: Room, { devices }: Promised): DeviceReason[] {
  const pick = pickIn(room, request);
  const now = new Map((pick === null ? [] : reasonsOf(request, room, pick)).map((each) => [each.id, each.why]));
  const others = [...now.keys()].filter((id) => !devices.some((device) => device.id === id)).map(shortDevice);
  return devices.map(({ id, bytes }) => ({ id, why: now.get(id) ?? whyThen(room, id, bytes, others) }));
}

/** Words what was best when the task was placed, and what has changed since. */
function whyThen(room: Room, id: string, bytes: number | null, others: readonly string[]): string {
  const then = "did best when the task was placed";
  const card = room.cards.byId.get(id);
  if (card === undefined) return `${then}; the node does not show it any more`;
  const refusal = refusalOf(card, bytes, room.free);
  if (refusal !== null) return `${then}; now ${sayRefusal(card, refusal)}`;
  return others.length === 0 ? then : `${then}; now ${others.join(", ")} would`;
}
