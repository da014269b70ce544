// Rules for every card that a plan gives out, in other words than the planner's: promises are summed up anew, placement
// by placement, and each choice is compared with everything that could have been chosen.

import type { Device, NodeDevice } from "../../src/core/model/device";
import type { State } from "../../src/core/model/rows-state";
import type { TaskRow } from "../../src/core/model/rows-task";
import type { NodeRow } from "../../src/core/model/rows-node";
import type { Promised } from "../../src/core/model/promised";
import type { Op, Snapshot } from "../../src/core/pass/snapshot";
import { taskName } from "../../src/core/model/task";
import { GIB, MIB } from "../../src/core/units";
import type { GpuRequest } from "../../src/core/model/workload";

type Demand = (holds: boolean, what: string) => void;

/** What is promised of a device. */
interface Booked {
  whole: number;
  bytes: number;
  shares: number;
}

type Book = Map<string, Booked>;

function note(book: Book, { devices }: Promised): void {
  for (const { id, bytes } of devices) {
    const booked = book.get(id) ?? { whole: 0, bytes: 0, shares: 0 };
    book.set(id, booked);
    if (bytes === null) booked.whole++;
    else {
      booked.bytes += bytes;
      booked.shares++;
    }
  }
}

function bookOf(state: State): Book {
  const book: Book = new Map();
  for (const task of state.tasks.values()) note(book, task.promised);
  for (const { orphans } of state.nodes.values()) for (const { held } of orphans) if (held !== null) note(book, held);
  return book;
}

/** Checks that no card is promised beyond its memory, and that a whole card has one owner and no share. */
export function holdCards(state: State, demand: Demand): void {
  const book = bookOf(state);
  for (const node of state.nodes.values()) {
    for (const device of node.devices) {
      const { whole, bytes, shares } = book.get(device.id) ?? { whole: 0, bytes: 0, shares: 0 };
      demand(whole <= 1, `${device.id} is promised whole ${whole} times`);
      demand(whole === 0 || shares === 0, `${device.id} is promised whole and in ${shares} shares`);
      demand(bytes <= device.memory_bytes, `${device.id} promises ${bytes} of ${device.memory_bytes} bytes`);
    }
    const here = [...state.tasks.values()].filter((task) => task.node_id === node.id);
    for (const { id } of here.flatMap((task) => task.promised.devices))
      demand(
        node.devices.some((device) => device.id === id),
        `${node.name} promises ${id}, which it has not`,
      );
  }
}

/** Checks that every card that a plan gives out was free at that moment, and that no smaller one was. */
export function holdChoices(snapshot: Snapshot, ops: readonly Op[], demand: Demand): void {
  const book = bookOf(snapshot.state);
  for (const op of ops) {
    if (op.op !== "place") continue;
    const node = snapshot.state.nodes.get(op.task.node_id);
    const { gpu } = snapshot.spec(op.task.spec_hash).request;
    if (node !== undefined && gpu !== null) holdChoice(book, node, gpu, op.task, demand);
    note(book, op.task.promised);
  }
}

function holdChoice(book: Book, node: NodeRow, gpu: GpuRequest, task: TaskRow, demand: Demand): void {
  const { devices } = task.promised;
  const open = new Map(node.devices.map((device) => [device, canHave(book, node, gpu, device)] as const));
  demand(devices.length === gpu.count, `${taskName(task)} got ${devices.length} of ${gpu.count} cards`);
  demand(new Set(devices.map(({ id }) => id)).size === gpu.count, `${taskName(task)} got a card twice`);
  const chosen = devices.map(({ id }) => node.devices.find((device) => device.id === id));
  for (const [n, device] of chosen.entries()) {
    const bytes = devices[n]?.bytes ?? null;
    demand(device !== undefined && open.get(device) === true, `${taskName(task)} got ${device?.id ?? "?"}`);
    demand((bytes === null) === (gpu.share_bytes === undefined), `${taskName(task)} got a share of ${bytes}`);
    // A share is what was asked for, or the same part of a card that reports a little less than it is sold as.
    demand(
      bytes === null || (bytes <= (gpu.share_bytes ?? 0) && bytes > 0.99 * (gpu.share_bytes ?? 0)),
      `a share of ${bytes}`,
    );
  }
  const all = chosen.filter((device) => device !== undefined);
  if (gpu.linked === "demanded" && gpu.count > 1) demand(areLinked(all), `${taskName(task)} got cards that are apart`);
  if (gpu.count !== 1 || gpu.share_bytes !== undefined) return;
  const smaller = [...open].filter(([device, can]) => can && sizeOf(device) < Math.min(...all.map(sizeOf)));
  demand(smaller.length === 0, `${taskName(task)} got ${all[0]?.id}, though ${smaller[0]?.[0].id} would do`);
}

const sizeOf = (device: Device): number => Math.round(device.memory_bytes / GIB);

/** Returns whether a request can have a card, following the text of docs/gpus.md. */
function canHave(book: Book, node: NodeRow, gpu: GpuRequest, device: NodeDevice): boolean {
  const isPart = device.parent !== null;
  const named = gpu.models.some((model) => (isPart ? model === "1g.5gb" : model === device.model));
  if (gpu.models.length > 0 ? !named : isPart && gpu.count > 1) return false;
  if (sizeOf(device) < (gpu.memory_min_bytes ?? 0) / GIB) return false;
  const kin = node.devices.filter((other) => other.parent === device.id || other.id === device.parent);
  const parent = kin.find((other) => other.id === device.parent);
  const here = kin.filter(
    (other) => other.parent === device.id && (other.state !== "missing" || device.state === "missing"),
  );
  if (here.length > 0) return false;
  if (device.state !== "ok" || parent?.state === "quarantined" || parent?.state === "missing") return false;
  if (device.compute_mode === "prohibited" || parent?.compute_mode === "prohibited") return false;
  if (kin.some((other) => (book.get(other.id)?.whole ?? 0) + (book.get(other.id)?.shares ?? 0) > 0)) return false;
  const { whole, bytes, shares } = book.get(device.id) ?? { whole: 0, bytes: 0, shares: 0 };
  if (whole > 0) return false;
  if (gpu.share_bytes === undefined) return shares === 0 && device.foreign_bytes <= 512 * MIB;
  if (device.compute_mode === "exclusive") return false;
  const sold_bytes = sizeOf(device) * GIB;
  const share_bytes = gpu.share_bytes * Math.min(1, device.memory_bytes / sold_bytes);
  return Math.floor(share_bytes) + bytes + device.foreign_bytes <= device.memory_bytes;
}

function areLinked(devices: readonly Device[]): boolean {
  const [first, ...others] = devices;
  const left = new Set(others);
  const reached = first === undefined ? [] : [first];
  for (let at = reached.pop(); at !== undefined; at = reached.pop()) {
    for (const other of left) {
      const isLinked = at.links.some(({ id }) => id === other.id) || other.links.some(({ id }) => id === at.id);
      if (!isLinked) continue;
      left.delete(other);
      reached.push(other);
    }
  }
  return left.size === 0;
}
