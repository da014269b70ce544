// What is left on every node, counted down while a pass places: resources, ports of the machine, and the tasks that are
// there.

import { cardsOf, type Cards } from "../cards/node-cards";
import type { RestingPort } from "../model/rows-state";
import type { TaskRow } from "../model/rows-task";
import type { NodeRow } from "../model/rows-node";
import type { Promised } from "../model/promised";
import type { Pass } from "../pass/pass";
import type { NodeFact } from "../pass/contact";
import { pick, type CardPick } from "../cards/pick";
import { hostKey } from "./queue";
import { freeOf, giveBack, giveBackCards, take, takeCards, type Free } from "../model/resources";
import { isWanted, taskName } from "../model/task";
import type { GpuRequest, PortRequest } from "../model/workload";

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
  /** Rises when something is placed here, and when a task with cards is placed in a room beside. */
  stamp: number;
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
  /** How often a node was examined. */
  checks: number;
  /**
   * Values that are made at first use. They stand in one object, so that a copy of these rooms with a shorter `list`
   * shares them.
   */
  readonly lazy: Lazy;
}

interface Lazy {
  /** Tasks by node and host key. */
  hosts: Hosts | null;
  /** Tasks and orphans with what they hold, by node id. */
  byNode: Map<string, NamedPromise[]> | null;
  /** Names of the holders of each device, by the device's id. */
  holders: Map<string, string[]> | null;
  ports: Map<string, PortSpace> | null;
}

interface Hosts {
  /** By node id and host key: how many live tasks there are, and how many of them are wanted. */
  readonly byNode: Map<string, Map<string, { all: number; wanted: number }>>;
  /** By host key: how many wanted tasks there are anywhere. */
  readonly wanted: Map<string, number>;
}

/** The published ports of one machine, which several agents may share. */
interface PortSpace {
  readonly taken: Map<number, "cluster" | "loopback" | "both">;
  readonly resting: Set<number>;
  /** No port below this one is free. */
  lowest: number;
}

/**
 * Returns what is left on every node beside the living tasks, the orphans whose promises are known, and the tasks that
 * the pass has placed so far.
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
    const room: Room = { fact, node, index: list.length, free, cards, beside: [], picked: null, stamp: 0 };
    list.push(room);
    byId.set(id, room);
  }
  joinMachines(list);
  for (const room of list) for (const { held } of room.node.orphans) if (held !== null) takeFrom(room, held);
  for (const tasks of pass.tasks.values()) {
    for (const task of tasks) {
      const room = byId.get(task.node_id);
      if (room !== undefined) takeFrom(room, task.promised);
    }
  }
  for (const { node_id, promised } of placed) takeFrom(byId.get(node_id) as Room, promised);
  return {
    list,
    byId,
    touched: [],
    placed: [...placed],
    stopped,
    checks: 0,
    lazy: { hosts: null, byNode: null, holders: null, ports: null },
  };
}

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

// ---- who is there

function hostsOf(pass: Pass, rooms: Rooms): Hosts {
  if (rooms.lazy.hosts !== null) return rooms.lazy.hosts;
  const hosts: Hosts = { byNode: new Map(), wanted: new Map() };
  rooms.lazy.hosts = hosts;
  for (const tasks of pass.tasks.values()) for (const task of tasks) countHost(rooms, hosts, task);
  for (const task of rooms.placed) countHost(rooms, hosts, task);
  return hosts;
}

function countHost({ stopped }: Rooms, hosts: Hosts, task: TaskRow): void {
  const key = hostKey(task, task.owner_uid, task.workload);
  let there = hosts.byNode.get(task.node_id);
  if (there === undefined) hosts.byNode.set(task.node_id, (there = new Map()));
  let count = there.get(key);
  if (count === undefined) there.set(key, (count = { all: 0, wanted: 0 }));
  count.all++;
  if (!isWanted(task) || stopped.has(task.uid)) return;
  count.wanted++;
  hosts.wanted.set(key, (hosts.wanted.get(key) ?? 0) + 1);
}

export const countOn = (
  pass: Pass,
  rooms: Rooms,
  room: Room,
  key: string,
): { readonly all: number; readonly wanted: number } =>
  hostsOf(pass, rooms).byNode.get(room.node.id)?.get(key) ?? NOBODY;

/** Returns whether a workload has a wanted task anywhere. */
export const isAnywhere = (pass: Pass, rooms: Rooms, key: string): boolean =>
  (hostsOf(pass, rooms).wanted.get(key) ?? 0) > 0;

const NOBODY = { all: 0, wanted: 0 };

