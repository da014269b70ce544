// Why a slot waits, in the user's words, and the smallest change to its request that would let it run.

import { compareText } from "../canonical";
import { begin } from "../pass/begin";
import { examine, isCandidate, hasRoom, type Candidacy } from "./checks";
import { type Look, noShapes, shapeOf } from "./shape";
import { singular, type Found } from "./found";
import type { TaskRow } from "../model/rows-task";
import { explainCards } from "./pick-reasons";
import { leaveRoom, nothingYet, openRooms, takeRoom, type KeptRoom, type Room, type Rooms } from "./room";
import { sayChanges, smallestChanges } from "./smallest";
import { ownerSlotName, type Demand } from "../pass/pass";
import { assert } from "../assert";
import { scoreParts, total } from "./scores";
import type { Blocked, Check, DeviceReason, Failure, NamedChange, NodeChecks, Score, Snapshot } from "../pass/snapshot";

/** The most reasons that a summary names. All are in the nodes' own checks. */
const REASONS_SHOWN = 4;

/**
 * Returns a demand that found no room, with its reasons and the changes that help. Both are made when somebody reads
 * them, from the rooms as the pass has left them, and once for all demands of one shape.
 */
export function blockedBy(look: Look, demand: Demand): Blocked {
  const { shape } = look;
  const { owner, slot, only } = demand;
  const kept = look.rooms.kept.filter((each) => each.demand === demand);
  const own = only === null && kept.length === 0 ? shape : { ...shape, why: null, changes: null };
  const rooms = only === null ? look.rooms : { ...look.rooms, list: [roomOf(look.rooms, only.node.id)] };
  const here: Look = { ...look, rooms, shape: own };
  const read = <T>(of: (look: Look) => T): T => (kept.length === 0 ? of(here) : withoutKept(here, kept, of));
  const why = (): Failure =>
    (own.why ??= read((at) => withRoom(only === null ? explainFailure(at, demand) : explainNode(at), kept)));
  const changes = (): readonly NamedChange[] => (own.changes ??= read((at) => changesFor(at, demand, why())));
  return {
    name: ownerSlotName(owner, slot),
    owner_uid: owner.uid,
    slot,
    get kind() {
      return why().kind;
    },
    get summary() {
      return why().summary;
    },
    get nodes() {
      return why().nodes;
    },
    get changes() {
      return changes();
    },
    get smallest_change() {
      return sayChanges(changes());
    },
  };
}

/** Asks a question of the rooms as they are without what is kept for the asking demand itself. */
function withoutKept<T>(look: Look, kept: readonly KeptRoom[], of: (look: Look) => T): T {
  const others = look.rooms.kept.filter((each) => !kept.includes(each));
  const rooms: Rooms = { ...look.rooms, kept: others, lazy: nothingYet() };
  for (const { room, promised } of kept) leaveRoom(room, promised);
  const answer = of({ ...look, rooms });
  for (const { room, promised } of kept) takeRoom(rooms, room, promised);
  return answer;
}

/** Says where room is kept for a demand. */
function withRoom(why: Failure, kept: readonly KeptRoom[]): Failure {
  if (kept.length === 0) return why;
  const names = kept.map(({ room }) => room.node.name).sort();
  return { ...why, summary: `${why.summary}; it has waited for long, so room is kept for it on ${names.join(", ")}` };
}

function roomOf({ byId }: Rooms, node_id: string): Room {
  const room = byId.get(node_id);
  assert(room !== undefined, "a daemon's node has a room");
  return room;
}

const changesFor = (look: Look, demand: Demand, { kind }: Failure): readonly NamedChange[] =>
  smallestChanges(look, demand, examine(look), kind === "unsatisfiable");

/** Examines every node for a demand that fits nowhere, or on too few nodes for its members. */
const explainFailure = (look: Look, { spec }: Demand): Failure => failureOf(examine(look), spec.members);

/** Examines the one node of a daemon's slot. */
function explainNode(look: Look): Failure {
  const examined = examine(look);
  const text = examined.map(({ room, found }) => `${room.node.name}: ${found.map(({ detail }) => detail).join("; ")}`);
  return { ...failureOf(examined, 1), summary: `waits: ${text.join(", ")}` };
}

function failureOf(examined: readonly Candidacy[], members: number): Failure {
  const possible = examined.filter(({ found }) => !found.some((each) => each.hopeless)).length;
  const fitting = examined.filter(({ found }) => found.length === 0).length;
  const nodes = examined.map(({ room, found }): NodeChecks => ({ node: room.node.name, checks: found.map(checkOf) }));
  nodes.sort((a, b) => compareText(a.node, b.node));
  return {
    kind: possible < members ? "unsatisfiable" : "queued",
    summary: summaryOf(examined, fitting, members),
    nodes,
  };
}

const checkOf = ({ check, detail, hopeless, devices }: Found): Check => ({ check, detail, hopeless, devices });

/** Words a summary: `waits: 0 of 5 nodes fit: 3 have no card with 24 GB (largest 16 GB), 2 are tainted team=vision`. */
function summaryOf(examined: readonly Candidacy[], fitting: number, members: number): string {
  if (examined.length === 0) return "waits: no node has joined yet";
  const groups = new Map<string, { count: number; best: Found["best"] }>();
  for (const { found } of examined) {
    const main = found.find((each) => each.hopeless) ?? found[0];
    if (main === undefined) continue;
    const group = groups.get(main.reason);
    if (group === undefined) groups.set(main.reason, { count: 1, best: main.best });
    else {
      group.count++;
      if (main.best !== null && (group.best === null || main.best.value > group.best.value)) group.best = main.best;
    }
  }
  const sorted = [...groups].sort(([a, x], [b, y]) => y.count - x.count || compareText(a, b));
  const told = sorted
    .slice(0, REASONS_SHOWN)
    .map(
      ([reason, { count, best }]) =>
        `${count} ${count === 1 ? singular(reason) : reason}${best === null ? "" : ` (${best.text})`}`,
    );
  const untold = sorted.slice(REASONS_SHOWN).reduce((sum, [, { count }]) => sum + count, 0);
  if (untold > 0) told.push(`${untold} for other reasons`);
  const needed = members > 1 ? `, ${members} are needed` : "";
  const total = `${fitting} of ${examined.length} ${examined.length === 1 ? "node fits" : "nodes fit"}`;
  return `waits: ${total}${needed}${told.length === 0 ? "" : `: ${told.join(", ")}`}`;
}

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
  if (own !== undefined) leaveRoom(own, task.promised);
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
