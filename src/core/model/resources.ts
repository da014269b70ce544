// What a request amounts to on a node, what is promised there, and what is left, as plain sums that a test can check.

import type { NodeRow } from "./rows-node";
import type { Amounts, Promised } from "./promised";
import { GIB, MIB, type Bytes, type Milli } from "../units";
import type { ResourceRequest, TaskSpec } from "./workload";

const MEMORY_PER_CORE_BYTES = 2 * GIB;
const MEMORY_LEAST_BYTES = 256 * MIB;
const CPU_OF_RUN_MILLI = 1_000;
const CPU_OF_ENTRY_MILLI = 100;

/** A request with every default filled in for one node. */
export interface Resolved extends Amounts {
  readonly memory_limited: boolean;
}

/**
 * Returns whether the amounts of a request depend on the node. With cards, amounts that were not asked for are a share
 * of the node.
 */
export const dependsOnNode = (request: ResourceRequest): boolean =>
  request.gpu !== null && (request.cpu_milli === null || request.memory_bytes === null);

/**
 * Fills in the amounts that were not asked for. `orch run` gets one core and a spec entry a tenth; memory is 2 GiB per
 * core and at least 256 MiB, without a limit of its own. With cards, the request gets their part of the node's cores
 * and memory. `cards` is how many of the node's `all_cards` the request takes, a share of a card as a fraction.
 */
export function resolveRequest(
  request: ResourceRequest,
  origin: TaskSpec["origin"],
  { capacity }: Pick<NodeRow, "capacity">,
  cards: number,
  all_cards: number,
): Resolved {
  const { gpu, disk_bytes, countables } = request;
  const part = (amount: number): number => partOf(amount, cards, all_cards);
  const cpu_milli = request.cpu_milli ?? (gpu === null ? plainCpu(origin) : part(capacity.cpu_milli));
  const memory_bytes = request.memory_bytes ?? (gpu === null ? plainMemory(cpu_milli) : part(capacity.memory_bytes));
  return { cpu_milli, memory_bytes, disk_bytes, countables, memory_limited: request.memory_bytes !== null };
}

const plainCpu = (origin: TaskSpec["origin"]): Milli => (origin === "run" ? CPU_OF_RUN_MILLI : CPU_OF_ENTRY_MILLI);

const plainMemory = (cpu_milli: Milli): Bytes =>
  Math.max(MEMORY_LEAST_BYTES, Math.round((cpu_milli / 1_000) * MEMORY_PER_CORE_BYTES));

/** Fractions of cards are inexact in binary. An amount that would be whole is rounded to the whole number. */
const ROUNDING = 1e-6;

/**
 * Returns the part of a node's amount that belongs to some of its cards, or all of it if the node has no more cards
 * than that.
 */
const partOf = (amount: number, cards: number, all_cards: number): number =>
  cards >= all_cards ? amount : Math.floor((amount * cards) / all_cards + ROUNDING);

/** How much of a card is promised: how often as a whole, and how many bytes in shares. */
export interface CardLoad {
  whole: number;
  shares: number;
  bytes: Bytes;
}

/** What is left of a node's capacity after some promises. It is mutable, so that a pass can count down. */
export interface Free {
  cpu_milli: Milli;
  memory_bytes: Bytes;
  disk_bytes: Bytes;
  /** Null if the node declares none and nobody holds any. */
  countables: Map<string, number> | null;
  /** The devices that somebody holds, whole or in part; null if nobody holds any. */
  held: Map<string, CardLoad> | null;
}

/** Returns what is free on a node without promises. */
export function freeOf(capacity: Amounts): Free {
  const names = Object.entries(capacity.countables);
  return {
    cpu_milli: capacity.cpu_milli,
    memory_bytes: capacity.memory_bytes,
    disk_bytes: capacity.disk_bytes,
    countables: names.length === 0 ? null : new Map(names),
    held: null,
  };
}

/** Subtracts a promise from what is free. Ports are counted elsewhere, since they belong to the machine. */
export function take(free: Free, promised: Promised): void {
  free.cpu_milli -= promised.cpu_milli;
  free.memory_bytes -= promised.memory_bytes;
  free.disk_bytes -= promised.disk_bytes;
  for (const name in promised.countables) {
    free.countables ??= new Map();
    free.countables.set(name, (free.countables.get(name) ?? 0) - (promised.countables[name] ?? 0));
  }
  takeCards(free, promised.devices);
}

/** Subtracts the cards of a promise alone, also for cards that another agent of the machine gives away. */
export function takeCards(free: Free, devices: Promised["devices"]): void {
  for (const { id, bytes } of devices) {
    free.held ??= new Map();
    let held = free.held.get(id);
    if (held === undefined) free.held.set(id, (held = { whole: 0, shares: 0, bytes: 0 }));
    count(held, bytes, 1);
  }
}

function count(held: CardLoad, bytes: Bytes | null, by: 1 | -1): void {
  if (bytes === null) held.whole += by;
  else {
    held.shares += by;
    held.bytes += by * bytes;
  }
}

/** Adds back what `take` subtracted: for gangs that turned out not to fit, and for what-if questions. */
export function giveBack(free: Free, promised: Promised): void {
  free.cpu_milli += promised.cpu_milli;
  free.memory_bytes += promised.memory_bytes;
  free.disk_bytes += promised.disk_bytes;
  for (const name in promised.countables) {
    free.countables?.set(name, (free.countables.get(name) ?? 0) + (promised.countables[name] ?? 0));
  }
  giveBackCards(free, promised.devices);
}

export function giveBackCards(free: Free, devices: Promised["devices"]): void {
  for (const { id, bytes } of devices) {
    const held = free.held?.get(id);
    if (held !== undefined) count(held, bytes, -1);
  }
}
