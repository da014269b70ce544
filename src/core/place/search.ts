// Finds the best nodes for a shape. Candidates are kept sorted between searches, so that ten thousand equal slots cost
// one look at every node and then one look per placement.

import { hasRoom, isCandidate } from "./checks";
import { triedIn } from "./failed";
import type { Candidate, Look } from "./shape";
import { scoreParts, total } from "./scores";
import { choosePorts, type Room } from "./room";

/** Returns the `count` best different nodes that have room now, the best first, or null if there are not that many. */
export function bestRooms(look: Look, count: number): Room[] | null {
  const heap = refreshed(look);
  const taken: Candidate[] = [];
  const chosen: Room[] = [];
  while (chosen.length < count) {
    const top = pop(heap);
    if (top === null) break;
    // This entry does not do. It may be outdated: something was placed on the node since, and the node has a newer
    // entry in the heap, or has no room. Or the node does not suit beside the chosen ones.
    if (top.stamp !== top.room.stamp || chosen.includes(top.room) || !hasPorts(look, top.room, chosen)) continue;
    taken.push(top);
    chosen.push(top.room);
  }
  // Placing touches the rooms that were found, which brings them back with new scores.
  if (chosen.length === count) return chosen;
  for (const candidate of taken) push(heap, candidate);
  return null;
}

/**
 * Returns whether a room suits the next member of a demand, beside the rooms that are chosen for the other members: its
 * machine has the ports for all members there, and no chosen room gives out the same cards.
 */
function hasPorts({ pass, rooms, shape }: Look, room: Room, chosen: readonly Room[]): boolean {
  const { ports, request } = shape.spec;
  // The node's cards may be those that a member beside it takes.
  if (request.gpu !== null && room.beside.length > 0 && chosen.some((other) => room.beside.includes(other)))
    return false;
  if (ports.length === 0) return true;
  const beside = chosen.filter((other) => other.node.fingerprint === room.node.fingerprint).length;
  if (beside > 0 && ports.some((port) => port.published !== null)) return false;
  return choosePorts(pass, rooms, room, Array.from({ length: beside + 1 }, () => ports).flat()).is === "chosen";
}

/** Returns the candidates, updated with everything that was placed since the last search. */
function refreshed(look: Look): Candidate[] {
  const { rooms, shape } = look;
  const behind = rooms.touched.length - shape.seen;
  if (shape.candidates === null || behind > rooms.list.length) {
    shape.candidates = [];
    // One member fits on none of the nodes that an earlier pass has tried, unless they have grown since.
    const since = shape.spec.members === 1 ? (triedIn(look) ?? -1) : -1;
    for (const room of rooms.list) if (room.grown > since) consider(look, shape.candidates, room);
  } else {
    for (let n = shape.seen; n < rooms.touched.length; n++) {
      const room = rooms.list[rooms.touched[n] ?? 0];
      if (room !== undefined) consider(look, shape.candidates, room);
    }
  }
  shape.seen = rooms.touched.length;
  return shape.candidates;
}

function consider(look: Look, heap: Candidate[], room: Room): void {
  look.rooms.checks++;
  if (!hasRoom(look, room) || !isCandidate(look, room)) return;
  push(heap, { room, score: total(scoreParts(look, room)), stamp: room.stamp });
}

// ---- a binary heap

const isBetter = (a: Candidate, b: Candidate): boolean =>
  a.score > b.score || (a.score === b.score && a.room.index < b.room.index);

function push(heap: Candidate[], candidate: Candidate): void {
  let at = heap.length;
  heap.push(candidate);
  while (at > 0) {
    const up = (at - 1) >> 1;
    const parent = heap[up] as Candidate;
    if (!isBetter(candidate, parent)) break;
    heap[at] = parent;
    at = up;
  }
  heap[at] = candidate;
}

function pop(heap: Candidate[]): Candidate | null {
  const top = heap[0];
  const last = heap.pop();
  if (top === undefined || last === undefined) return null;
  if (heap.length === 0) return top;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    const left = heap[child];
    if (left === undefined) break;
    const right = heap[child + 1];
    if (right !== undefined && isBetter(right, left)) child++;
    const best = heap[child] as Candidate;
    if (!isBetter(best, last)) break;
    heap[at] = best;
    at = child;
  }
  heap[at] = last;
  return top;
}
