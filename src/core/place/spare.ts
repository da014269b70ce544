// What a request comes to on a node, where it leaves amounts open: what daemons and others leave decides.

import { fittingCards, heldOf, needOn } from "../cards/node-cards";
import { FLOOR, resolveRequest, type Resolved, type Spare } from "../model/resources";
import type { GpuRequest, TaskSpec } from "../model/workload";
import { tasksOf, type Pass } from "../pass/pass";
import { isMatch } from "./labels";
import { pickIn, type DaemonShare, type Room, type Rooms, type Sized } from "./room";
import type { Look } from "./shape";

/** Returns what a request comes to on a node now. What was not asked for depends on what is free there. */
export function resolvedFor(look: Look, room: Room): Resolved {
  const { spec, resolved } = look.shape;
  if (resolved !== null) return resolved;
  if (room.filled?.spec !== spec) {
    room.filled = { spec, resolved: resolveRequest(spec.request, spec.origin, spareIn(look, room, spec.request.gpu)) };
  }
  return room.filled.resolved;
}

function spareIn({ pass, rooms }: Look, room: Room, gpu: GpuRequest | null): Spare {
  const { all, coming } = daemonsOn(pass, rooms, room);
  const spare = { capacity: room.node.capacity, free: room.free, daemons: all, coming };
  if (gpu === null) return { ...spare, cards: 0, all_cards: 0, free_cards: 0 };
  return { ...spare, cards: cardsFor(gpu, room), all_cards: room.cards.list.length, free_cards: freeCards(room) };
}

/** Returns how many of a node's cards a request takes. A share counts as its part of the card that it would be on. */
function cardsFor(gpu: GpuRequest, room: Room): number {
  if (gpu.share_bytes === undefined) return gpu.count;
  const cards = pickIn(room, gpu)?.cards.map(({ card }) => card) ?? fittingCards(room.cards, gpu).slice(0, gpu.count);
  return cards.reduce((sum, card) => sum + (needOn(gpu, card) ?? 0) / card.device.memory_bytes, 0);
}

/** Returns what the daemons that match a node take there. */
export function daemonsOn(pass: Pass, rooms: Rooms, { node }: Room): DaemonShare {
  return (rooms.lazy.daemons ??= daemonShares(pass, rooms)).get(node.id) ?? NO_DAEMONS;
}

const NO_DAEMONS: DaemonShare = {
  all: { cpu_milli: 0, memory_bytes: 0 },
  coming: { cpu_milli: 0, memory_bytes: 0 },
};

function daemonShares(pass: Pass, rooms: Rooms): Map<string, DaemonShare> {
  const shares = new Map<string, DaemonShare>();
  for (const workload of pass.state.workloads.values()) {
    if (workload.kind !== "daemon" || workload.removing) continue;
    const spec = pass.snapshot.spec(workload.spec_hash);
    const there = new Set(tasksOf(pass, workload.uid).map((task) => task.node_id));
    for (const { node } of rooms.byId.values()) {
      if (!isMatch(spec, node)) continue;
      const known = shares.get(node.id) ?? structuredClone(NO_DAEMONS);
      addDaemon(known.all, spec);
      if (!there.has(node.id)) addDaemon(known.coming, spec);
      shares.set(node.id, known);
    }
  }
  return shares;
}

function addDaemon(to: Sized, { request }: TaskSpec): void {
  to.cpu_milli += request.cpu_milli ?? FLOOR.cpu_milli;
  to.memory_bytes += request.memory_bytes ?? FLOOR.memory_bytes;
}

/** Returns how many of a node's cards are free. A shared card counts by what is left of it. */
export function freeCards({ cards, free }: Room): number {
  let sum = 0;
  for (const card of cards.list) {
    const { whole, bytes } = heldOf(card, free);
    if (card.trouble === null && whole === 0) sum += Math.max(0, 1 - bytes / card.device.memory_bytes);
  }
  return sum;
}
