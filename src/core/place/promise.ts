// What a task is promised in a room that suits it, and why it gets these cards.

import { assert } from "../assert";
import type { CardPick } from "../cards/pick";
import type { Promised } from "../model/promised";
import { reasonsOf, sayReasons } from "./pick-reasons";
import { choosePorts, pickIn, type Room } from "./room";
import type { Look } from "./shape";
import { resolvedFor } from "./spare";

/** Returns what a task is promised on a node that has room for it. */
export function promiseOn(look: Look, room: Room, cards: CardPick["cards"]): Promised {
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
export function cardsOn({ shape }: Look, room: Room): { readonly cards: CardPick["cards"]; readonly why: string } {
  const { gpu } = shape.spec.request;
  if (gpu === null) return NO_CARDS;
  const pick = pickIn(room, gpu);
  assert(pick !== null, "the node has the cards");
  return { cards: pick.cards, why: `; ${sayReasons(reasonsOf(gpu, room, pick))}` };
}

const NO_CARDS = { cards: [], why: "" } as const;

/** Returns what the next member of a demand would be promised in a room. */
export const promiseIn = (look: Look, room: Room): Promised => promiseOn(look, room, cardsOn(look, room).cards);