/** Returns the names of those who hold a device. */
export function holdersOf(pass: Pass, rooms: Rooms, device_id: string): readonly string[] {
  if (rooms.lazy.holders === null) {
    rooms.lazy.holders = new Map();
    for (const { node } of rooms.list)
      for (const { name, held } of node.orphans) addHolder(rooms.lazy.holders, `${name}, an orphan`, held);
    for (const tasks of pass.tasks.values())
      for (const task of tasks) addHolder(rooms.lazy.holders, holderName(task), task.promised);
    for (const task of rooms.placed) addHolder(rooms.lazy.holders, holderName(task), task.promised);
    for (const names of rooms.lazy.holders.values()) names.sort();
  }
  return rooms.lazy.holders.get(device_id) ?? [];
}

/** What somebody on a node was promised. */
export interface NamedPromise {
  readonly name: string;
  readonly promised: Promised;
}

/** Returns who was promised something on a node, in no order. */
export function promisesOn(pass: Pass, rooms: Rooms, node_id: string): readonly NamedPromise[] {
  if (rooms.lazy.byNode === null) {
    const byNode = new Map<string, NamedPromise[]>();
    rooms.lazy.byNode = byNode;
    for (const { node } of rooms.list) {
      const orphans = node.orphans.flatMap(({ name, held }) =>
        held === null ? [] : [{ name: `${name}, an orphan`, promised: held }],
      );
      byNode.set(node.id, orphans);
    }
    for (const tasks of pass.tasks.values()) for (const task of tasks) addPromise(byNode, task);
    for (const task of rooms.placed) addPromise(byNode, task);
  }
  return rooms.lazy.byNode.get(node_id) ?? [];
}

function addPromise(byNode: Map<string, NamedPromise[]>, task: TaskRow): void {
  byNode.get(task.node_id)?.push({ name: holderName(task), promised: task.promised });
}

const holderName = (task: TaskRow): string => (task.app === null ? `run ${taskName(task)}` : taskName(task));

function addHolder(holders: Map<string, string[]>, name: string, held: Promised | null): void {
  for (const { id } of held?.devices ?? []) {
    const names = holders.get(id);
    if (names === undefined) holders.set(id, [name]);
    else names.push(name);
  }
}

/** Counts a task that was just placed. */
export function settleIn(rooms: Rooms, room: Room, task: TaskRow): void {
  if (rooms.lazy.hosts !== null) countHost(rooms, rooms.lazy.hosts, task);
  if (rooms.lazy.byNode !== null) addPromise(rooms.lazy.byNode, task);
  if (rooms.lazy.holders !== null) addHolder(rooms.lazy.holders, holderName(task), task.promised);
  rooms.placed.push(task);
  rooms.touched.push(room.index);
  room.stamp++;
  if (task.promised.devices.length === 0) return;
  for (const other of room.beside) {
    rooms.touched.push(other.index);
    other.stamp++;
  }
}

// ---- ports

function portSpaces(pass: Pass, rooms: Rooms): Map<string, PortSpace> {
  if (rooms.lazy.ports !== null) return rooms.lazy.ports;
  const spaces = new Map<string, PortSpace>();
  rooms.lazy.ports = spaces;
  for (const room of rooms.list) {
    if (!spaces.has(room.node.fingerprint)) {
      spaces.set(room.node.fingerprint, { taken: new Map(), resting: new Set(), lowest: pass.limits.port_range[0] });
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
  if (node !== undefined) spaces.get(node.fingerprint)?.resting.add(Number(port.key.slice(slash + 1)));
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
  while (space.lowest <= last && (space.taken.has(space.lowest) || space.resting.has(space.lowest))) space.lowest++;
  let next = space.lowest;
  for (const { name, target, published, bind } of ports) {
    if (published !== null) {
      const resting = space.resting.has(published);
      if (resting || isTaken(space, published, bind)) return { is: "taken", trouble: { port: published, resting } };
      chosen.push({ name, target: target ?? published, published, bind });
      continue;
    }
    while (next <= last && (space.taken.has(next) || space.resting.has(next) || fixed.has(next))) next++;
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
  unpick(room);
  if (rooms.lazy.ports !== null && promised.ports.length > 0) takePorts(rooms.lazy.ports, room.node, promised);
}

/**
 * Gives back to a room the amounts, countables and cards that a task holds. The task's ports stay taken, and the task
 * still counts as company.
 */
export function leaveRoom(room: Room, promised: Promised): void {
  giveBack(room.free, promised);
  for (const other of room.beside) giveBackCards(other.free, promised.devices);
  unpick(room);
}

function unpick(room: Room): void {
  room.picked = null;
  for (const other of room.beside) other.picked = null;
}
