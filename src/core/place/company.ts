// Who is on which node, and what they hold there: counted once, when somebody asks for it, and kept up with what the
// pass places.

import { digest128 } from "../fresh";
import { isHeir } from "../model/heirs";
import { hostKey } from "./queue";
import type { Promised } from "../model/promised";
import type { TaskRow } from "../model/rows-task";
import { nameForAll, isWanted } from "../model/task";
import type { Pass } from "../pass/pass";
import type { Hosts, KeptRoom, NamedPromise, Room, Rooms, Where } from "./room";

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
  const where = hosts.wanted.getOrInsertComputed(key, () => ({ nodes: new Set<string>(), said: null }));
  if (where.nodes.has(task.node_id)) return;
  where.nodes.add(task.node_id);
  where.said = null;
}

export const countOn = (
  pass: Pass,
  rooms: Rooms,
  room: Room,
  key: string,
): { readonly all: number; readonly wanted: number } =>
  hostsOf(pass, rooms).byNode.get(room.node.id)?.get(key) ?? NOBODY;

/** Returns whether a workload has a wanted task anywhere. */
export const isAnywhere = (pass: Pass, rooms: Rooms, key: string): boolean => hostsOf(pass, rooms).wanted.has(key);

/** Returns a text that says on which nodes these workloads have wanted tasks. Only for equal answers it is equal. */
export function whereabouts(pass: Pass, rooms: Rooms, leaders: readonly { readonly key: string }[]): string {
  if (leaders.length === 0) return "";
  const { wanted } = hostsOf(pass, rooms);
  return leaders.map(({ key }) => sayWhere(wanted.get(key))).join();
}

function sayWhere(where: Where | undefined): string {
  if (where === undefined) return "nowhere";
  return (where.said ??= digest128([...where.nodes].sort().join()));
}

const NOBODY = { all: 0, wanted: 0 };

/** Returns the names of those who hold a device. */
export function holdersOf(pass: Pass, rooms: Rooms, device_id: string): readonly string[] {
  if (rooms.lazy.holders === null) {
    rooms.lazy.holders = new Map();
    for (const { node } of rooms.byId.values())
      for (const { name, held } of node.orphans) addHolder(rooms.lazy.holders, `${name}, an orphan`, held);
    for (const tasks of pass.tasks.values())
      for (const task of tasks) addHolder(rooms.lazy.holders, nameForAll(task), task.promised);
    for (const task of rooms.placed) addHolder(rooms.lazy.holders, nameForAll(task), task.promised);
    for (const { name, promised } of rooms.kept) addHolder(rooms.lazy.holders, name, promised);
    for (const names of rooms.lazy.holders.values()) names.sort();
  }
  return rooms.lazy.holders.get(device_id) ?? [];
}

/** Returns who was promised something on a node, in no order. */
export function promisesOn(pass: Pass, rooms: Rooms, node_id: string): readonly NamedPromise[] {
  if (rooms.lazy.byNode === null) {
    const byNode = new Map<string, NamedPromise[]>();
    rooms.lazy.byNode = byNode;
    for (const { node } of rooms.byId.values()) {
      const orphans = node.orphans.flatMap(({ name, held }) =>
        held === null ? [] : [{ name: `${name}, an orphan`, promised: held }],
      );
      byNode.set(node.id, orphans);
    }
    for (const tasks of pass.tasks.values())
      for (const task of tasks) if (!isHeir(task, pass.state.tasks)) addPromise(pass, byNode, task);
    for (const task of rooms.placed) if (task.heir_of === null) addPromise(pass, byNode, task);
    for (const kept of rooms.kept) byNode.get(kept.room.node.id)?.push(kept);
  }
  return rooms.lazy.byNode.get(node_id) ?? [];
}

function addPromise(pass: Pass, byNode: Map<string, NamedPromise[]>, task: TaskRow): void {
  const { promised, node_id } = task;
  const by_default = { cpu: isCpuDefault(pass, task), memory: !promised.memory_limited };
  byNode.get(node_id)?.push({ name: nameForAll(task), promised, by_default });
}

/** Returns whether nobody asked for a task's cores. Of an earlier version, it is not known any more. */
function isCpuDefault({ state, snapshot }: Pass, { owner_uid, spec_hash }: TaskRow): boolean {
  const owner = state.runs.get(owner_uid) ?? state.workloads.get(owner_uid);
  return owner?.spec_hash === spec_hash && snapshot.spec(spec_hash).request.cpu_milli === null;
}

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
  rooms.lazy.byNode = null;
  if (rooms.lazy.holders !== null) addHolder(rooms.lazy.holders, nameForAll(task), task.promised);
  // What is still to come of the daemons is less by this one.
  if (task.kind === "daemon") rooms.lazy.daemons = null;
  rooms.placed.push(task);
  touch(rooms, room, task.promised);
}

/** Counts a task that this pass has just told to stop: it holds what it had, and is no company any more. */
export function settleOut(rooms: Rooms, { node_id, promised }: TaskRow): void {
  rooms.lazy.hosts = null;
  const room = rooms.byId.get(node_id);
  if (room !== undefined) touch(rooms, room, promised);
}

/** Counts room that is kept from now on. */
export function holdKept(rooms: Rooms, kept: KeptRoom): void {
  rooms.kept.push(kept);
  rooms.lazy.byNode?.get(kept.room.node.id)?.push(kept);
  if (rooms.lazy.holders !== null) addHolder(rooms.lazy.holders, kept.name, kept.promised);
  touch(rooms, kept.room, kept.promised);
}

/** Notes that there is less in a room than before, or other company. */
function touch(rooms: Rooms, room: Room, { devices }: Promised): void {
  for (const one of devices.length === 0 ? [room] : [room, ...room.beside]) {
    rooms.touched.push(one.index);
    one.stamp++;
    one.changed = rooms.pass;
  }
}
