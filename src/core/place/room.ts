// What is left on every node, counted down while a pass places: resources, ports of the machine, and the tasks that are
// there.

import { cardsOf, type Cards } from "../cards/node-cards";
import { isHeir } from "../model/heirs";
import type { RestingPort } from "../model/rows-state";
import type { TaskRow } from "../model/rows-task";
import type { NodeRow } from "../model/rows-node";
import type { Promised } from "../model/promised";
import type { Demand, Pass } from "../pass/pass";
import type { NodeFact } from "../pass/contact";
import { pick, type CardPick } from "../cards/pick";
import { FLOOR, freeOf, giveBack, giveBackCards, take, takeCards, type Free, type Resolved } from "../model/resources";
import type { GpuRequest, PortRequest, TaskSpec } from "../model/workload";

export interface Room {
  readonly fact: NodeFact;
  readonly node: NodeRow;
  /** The node's index in the order of node ids, by which ties are broken. */
  readonly index: number;
  readonly free: Free;
  readonly cards: Cards;
  /** Rooms of other agents on the same machine that give out some of the same cards. */
  readonly beside: Room[];
  /** The cards that a request would get now. It is forgotten when something is placed here. */
  picked: { readonly request: GpuRequest; readonly pick: CardPick | null } | null;
  /** What a spec that leaves amounts open comes to here now. It is forgotten when something is placed here. */
  filled: { readonly spec: TaskSpec; readonly resolved: Resolved } | null;
  /** Rises when something is placed here, and when a task with cards is placed in a room beside. */
  stamp: number;
  /** The last pass before which there may have come to be more room. */
  grown: number;
  /** The last pass before which, or in which, anything here has changed. */
  changed: number;
}

export interface Rooms {
  readonly list: readonly Room[];
  readonly byId: ReadonlyMap<string, Room>;
  /** Indices of the rooms whose stamps rose, in the order in which they did. */
  readonly touched: number[];
  readonly placed: TaskRow[];
  /**
   * Uids of tasks that this pass tells to stop. They are no company for `together_with`. For `apart_from` and `spread`
   * they count until they have ended.
   */
  readonly stopped: ReadonlySet<string>;
  /** Room that is kept for demands that have waited for long. */
  readonly kept: KeptRoom[];
  /** The number of this pass, and the highest `grown` of all rooms. */
  pass: number;
  grown: number;
  /** How often a node was examined. */
  checks: number;
  /**
   * Values that are made at first use. They stand in one object, so that a copy of these rooms with a shorter `list`
   * shares them.
   */
  readonly lazy: Lazy;
}

/** What is kept of a room for a demand, until it fits. */
export interface KeptRoom {
  readonly room: Room;
  readonly promised: Promised;
  /** Those for whom it is kept: one demand, or all companions. Each of them has a part of its own. */
  readonly demands: readonly Demand[];
  /** Words what it is, such as `room for run 12, which has waited for 14m`. */
  readonly name: string;
}

export interface Lazy {
  /** Tasks by node and host key. */
  hosts: Hosts | null;
  /** Tasks and orphans with what they hold, by node id. */
  byNode: Map<string, NamedPromise[]> | null;
  /** Names of the holders of each device, by the device's id. */
  holders: Map<string, string[]> | null;
  ports: Map<string, PortSpace> | null;
  /** What daemons take, by node id. */
  daemons: Map<string, DaemonShare> | null;
}

export interface Hosts {
  /** By node id and host key: how many live tasks there are, and how many of them are wanted. */
  readonly byNode: Map<string, Map<string, { all: number; wanted: number }>>;
  /** By host key: on which nodes there are wanted tasks. */
  readonly wanted: Map<string, Where>;
}

/** The ids of some nodes, and a text that is the same for the same nodes only; made when somebody asks for it. */
export interface Where {
  readonly nodes: Set<string>;
  said: string | null;
}

/** What somebody on a node was promised. */
export interface NamedPromise {
  readonly name: string;
  readonly promised: Promised;
  /** Whether nobody asked for the cores, or for the memory. */
  readonly by_default?: { readonly cpu: boolean; readonly memory: boolean };
}

/** What the daemons of a node take, and how much of that is not promised to them yet. */
export interface DaemonShare {
  readonly all: Sized;
  readonly coming: Sized;
}

export type Sized = Record<keyof typeof FLOOR, number>;

