// Why a slot waits, in the user's words, and the smallest change to its request that would let it run.

import { compareText } from "../canonical";
import { begin } from "../pass/begin";
import { findings, isCandidate, hasRoom } from "./checks";
import { type Failure, type Look, noShapes, shapeOf } from "./shape";
import { singular, type RequestChange, type Found } from "./found";
import type { TaskRow } from "../model/rows-task";
import { explainCards } from "./pick-reasons";
import { leaveRoom, openRooms, type Room } from "./room";
import { scoreParts, total } from "./scores";
import type { Check, DeviceReason, NodeChecks, Score, Snapshot } from "../pass/snapshot";

/** The most reasons that a summary names. All are in the nodes' own checks. */
const REASONS_SHOWN = 4;
const CHANGES_SHOWN = 2;

interface NodeFindings {
  readonly room: Room;
  readonly found: readonly Found[];
}

/** Examines every node for a shape that fits nowhere, or on too few nodes for its members. */
export function explainFailure(look: Look, members: number): Failure {
  const examined = look.rooms.list.map((room): NodeFindings => ({ room, found: findings(look, room) }));
  return failureOf(examined, members);
}

/** Examines the one node of a daemon's slot. */
export function explainNode(look: Look, room: Room): Failure {
  const node = { room, found: findings(look, room) };
  const text = node.found.map(({ detail }) => detail).join("; ");
  return { ...failureOf([node], 1), summary: `waits: ${room.node.name}: ${text}` };
}

function failureOf(examined: readonly NodeFindings[], members: number): Failure {
  const possible = examined.filter(({ found }) => !found.some((each) => each.hopeless)).length;
  const fitting = examined.filter(({ found }) => found.length === 0).length;
  const nodes = examined.map(({ room, found }): NodeChecks => ({ node: room.node.name, checks: found.map(checkOf) }));
  nodes.sort((a, b) => compareText(a.node, b.node));
  return {
    kind: possible < members ? "unsatisfiable" : "queued",
    summary: summaryOf(examined, fitting, members),
    smallest_change: smallestChange(examined, fitting, members),
    nodes,
  };
}

const checkOf = ({ check, detail, hopeless, devices }: Found): Check => ({ check, detail, hopeless, devices });

/** Words a summary: `waits: 0 of 5 nodes fit: 3 have no card with 24 GB (largest 16 GB), 2 are tainted team=vision`. */
function summaryOf(examined: readonly NodeFindings[], fitting: number, members: number): string {
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

/**
 * Words the fewest changes to the request that make one more node fit, in up to two ways, each with the amount that
 * asks least of the user. A gang is also told for how many nodes it could ask. Null if no change helps.
 */
function smallestChange(examined: readonly NodeFindings[], fitting: number, members: number): string | null {
  const shown: string[] = [];
  if (members > 1 && fitting > 0) shown.push(`ask for ${fitting} ${fitting === 1 ? "node" : "nodes"}`);
  let fewest = Number.POSITIVE_INFINITY;
  let ways = new Map<string, readonly RequestChange[]>();
  for (const { found } of examined) {
    const changes = found.map((each) => each.change);
    if (found.length === 0 || found.length > fewest || changes.includes(null)) continue;
    if (found.length < fewest) {
      fewest = found.length;
      ways = new Map();
    }
    const way = changes as RequestChange[];
    const key = way.map((change) => change.key).join(" ");
    const known = ways.get(key);
    if (known === undefined || sum(way) > sum(known)) ways.set(key, way);
  }
  const sorted = [...ways].sort(([a], [b]) => compareText(a, b));
  for (const [, way] of sorted.slice(0, CHANGES_SHOWN)) shown.push(way.map(({ text }) => text).join(" and "));
  return shown.length === 0 ? null : shown.join(", or ");
}

const sum = (way: readonly RequestChange[]): number => way.reduce((all, { value }) => all + value, 0);

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
