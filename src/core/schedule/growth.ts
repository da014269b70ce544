// Where there may be more room than in the pass before, and what a pass leaves for the next one to know.

import type { RestingPort } from "../model/rows-state";
import type { Pass } from "../pass/pass";
import { MOST_TRIED, type Tried, type TriedNode } from "../pass/tried";
import { failureKey, triedIn } from "../place/failed";
import type { Room, Rooms } from "../place/room";
import type { PartyTrial, Shapes } from "../place/shape";

/**
 * Notes in each room the last pass before which it may have grown, and the last before which it has changed at all. A
 * node may have grown if anything about it has changed, or if a task or a port that rested is gone, and with it the
 * others of its machine.
 */
export function noteGrowth(pass: Pass, rooms: Rooms): void {
  const { tried } = pass.snapshot;
  const now = (tried?.pass ?? 0) + 1;
  const grown = new Set(rooms.list.filter((room) => tried === undefined || hasChanged(pass, room, tried)));
  const machines = new Set<string>();
  if (tried !== undefined) {
    for (const id of [...freed(pass, tried), ...rested(pass, tried)]) {
      const room = rooms.byId.get(id);
      if (room !== undefined) grown.add(room);
    }
    // What a node that is gone has held, others of its machine may have.
    for (const { row } of tried.nodes.values()) if (!rooms.byId.has(row.id)) machines.add(row.fingerprint);
  }
  for (const { node } of grown) machines.add(node.fingerprint);
  const beside = new Set([...grown].flatMap((room) => room.beside));
  const taken = takenSince(pass, tried);
  for (const room of rooms.list) {
    const known = tried?.nodes.get(room.node.id);
    const more = grown.has(room) || machines.has(room.node.fingerprint) || beside.has(room);
    const other = more || taken.has(room.node.id) || room.beside.some(({ node }) => taken.has(node.id));
    room.grown = more ? now : (known?.grown ?? now);
    room.changed = other ? now : (known?.changed ?? now);
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

/** Returns the ids of the nodes that have a task of which the last pass knew nothing, such as an adopted one. */
function takenSince({ state }: Pass, tried: Tried | undefined): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const { uid, node_id } of state.tasks.values()) if (tried?.tasks.has(uid) !== true) ids.add(node_id);
  return ids;
}

/** Returns the ids of the nodes that have a port which nobody could have before. */
function rested(pass: Pass, { ports }: Tried): string[] {
  const now = heldPorts(pass);
  return [...ports].flatMap(([key, is]) => (now.get(key) === is ? [] : [key.slice(0, key.lastIndexOf("/"))]));
}

function heldPorts({ state, now_ms }: Pass): ReadonlyMap<string, "rests" | "held"> {
  const isOf = ({ held_by }: RestingPort): "rests" | "held" => (held_by === null ? "rests" : "held");
  const open = [...state.ports.values()].filter(({ until_ms }) => until_ms > now_ms);
  return new Map(open.map((port) => [port.key, isOf(port)]));
}

/** Returns what the next pass may rely on. */
export function triedBy(pass: Pass, rooms: Rooms, shapes: Shapes): Tried {
  const { state } = pass;
  const kept = new Set(rooms.kept.flatMap(({ room }) => [room, ...room.beside]));
  const nodes = new Map<string, TriedNode>();
  for (const room of rooms.list) {
    const row = state.nodes.get(room.node.id);
    if (row === undefined) continue;
    const { grown, changed } = room;
    nodes.set(row.id, { row, usable: room.fact.usable, kept: kept.has(room), grown, changed });
  }
  return {
    pass: rooms.pass,
    nodes,
    tasks: new Map([...state.tasks.values(), ...rooms.placed].map((task) => [task.uid, task] as const)),
    ports: heldPorts(pass),
    failures: failuresOf(pass, rooms, shapes),
  };
}

function failuresOf(pass: Pass, rooms: Rooms, { byKey, parties }: Shapes): Map<string, number> {
  const failures = new Map<string, number>();
  const note = (key: string, last: number | null): void => {
    if (last !== null && failures.size < MOST_TRIED) failures.set(key, last);
  };
  for (const shape of byKey.values()) {
    const look = { pass, rooms, shape };
    if (shape.failed !== null) note(shape.failed, rooms.pass);
    else note(failureKey(look), triedIn(look));
  }
  for (const [key, trial] of parties) note(key, lastTried(rooms, trial));
  return failures;
}

/** What was placed after companions were tried may even help them, so the nodes of this pass are tried again. */
function lastTried({ pass, touched }: Rooms, { tried, failed_at }: PartyTrial): number | null {
  if (failed_at === null) return tried;
  return failed_at === touched.length ? pass : pass - 1;
}
