// What would have to end for a demand to find room. The plan asks this before it takes an idle card back from anybody.

import type { NodeRow } from "../model/rows-node";
import type { TaskRow } from "../model/rows-task";
import { tasksOf, type Demand, type Pass } from "../pass/pass";
import { leaveRoom, openRooms, takeRoom, type Room, type Rooms } from "./room";
import { bestRooms } from "./search";
import { noShapes, shapeOf } from "./shape";

/** The rooms that a question is about. Releases that `smallestRelease` only tries are undone before it returns. */
export interface WhatIf {
  readonly pass: Pass;
  readonly rooms: Rooms;
}

/** An attempt that may be released: its task, or all members of its gang. */
export interface Releasable {
  readonly tasks: readonly TaskRow[];
}

/** The most sets that are tried. If there are more, the answer is a set from which no attempt can be spared. */
const MOST_TRIES = 1_000;

/**
 * Returns the smallest set of attempts whose release lets `demand` fit, or null if no set of at most `at_most` does.
 * All `attempts` have a task on one node. Of sets of one size, the first in the order of `attempts` is returned. A
 * demand of one member has to fit in a room that the release makes larger, a gang may fit anywhere. If there are more
 * than `MOST_TRIES` sets, a set may be returned that is not the smallest.
 */
export function smallestRelease<T extends Releasable>(
  whatIf: WhatIf,
  demand: Demand,
  attempts: readonly T[],
  at_most = attempts.length,
): readonly T[] | null {
  const { rooms } = whatIf;
  const list = demand.spec.members > 1 ? rooms.list : roomsOf(rooms, attempts);
  const there: WhatIf = { ...whatIf, rooms: { ...rooms, list, touched: [] } };
  const fits = (): boolean => fit(there, demand) !== null;
  const chosen: T[] = [];
  let tries = 0;

  /**
   * Tries every choice of `size` more attempts, from the one at `from` on. Returns whether a choice lets the demand
   * fit, which `chosen` then holds. Whatever was released for a try is taken again afterwards.
   */
  function choose(size: number, from: number): boolean {
    if (size === 0) return ++tries <= MOST_TRIES && fits();
    for (let at = from; at <= attempts.length - size && tries < MOST_TRIES; at++) {
      const one = attempts[at] as T;
      chosen.push(one);
      release(rooms, one);
      const found = choose(size - 1, at + 1);
      comeBack(rooms, one);
      if (found) return true;
      chosen.pop();
    }
    return false;
  }

  if (!fitsWithout(rooms, attempts, fits)) return null;
  for (let size = 0; size <= Math.min(at_most, attempts.length); size++) if (choose(size, 0)) return chosen;
  if (tries < MOST_TRIES) return null;
  const enough = noneToSpare(rooms, attempts, fits);
  return enough.length <= at_most ? enough : null;
}

/** Returns where a demand would fit now. No result is kept, since rooms shrink and grow here. */
export function fit({ pass, rooms }: WhatIf, demand: Demand): readonly Room[] | null {
  const look = { pass, rooms, shape: shapeOf(pass, noShapes(), demand) };
  return bestRooms(look, demand.spec.members);
}

/**
 * Returns the cluster as it is once some tasks of a demand's owner have ended: without their room, ports and company.
 * Room that is kept for others stays kept. For a daemon's demand it has the daemon's node, and others of its machine.
 */
export function without({ pass, rooms }: WhatIf, { owner, only }: Demand, gone: readonly TaskRow[]): WhatIf {
  const left = tasksOf(pass, owner.uid).filter((task) => !gone.includes(task));
  const isThere = (node: NodeRow): boolean => only === null || node.fingerprint === only.node.fingerprint;
  const nodes = new Map([...pass.nodes].filter(([, { node }]) => isThere(node)));
  const after: Pass = { ...pass, nodes, tasks: new Map(pass.tasks).set(owner.uid, left) };
  const placed = rooms.placed.filter(({ node_id }) => nodes.has(node_id));
  const opened = openRooms(after, rooms.stopped, placed);
  for (const { room, promised } of rooms.kept) {
    const own = opened.byId.get(room.node.id);
    if (own !== undefined) takeRoom(opened, own, promised);
  }
  const list = opened.list.filter(({ node }) => only === null || node.id === only.node.id);
  return { pass: after, rooms: { ...opened, kept: rooms.kept, list } };
}

/** Gives what all tasks of an attempt hold back to their rooms. */
export function release(rooms: Rooms, { tasks }: Releasable): void {
  for (const { node_id, promised } of tasks) {
    const room = rooms.byId.get(node_id);
    if (room !== undefined) leaveRoom(room, promised);
  }
}

function comeBack(rooms: Rooms, { tasks }: Releasable): void {
  for (const { node_id, promised } of tasks) {
    const room = rooms.byId.get(node_id);
    if (room !== undefined) takeRoom(rooms, room, promised);
  }
}

/**
 * Returns the rooms that grow when attempts are released: those of their tasks, and those that share cards with them.
 */
function roomsOf({ byId }: Rooms, attempts: readonly Releasable[]): Room[] {
  const ids = attempts.flatMap(({ tasks }) => tasks.map(({ node_id }) => node_id));
  const rooms = ids.flatMap((id) => byId.get(id) ?? []);
  return [...new Set(rooms.flatMap((room) => [room, ...room.beside]))].sort((a, b) => a.index - b.index);
}

function fitsWithout(rooms: Rooms, attempts: readonly Releasable[], fits: () => boolean): boolean {
  for (const one of attempts) release(rooms, one);
  const found = fits();
  for (const one of attempts) comeBack(rooms, one);
  return found;
}

/** Starts from all attempts and spares each that need not be released, from the last one to the first. */
function noneToSpare<T extends Releasable>(rooms: Rooms, attempts: readonly T[], fits: () => boolean): readonly T[] {
  return attempts.reduceRight<readonly T[]>((kept, one) => {
    const without = kept.filter((other) => other !== one);
    return fitsWithout(rooms, without, fits) ? without : kept;
  }, attempts);
}