/** The published ports of one machine, which several agents may share. */
interface PortSpace {
  readonly taken: Map<number, "cluster" | "loopback" | "both">;
  readonly resting: Set<number>;
  /** Ports that something other than tasks holds. Automatic ports are others. */
  readonly foreign: Set<number>;
  /** No port below this one is free. */
  lowest: number;
}

/**
 * Returns what is left on every node beside the living tasks, the orphans whose promises are known, and the tasks that
 * the pass has placed so far. Heirs whose turn has not come take nothing: their room is counted with those who have it.
 */
export function openRooms(
  pass: Pass,
  stopped: ReadonlySet<string> = new Set(),
  placed: readonly TaskRow[] = [],
): Rooms {
  const ids = [...pass.nodes.keys()].sort();
  const list: Room[] = [];
  const byId = new Map<string, Room>();
  for (const id of ids) {
    const fact = pass.nodes.get(id) as NodeFact;
    const { node } = fact;
    const cards = cardsOf(node.devices);
    const free = freeOf(node.capacity);
    const room: Room = {
      fact,
      node,
      index: list.length,
      free,
      cards,
      beside: [],
      picked: null,
      filled: null,
      stamp: 0,
      grown: 0,
      changed: 0,
    };
    list.push(room);
    byId.set(id, room);
  }
  joinMachines(list);
  for (const room of list) for (const { held } of room.node.orphans) if (held !== null) takeFrom(room, held);
  for (const tasks of pass.tasks.values()) {
    for (const task of tasks) {
      const room = isHeir(task, pass.state.tasks) ? undefined : byId.get(task.node_id);
      if (room !== undefined) takeFrom(room, task.promised);
    }
  }
  for (const task of placed) if (task.heir_of === null) takeFrom(byId.get(task.node_id) as Room, task.promised);
  return {
    list,
    byId,
    touched: [],
    placed: [...placed],
    stopped,
    kept: [],
    pass: 0,
    grown: 0,
    checks: 0,
    lazy: nothingYet(),
  };
}

export const nothingYet = (): Lazy => ({ hosts: null, byNode: null, holders: null, ports: null, daemons: null });

/**
 * Puts rooms beside each other if their agents are on one machine, which they show by the same boot id, and have a card
 * in common.
 */
function joinMachines(list: readonly Room[]): void {
  const boots = new Map<string, number>();
  for (const { node, cards } of list) {
    if (cards.list.length > 0) boots.set(node.boot_id, (boots.get(node.boot_id) ?? 0) + 1);
  }
  const byCard = new Map<string, Room[]>();
  for (const room of list) {
    if ((boots.get(room.node.boot_id) ?? 0) < 2) continue;
    for (const { device } of room.cards.list) {
      const others = byCard.get(device.id);
      if (others === undefined) byCard.set(device.id, [room]);
      else {
        for (const other of others) sitBeside(room, other);
        others.push(room);
      }
    }
  }
}

function sitBeside(one: Room, other: Room): void {
  if (one.node.boot_id !== other.node.boot_id || one.beside.includes(other)) return;
  one.beside.push(other);
  other.beside.push(one);
}

function takeFrom({ free, beside }: Room, promised: Promised): void {
  take(free, promised);
  if (promised.devices.length > 0) for (const other of beside) takeCards(other.free, promised.devices);
}

// ---- ports

function portSpaces(pass: Pass, rooms: Rooms): Map<string, PortSpace> {
  if (rooms.lazy.ports !== null) return rooms.lazy.ports;
  const spaces = new Map<string, PortSpace>();
  rooms.lazy.ports = spaces;
  for (const room of rooms.byId.values()) {
    if (!spaces.has(room.node.fingerprint)) {
      const lowest = pass.limits.port_range[0];
      spaces.set(room.node.fingerprint, { taken: new Map(), resting: new Set(), foreign: new Set(), lowest });
    }
    for (const orphan of room.node.orphans) if (orphan.held !== null) takePorts(spaces, room.node, orphan.held);
  }
  for (const tasks of pass.tasks.values()) {
    for (const task of tasks) {
      const node = rooms.byId.get(task.node_id)?.node;
      if (node !== undefined && task.promised.ports.length > 0) takePorts(spaces, node, task.promised);
    }
  }
  for (const task of rooms.placed) {
    const node = rooms.byId.get(task.node_id)?.node;
    if (node !== undefined) takePorts(spaces, node, task.promised);
  }
  for (const port of pass.state.ports.values()) if (port.until_ms > pass.now_ms) rest(spaces, rooms, port);
  return spaces;
}

