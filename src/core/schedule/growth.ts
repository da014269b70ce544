// Where there may be more room than in the pass before, and what a pass leaves for the next one to know.

import type { Pass } from "../pass/pass";
import { MOST_TRIED, type Tried, type TriedNode } from "../pass/tried";
import type { Room, Rooms } from "../place/room";
import type { Shapes } from "../place/shape";

/**
 * Notes in each room the last pass before which it may have grown. A node may have grown if anything about it has
 * changed, or if a task that held room is gone, and with it the others of its machine.
 */
export function noteGrowth(pass: Pass, rooms: Rooms): void {
  const { tried } = pass.snapshot;
  const now = (tried?.pass ?? 0) + 1;
  const grown = new Set(rooms.list.filter((room) => tried === undefined || hasChanged(pass, room, tried)));
  if (tried !== undefined) {
    for (const id of freed(pass, tried)) {
      const room = rooms.byId.get(id);
      if (room !== undefined) grown.add(room);
    }
  }
  const machines = new Set([...grown].map(({ node }) => node.fingerprint));
  const beside = new Set([...grown].flatMap((room) => room.beside));
  for (const room of rooms.list) {
    const more = grown.has(room) || machines.has(room.node.fingerprint) || beside.has(room);
    room.grown = more ? now : (tried?.nodes.get(room.node.id)?.grown ?? now);
    rooms.grown = Math.max(rooms.grown, room.grown);
  }
  rooms.pass = now;
}

function hasChanged({ state }: Pass, { node, fact }: Room, { nodes }: Tried): boolean {
  const known = nodes.get(node.id);
  return known === undefined || known.kept || known.row !== state.nodes.get(node.id) || known.usable !== fact.usable;
}

/** Returns the ids of the nodes on which something has become free. */
function freed({ state }: Pass, { tasks }: Tried): string[] {
  const ids: string[] = [];
  for (const [uid, { node_id, promised }] of tasks) if (state.tasks.get(uid)?.promised !== promised) ids.push(node_id);
  return ids;
}

/** Returns what the next pass may rely on. */
export function triedBy(pass: Pass, rooms: Rooms, { byKey }: Shapes): Tried {
  const { state } = pass;
  const shapes = new Map<string, number>();
  for (const [key, shape] of byKey) {
    if (shapes.size >= MOST_TRIED) break;
    const last = shape.failed_at === null ? shape.tried : rooms.pass;
    if (shape.isTried && last !== null) shapes.set(key, last);
  }
  const kept = new Set(rooms.kept.flatMap(({ room }) => [room, ...room.beside]));
  const nodes = new Map<string, TriedNode>();
  for (const room of rooms.list) {
    const row = state.nodes.get(room.node.id);
    if (row === undefined) continue;
    nodes.set(row.id, { row, usable: room.fact.usable, kept: kept.has(room), grown: room.grown });
  }
  return {
    pass: rooms.pass,
    nodes,
    tasks: new Map([...state.tasks.values(), ...rooms.placed].map((task) => [task.uid, task] as const)),
    shapes,
  };
}
