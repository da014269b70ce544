// What a request amounts to on a node, what is promised there, and what is left, as plain sums that a test can check.

import type { Amounts, Promised } from "./promised";
import { GIB, MIB, type Bytes, type Milli } from "../units";
import type { ResourceRequest, TaskSpec } from "./workload";

const MEMORY_PER_CORE_BYTES = 2 * GIB;
const CPU_OF_RUN_MILLI = 1_000;
const CPU_OF_ENTRY_MILLI = 100;

/** What was not asked for gives way down to these amounts. */
export const FLOOR = { cpu_milli: 100, memory_bytes: 256 * MIB } as const;

/** Shares of cards leave this part of a node's cores and memory to others, and at most `MOST_RESERVED`. */
const RESERVED_PART = 1 / 8;
const MOST_RESERVED = { cpu_milli: 2_000, memory_bytes: 8 * GIB } as const;

/** The amounts that have defaults. */
type Sized = Pick<Amounts, "cpu_milli" | "memory_bytes">;

/** A request with every default filled in for one node. */
export interface Resolved extends Amounts {
  readonly memory_limited: boolean;
  /** How much of a default is missing on this node: 0 for nothing, near 1 for almost all of it. */
  readonly short: number;
}

/** Returns whether a request leaves amounts open, which then depend on the node and on what is free there. */
export const hasDefaults = ({ cpu_milli, memory_bytes }: ResourceRequest): boolean =>
  cpu_milli === null || memory_bytes === null;

/** What a node has for amounts that were not asked for. */
export interface Spare {
  readonly capacity: Sized;
  readonly free: Sized;
  /** What the daemons that match the node take, and how much of that is not promised to them yet. */
  readonly daemons: Sized;
  readonly coming: Sized;
  /** How many of the node's cards the request takes, a share of a card as a fraction; 0 without cards. */
  readonly cards: number;
  /** How many cards the node has, and how many of them are free. */
  readonly all_cards: number;
  readonly free_cards: number;
}

/**
 * Fills in the amounts that were not asked for. `orch run` gets one core and a spec entry a tenth; memory is 2 GiB a
 * core, at most the part of the node's memory that belongs to these cores, and has no limit of its own. With cards, a
 * request gets their part of what the reserve and the daemons leave. A default gives way: it takes at most what is
 * free, with cards at most the part of that which belongs to them among the free cards, and at least `FLOOR`.
 *
 * Example: a node with 2 cards, 8 cores and a daemon of 100m reserves 1 core. A request for one card gets
 * (8 − 1 − 0.1) ÷ 2 = 3.45 cores; where others hold all but 3 cores and both cards are free, it gets 1.5.
 */
export function resolveRequest(request: ResourceRequest, origin: TaskSpec["origin"], spare: Spare): Resolved {
  const { disk_bytes, countables } = request;
  const cpu = request.cpu_milli === null ? givesWay("cpu_milli", plainCpu(origin), request, spare) : null;
  const cpu_milli = request.cpu_milli ?? cpu?.amount ?? 0;
  const memory =
    request.memory_bytes === null ? givesWay("memory_bytes", plainMemory(cpu_milli, spare), request, spare) : null;
  const memory_bytes = request.memory_bytes ?? memory?.amount ?? 0;
  const short = Math.max(cpu?.short ?? 0, memory?.short ?? 0);
  return { cpu_milli, memory_bytes, disk_bytes, countables, memory_limited: request.memory_bytes !== null, short };
}

/** Returns the cores of a request that asks for none, without cards and where there is room. */
export const plainCpu = (origin: TaskSpec["origin"]): Milli =>
  origin === "run" ? CPU_OF_RUN_MILLI : CPU_OF_ENTRY_MILLI;

/** Returns the memory of a request that asks for none, where there is room. */
export const memoryOf = (cpu_milli: Milli): Bytes => Math.round((cpu_milli / 1_000) * MEMORY_PER_CORE_BYTES);

function plainMemory(cpu_milli: Milli, { capacity }: Spare): Bytes {
  const part = capacity.cpu_milli === 0 ? 0 : (capacity.memory_bytes * cpu_milli) / capacity.cpu_milli;
  return Math.min(memoryOf(cpu_milli), Math.floor(part));
}

/** Returns what a default comes to on a node, and which part of it is missing there. */
function givesWay(
  key: keyof Sized,
  plain: number,
  { gpu }: ResourceRequest,
  { capacity, free, daemons, coming, cards, all_cards, free_cards }: Spare,
): { readonly amount: number; readonly short: number } {
  const floor = FLOOR[key];
  const left = Math.max(0, free[key] - coming[key]);
  const shared = Math.max(0, capacity[key] - reserved(key, capacity[key]) - daemons[key]);
  const wish = Math.max(floor, gpu === null ? plain : partOf(shared, cards, all_cards));
  const most = gpu === null ? left : partOf(left, cards, free_cards);
  const amount = Math.max(floor, Math.min(wish, most));
  return { amount, short: wish === 0 ? 0 : 1 - amount / wish };
}

const reserved = (key: keyof Sized, capacity: number): number =>
  Math.min(MOST_RESERVED[key], Math.floor(capacity * RESERVED_PART));

/** Fractions of cards are inexact in binary. An amount that would be whole is rounded to the whole number. */
const ROUNDING = 1e-6;

/**
 * Returns the part of an amount that belongs to some of the cards, or all of it if there are no more cards than that.
 */
const partOf = (amount: number, cards: number, all_cards: number): number =>
  cards >= all_cards ? Math.floor(amount) : Math.floor((amount * cards) / all_cards + ROUNDING);

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