function rest(spaces: Map<string, PortSpace>, rooms: Rooms, port: RestingPort): void {
  const slash = port.key.lastIndexOf("/");
  const node = rooms.byId.get(port.key.slice(0, slash))?.node;
  const space = node === undefined ? undefined : spaces.get(node.fingerprint);
  (port.held_by === null ? space?.resting : space?.foreign)?.add(Number(port.key.slice(slash + 1)));
}

function takePorts(spaces: Map<string, PortSpace>, node: NodeRow, promised: Promised): void {
  const space = spaces.get(node.fingerprint);
  if (space === undefined) return;
  for (const { published, bind } of promised.ports) {
    const before = space.taken.get(published);
    space.taken.set(published, before === undefined || before === bind ? bind : "both");
  }
}

const isTaken = (space: PortSpace, port: number, bind: "cluster" | "loopback"): boolean => {
  const by = space.taken.get(port);
  return by === bind || by === "both";
};

/** A published port that is not available: its number, or null if the range for automatic ports is used up. */
export interface PortTrouble {
  readonly port: number | null;
  readonly resting: boolean;
}

/** Chooses the published ports without taking them: fixed ones as asked, automatic ones the lowest that is free. */
export function choosePorts(
  pass: Pass,
  rooms: Rooms,
  room: Room,
  ports: readonly PortRequest[],
):
  | { readonly is: "chosen"; readonly ports: Promised["ports"] }
  | { readonly is: "taken"; readonly trouble: PortTrouble } {
  if (ports.length === 0) return NO_PORTS;
  const space = portSpaces(pass, rooms).get(room.node.fingerprint) as PortSpace;
  const [, last] = pass.limits.port_range;
  const fixed = new Set(ports.map((each) => each.published));
  const chosen: { name: string; target: number; published: number; bind: "cluster" | "loopback" }[] = [];
  const isGone = (port: number): boolean => space.taken.has(port) || space.resting.has(port) || space.foreign.has(port);
  while (space.lowest <= last && isGone(space.lowest)) space.lowest++;
  let next = space.lowest;
  for (const { name, target, published, bind } of ports) {
    if (published !== null) {
      const resting = space.resting.has(published);
      if (resting || isTaken(space, published, bind)) return { is: "taken", trouble: { port: published, resting } };
      chosen.push({ name, target: target ?? published, published, bind });
      continue;
    }
    while (next <= last && (isGone(next) || fixed.has(next))) next++;
    if (next > last) return { is: "taken", trouble: { port: null, resting: false } };
    chosen.push({ name, target: target ?? next, published: next, bind });
    next++;
  }
  return { is: "chosen", ports: chosen };
}

const NO_PORTS = { is: "chosen", ports: [] } as const;

// ---- promises

/** Returns the cards that a request would get here now, or null if they do not suffice. */
export function pickIn(room: Room, request: GpuRequest): CardPick | null {
  if (room.picked?.request !== request) room.picked = { request, pick: pick(request, room.cards, room.free) };
  return room.picked.pick;
}

/** Counts what a task is promised as taken in its room. */
export function takeRoom(rooms: Rooms, room: Room, promised: Promised): void {
  takeFrom(room, promised);
  forget(room);
  if (rooms.lazy.ports !== null && promised.ports.length > 0) takePorts(rooms.lazy.ports, room.node, promised);
}

/**
 * Gives back to a room the amounts, countables and cards that a task holds. The task's ports stay taken, and the task
 * still counts as company.
 */
export function leaveRoom(room: Room, promised: Promised): void {
  giveBack(room.free, promised);
  for (const other of room.beside) giveBackCards(other.free, promised.devices);
  forget(room);
}

function forget(room: Room): void {
  for (const each of [room, ...room.beside]) {
    each.picked = null;
    each.filled = null;
  }
}

/** Returns a copy of a room on which can be tried what would fit. Ports and company count as they are now. */
export const trialOf = (room: Room): Room => ({
  ...room,
  free: {
    ...room.free,
    countables: room.free.countables === null ? null : new Map(room.free.countables),
    held: room.free.held === null ? null : new Map([...room.free.held].map(([id, load]) => [id, { ...load }] as const)),
  },
  picked: null,
  filled: null,
});
