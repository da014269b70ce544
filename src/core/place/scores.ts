// Which of the fitting nodes is the best: parts that can be shown, whose sum decides. Ties are broken by node id.

import { freeCards, resolvedFor } from "./spare";
import type { Look } from "./shape";
import { APART, heldOf, leftOf } from "../cards/node-cards";
import { isTolerated } from "./labels";
import type { CardPick } from "../cards/pick";
import { countOn } from "./company";
import { pickIn, type Room } from "./room";
import { GIB } from "../units";
import type { GpuRequest } from "../model/workload";

const PREFER_NOT = -1_000;
const SAME_WORKLOAD = -100;

/**
 * Work without cards leaves a free card its part of the node's cores: per free card whose part it takes. A node with
 * free cards is also a little worse than one without.
 */
const TAKEN_CARD = -50;
const CARDS_THERE = -1;

/** A leader comes back to where its followers are. */
const COMPANY = 100;

/** A default that has to give way is a little worse than a full one: this much where almost nothing of it is left. */
const GIVES_WAY = -5;

/**
 * Per GiB of a card's memory; of a card that is shared already, per GiB that stays free on it. Ten GiB weigh as much as
 * the difference between an empty node and a full one.
 */
const CARD_GIB = -0.1;

/** A card that is not shared yet stays whole while another one has room. */
const OPEN_CARD = -50;

/**
 * Per step by which cards are connected more loosely. A demanded connection decides; any other weighs half as much as
 * the difference between an empty node and a full one.
 */
const LOOSE_DEMANDED = -100;
const LOOSE = -0.5;

/** Per step of tightness, the weight of breaking a whole group of connected cards. */
const BREAK_GROUP = [-2, -1, 0] as const;

export type ScoreParts = Readonly<Record<string, number>>;

/** Returns the parts of a node's score for a shape. */
export function scoreParts(look: Look, room: Room): ScoreParts {
  const { pass, rooms, shape } = look;
  const { place, request } = shape.spec;
  const parts: Record<string, number> = { fill: (place.strategy === "pack" ? 1 : -1) * usedShare(look, room) };
  const shunned = room.node.taints.filter(
    (taint) => taint.effect === "prefer_not" && !isTolerated(taint, place.tolerate),
  );
  if (shunned.length > 0) parts["prefer_not"] = PREFER_NOT * shunned.length;
  if (place.strategy === "spread") {
    const same = countOn(pass, rooms, room, shape.host_key).all;
    if (same > 0) parts["same_workload"] = SAME_WORKLOAD * same;
  }
  if (shape.followers.some((key) => countOn(pass, rooms, room, key).wanted > 0)) parts["company"] = COMPANY;
  if (request.gpu !== null) scoreCards(parts, request.gpu, room, pickIn(room, request.gpu));
  else if (room.cards.list.length > 0) scoreKept(parts, look, room);
  const { short } = resolvedFor(look, room);
  if (short > 0) parts["gives_way"] = GIVES_WAY * short;
  return parts;
}

/** Scores how many free cards would lose the cores that belong to them. */
function scoreKept(parts: Record<string, number>, look: Look, room: Room): void {
  const cards = freeCards(room);
  if (cards === 0) return;
  const part = room.node.capacity.cpu_milli / room.cards.list.length;
  const kept = (cpu_milli: number): number => Math.min(cards, Math.max(0, cpu_milli) / Math.max(1, part));
  const taken = kept(room.free.cpu_milli) - kept(room.free.cpu_milli - resolvedFor(look, room).cpu_milli);
  parts["keep_cards"] = CARDS_THERE + TAKEN_CARD * taken;
}

function scoreCards(parts: Record<string, number>, request: GpuRequest, room: Room, pick: CardPick | null): void {
  if (pick === null) return;
  let gib = 0;
  let opened = 0;
  for (const { card, bytes } of pick.cards) {
    const isShared = bytes !== null && heldOf(card, room.free).shares > 0;
    gib += (isShared ? leftOf(card, room.free) - bytes : card.device.memory_bytes) / GIB;
    if (bytes !== null && !isShared) opened++;
  }
  parts["cards"] = CARD_GIB * gib;
  if (opened > 0) parts["open_card"] = OPEN_CARD * opened;
  if (request.count > 1 && request.linked !== "ignored" && pick.tightness > 0)
    parts["loose"] = (request.linked === "demanded" ? LOOSE_DEMANDED : LOOSE) * pick.tightness;
  const breaks = BREAK_GROUP[pick.breaks] ?? 0;
  if (pick.breaks < APART && breaks < 0) parts["break_group"] = breaks;
}

export function total(parts: ScoreParts): number {
  let sum = 0;
  for (const name in parts) sum += parts[name] ?? 0;
  return sum;
}

/**
 * Returns how full the node would be: the mean of the promised shares of cores and memory, with this task. If the task
 * asks for cards, the share of cards that were promised before it counts too.
 */
function usedShare(look: Look, room: Room): number {
  const { capacity } = room.node;
  const { cpu_milli, memory_bytes } = resolvedFor(look, room);
  const cpu = 1 - (room.free.cpu_milli - cpu_milli) / Math.max(1, capacity.cpu_milli);
  const memory = 1 - (room.free.memory_bytes - memory_bytes) / Math.max(1, capacity.memory_bytes);
  if (room.cards.list.length === 0 || look.shape.spec.request.gpu === null) return (cpu + memory) / 2;
  return (cpu + memory + usedCards(room)) / 3;
}

/** Returns the mean of the promised shares of the cards. */
function usedCards({ cards, free }: Room): number {
  if (free.held === null) return 0;
  let used = 0;
  for (const card of cards.list) {
    const { whole, bytes } = heldOf(card, free);
    used += whole > 0 ? 1 : bytes / card.device.memory_bytes;
  }
  return used / cards.list.length;
}
