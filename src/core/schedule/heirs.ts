// Gives demands that find no room that of a task which ends soon: the agent of its node begins them without asking.

import { HOUSE_LIMITS } from "../limits";
import { hasBegun, isHeir } from "../model/heirs";
import type { RunRow } from "../model/rows-work";
import type { TaskRow } from "../model/rows-task";
import { stopTask, tasksOf, type Demand, type PassDraft } from "../pass/pass";
import { isCandidate } from "../place/checks";
import { openLines } from "../place/lines";
import type { Room, Rooms } from "../place/room";
import { shapeOf, type Look, type Shapes } from "../place/shape";
import { commitHeir } from "./commit";

/** The lines of tasks and heirs of one shape that another may join, by how many there are in a line. */
type Lines = TaskRow[][][];

/** A demand that waits, before others of its shape. */
interface Waiting {
  readonly look: Look;
  readonly demand: Demand;
}

export interface Heirs {
  /** By the key of their shape; null until a demand asks for them. */
  lines: Map<string, Lines> | null;
  /** The first of each shape that waits for room in this pass, of those that may be heirs. */
  readonly waiting: Map<string, Waiting>;
  /** The first of each shape, and for each node that it must be on, of all others that wait. */
  readonly others: Map<string, Waiting>;
}

export const noHeirs = (): Heirs => ({ lines: null, waiting: new Map(), others: new Map() });

/** Notes that a demand waits: others that come behind it do not become heirs of a room that it could use. */
export function noteWaiting({ waiting, others }: Heirs, look: Look, demand: Demand): void {
  const key = demand.only === null ? look.shape.key : `${look.shape.key} ${demand.only.node.id}`;
  const noted = mayInherit(look, demand) ? waiting : others;
  if (!noted.has(key)) noted.set(key, { look, demand });
}

/** If so many different ones wait, nobody looks at them one by one. */
const MOST_SHAPES = 32;

/**
 * Makes a demand that finds no room the heir of a task of its shape that ends soon. Returns whether there is one: on a
 * usable node, with room that is kept for nobody and that nobody before it could use. The shortest lines come first.
 */
export function becomeHeir(draft: PassDraft, heirs: Heirs, shapes: Shapes, look: Look, demand: Demand): boolean {
  if (!mayInherit(look, demand) || heirs.waiting.size + heirs.others.size > MOST_SHAPES) return false;
  heirs.lines ??= linesOf(draft, shapes, look.rooms);
  const lines = heirs.lines.get(look.shape.key);
  for (let length = 1; length <= HOUSE_LIMITS.heirs; length++) {
    for (let line = lines?.[length]?.pop(); line !== undefined; line = lines?.[length]?.pop()) {
      const room = look.rooms.byId.get(line[0]?.node_id ?? "");
      if (room === undefined || !mayTakeOver(heirs, look, room)) continue;
      const heir = commitHeir(draft, look, demand, room, line);
      lines?.[length + 1]?.unshift([...line, heir]);
      return true;
    }
  }
  return false;
}

/** Returns whether a demand is one of those that may be heirs: a single run, with cores and memory alone. */
function mayInherit({ shape, pass }: Look, { owner, kind, spec, only, gives_up, stops_first }: Demand): boolean {
  const isRun = kind === "job" && "run" in owner && owner.array === null && only === null && stops_first === null;
  if (!isRun || pass.snapshot.took === undefined || gives_up.length > 0) return false;
  const isPlain = spec.request.gpu === null && spec.ports.length === 0 && !spec.exclusive && spec.members === 1;
  const isAlone = shape.apart.length + shape.followers.length + shape.together.length === 0;
  return isPlain && isAlone && !shape.has_stdin;
}

function linesOf(draft: PassDraft, shapes: Shapes, rooms: Rooms): Map<string, Lines> {
  const { pass, stopped } = draft;
  const found = new Map<string, Lines>();
  const index = ([task]: readonly TaskRow[]): number => rooms.byId.get(task?.node_id ?? "")?.index ?? -1;
  // The last one of a list is taken first.
  const sorted = openLines(pass, stopped).sort(
    (a, b) => index(b) - index(a) || ((a[0]?.uid ?? "") < (b[0]?.uid ?? "") ? 1 : -1),
  );
  for (const line of sorted) {
    const run = pass.state.runs.get(line[0]?.owner_uid ?? "");
    if (run === undefined) continue;
    const { key } = shapeOf(pass, shapes, demandOf(draft, run));
    const lines = found.getOrInsertComputed(key, () => Array.from({ length: HOUSE_LIMITS.heirs + 2 }, () => []));
    lines[line.length]?.push(line);
  }
  return found;
}

/** Returns the demand of a run as if it had no task. */
const demandOf = ({ pass }: PassDraft, owner: RunRow): Demand => ({
  owner,
  kind: "job",
  spec: pass.snapshot.spec(owner.spec_hash),
  slot: 0,
  slot_row: null,
  only: null,
  gives_up: [],
  stops_first: null,
  why: "",
});

function mayTakeOver({ waiting, others }: Heirs, look: Look, room: Room): boolean {
  if (room.node.facts.takes_heirs !== true || !isCandidate(look, room)) return false;
  if (isOverbooked(room) || look.rooms.kept.some((kept) => kept.room === room)) return false;
  if (others.values().some((other) => couldUse(other, room))) return false;
  // One of its own shape has found no line that it could join.
  return waiting.values().every((other) => other.look.shape === look.shape || !couldUse(other, room));
}

/** Returns whether more is promised on a node than it has, since it has become smaller. Nothing is passed on there. */
const isOverbooked = ({ free }: Room): boolean =>
  free.cpu_milli < 0 ||
  free.memory_bytes < 0 ||
  free.disk_bytes < 0 ||
  free.countables?.values().some((left) => left < 0) === true;

/** Returns whether a demand that waits may come to fit on a node when tasks there end. */
function couldUse({ look, demand: { only, spec } }: Waiting, room: Room): boolean {
  const { capacity } = room.node;
  const { cpu_milli, memory_bytes, gpu } = spec.request;
  if (only !== null && only.node.id !== room.node.id) return false;
  if (gpu !== null && room.cards.list.length === 0) return false;
  if ((cpu_milli ?? 0) > capacity.cpu_milli || (memory_bytes ?? 0) > capacity.memory_bytes) return false;
  return isCandidate(look, room);
}

/** Takes heirs back from rooms that somebody more urgent waits for. */
export function giveWay(draft: PassDraft, { waiting, others }: Heirs, rooms: Rooms): void {
  const { pass } = draft;
  const first = [...waiting.values(), ...others.values()].slice(0, MOST_SHAPES);
  if (first.length === 0) return;
  const most = Math.max(...first.map(({ demand }) => demand.owner.settings.priority));
  for (const uid of pass.tasks.keys()) {
    const run = pass.state.runs.get(uid);
    if (run === undefined || run.settings.priority >= most) continue;
    for (const task of tasksOf(pass, uid)) {
      const room = rooms.byId.get(task.node_id);
      if (room === undefined || !isHeir(task, pass.state.tasks) || hasBegun(task)) continue;
      const urgent = first.some(
        (other) => other.demand.owner.settings.priority > run.settings.priority && couldUse(other, room),
      );
      const why = "its turn has not come: what is more urgent waits for the room";
      if (urgent) stopTask(draft, task, run.settings.stop, why, { unbegun: true });
    }
  }
}
