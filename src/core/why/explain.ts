// Why a slot waits, in the user's words, and the smallest change to its request that would let it run.

import { compareText } from "../canonical";
import { begin } from "../pass/begin";
import { isCandidate, hasRoom } from "../place/checks";
import { type Look, noShapes, shapeOf } from "../place/shape";
import { isHeir } from "../model/heirs";
import type { TaskRow } from "../model/rows-task";
import { explainCards } from "../place/pick-reasons";
import { leaveRoom, openRooms } from "../place/room";
import { scoreParts, total } from "../place/scores";
import type { DeviceReason, Score, Snapshot } from "../pass/snapshot";

export interface Placed {
  /** The scores of the nodes that fit, the best first. */
  readonly scores: readonly Score[];
  /** Why the task has the cards that it has. */
  readonly devices: readonly DeviceReason[];
}

/** Explains why a task is where it is, as if it were placed now. */
export function explainPlaced(snapshot: Snapshot, task: TaskRow): Placed {
  const owner = snapshot.state.runs.get(task.owner_uid) ?? snapshot.state.workloads.get(task.owner_uid);
  if (owner === undefined) return { scores: [], devices: [] };
  const { pass } = begin(snapshot);
  const rooms = openRooms(pass);
  const spec = snapshot.spec(task.spec_hash);
  const shape = shapeOf(pass, noShapes(), {
    owner,
    kind: task.kind,
    spec,
    slot: task.slot,
    slot_row: null,
    only: null,
    gives_up: [],
    stops_first: null,
    why: "",
  });
  const look: Look = { pass, rooms, shape };
  const own = rooms.byId.get(task.node_id);
  if (own !== undefined && !isHeir(task, pass.state.tasks)) leaveRoom(own, task.promised);
  const { gpu } = spec.request;
  const devices = own === undefined || gpu === null ? [] : explainCards(gpu, own, task.promised);
  const scores = rooms.list
    .filter((room) => room === own || (isCandidate(look, room) && hasRoom(look, room)))
    .map((room): Score => {
      const parts = scoreParts(look, room);
      return { node: room.node.name, total: total(parts), parts };
    })
    .sort((a, b) => b.total - a.total || compareText(a.node, b.node));
  return { scores, devices };
}
