// Which of the nodes that fit is the best: parts that can be shown, whose sum decides; ties break by node id.

import { resolvedFor } from "./amounts";
import type { Look } from "./checks";
import { pickDevices } from "./gpu";
import { isTolerated } from "./labels";
import { countOn, type Room } from "./room";
import { GIB } from "./units";

const PREFER_NOT = -1_000;
const SAME_WORKLOAD = -100;
/** Nodes with cards are kept for those who ask for cards. */
const KEEP_CARDS = -50;
/** A GiB of card memory beyond need weighs more than how full a node is. */
const CARD_GIB = -0.1;

export type Parts = Readonly<Record<string, number>>;

/** Why a node is better or worse than another for a shape. */
export function scoreParts(look: Look, room: Room): Parts {
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
  if (request.gpu !== null) {
    const picked =
      pickDevices(
        request.gpu,
        room.cards.filter((device) => room.free.taken?.has(device.id) !== true),
      ) ?? [];
    parts["cards"] = CARD_GIB * picked.reduce((sum, device) => sum + device.memory_bytes / GIB, 0);
  } else if (room.cards.length > 0) {
    parts["keep_cards"] = KEEP_CARDS;
  }
  return parts;
}

export function total(parts: Parts): number {
  let sum = 0;
  for (const name in parts) sum += parts[name] ?? 0;
  return sum;
}

/** How full the node would be: the mean share of cores, memory and cards that is promised. */
function usedShare({ shape }: Look, room: Room): number {
  const { capacity } = room.node;
  const { cpu_milli, memory_bytes } = resolvedFor(shape, room);
  const cpu = 1 - (room.free.cpu_milli - cpu_milli) / Math.max(1, capacity.cpu_milli);
  const memory = 1 - (room.free.memory_bytes - memory_bytes) / Math.max(1, capacity.memory_bytes);
  if (room.cards.length === 0 || shape.spec.request.gpu === null) return (cpu + memory) / 2;
  return (cpu + memory + (room.free.taken?.size ?? 0) / room.cards.length) / 3;
}
