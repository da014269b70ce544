// Which of a node's free cards a request gets: the smallest that do, of one model, as closely connected as it asks for,
// and so that big cards and whole groups of connected cards stay free. The same cards and promises give the same pick.

import { APART, fittingCards, heldOf, leftOf, needOn, refusalOf, type Promisable, type Cards } from "./node-cards";
import type { Free } from "../model/resources";
import type { Bytes } from "../units";
import type { GpuRequest } from "../model/workload";

/** A search for connected cards begins at so many of them at most; a bound for machines that nobody has. */
const STARTS = 32;

export interface Picked {
  readonly card: Promisable;
  /** What of it is promised; `null`: all. */
  readonly bytes: Bytes | null;
}

export interface CardPick {
  readonly cards: readonly Picked[];
  /** The loosest step that holds all of them together; `APART`: they are not connected, or there is one only. */
  readonly tightness: number;
  /** The tightest step at which a group that was whole is left broken; `APART`: none is. */
  readonly breaks: number;
}

/** What a pick is made of; counted down while cards are chosen. */
interface Choice {
  readonly request: GpuRequest;
  readonly cards: Cards;
  readonly free: Free;
  /** By tightness and group, how many of its cards are wholly free; `null` where no cards are connected. */
  readonly open: number[][] | null;
}

/** The best cards for a request out of what is free; `null` when they do not suffice. */
export function pick(request: GpuRequest, cards: Cards, free: Free): CardPick | null {
  const fitting = fittingCards(cards, request);
  if (fitting.length < request.count) return null;
  const candidates = fitting.filter((card) => refusalOf(card, needOn(request, card), free) === null);
  if (candidates.length < request.count) return null;
  const choice: Choice = { request, cards, free, open: cards.linked ? openGroups(cards, free) : null };
  const chosen = choose(choice, candidates);
  return chosen === null ? null : finished(choice, chosen);
}

/** Whether so many of these cards are connected, whoever holds them. */
export function areConnected(request: GpuRequest, cards: Cards, candidates: readonly Promisable[]): boolean {
  const idle: Choice = { request, cards, free: IDLE, open: cards.linked ? cards.sizes.map((each) => [...each]) : null };
  return connected(idle, [candidates]) !== null;
}

const IDLE: Free = { cpu_milli: 0, memory_bytes: 0, disk_bytes: 0, countables: null, held: null };

function openGroups(cards: Cards, free: Free): number[][] {
  const open = cards.sizes.map((sizes) => sizes.map(() => 0));
  for (const card of cards.list) countOpen(open, card, free, 1);
  return open;
}

function countOpen(open: number[][], card: Promisable, free: Free, by: 1 | -1): void {
  if (refusalOf(card, null, free) !== null) return;
  for (const [step, group] of card.groups.entries()) {
    const counts = open[step];
    if (counts !== undefined) counts[group] = (counts[group] ?? 0) + by;
  }
}

function choose(choice: Choice, candidates: readonly Promisable[]): readonly Promisable[] | null {
  const { count, linked } = choice.request;
  if (count === 1) return loose(choice, candidates);
  const sorted = candidates.toSorted((a, b) => compare(choice, a, b));
  const pools = poolsOf(choice, sorted);
  if (linked === "demanded") return connected(choice, pools) ?? connected(choice, [sorted]);
  const [smallest = sorted] = pools;
  if (linked === "ignored") return loose(choice, smallest);
  // Connected cards are preferred among those of the smallest size that has enough; a bigger size is not opened for it.
  const alike = pools.filter(([card]) => card?.class_gb === smallest[0]?.class_gb);
  return connected(choice, alike.length > 0 ? alike : [sorted]) ?? loose(choice, smallest);
}

/** Cards of one model and size, for each that has enough; the pool of the best card first. */
function poolsOf(choice: Choice, sorted: readonly Promisable[]): Promisable[][] {
  const pools = new Map<string, Promisable[]>();
  for (const card of sorted) {
    const key = `${card.device.model} ${card.class_gb}`;
    const pool = pools.get(key);
    if (pool === undefined) pools.set(key, [card]);
    else pool.push(card);
  }
  return [...pools.values()].filter(({ length }) => length >= choice.request.count);
}

/** Takes the best card, and again of what is left: a group that was begun is used up first. */
function loose(choice: Choice, pool: readonly Promisable[]): readonly Promisable[] {
  const { open, free } = choice;
  const chosen: Promisable[] = [];
  while (chosen.length < choice.request.count) {
    let best: Promisable | null = null;
    for (const card of pool) {
      if (!chosen.includes(card) && (best === null || compare(choice, card, best) < 0)) best = card;
    }
    if (best === null) break;
    chosen.push(best);
    if (open !== null) countOpen(open, best, free, -1);
  }
  if (open !== null) for (const card of chosen) countOpen(open, card, free, 1);
  return chosen;
}

// ---- the order of cards

/** Which of two cards is the better one to take: negative for the first. */
function compare(choice: Choice, a: Promisable, b: Promisable): number {
  return (
    (choice.request.share_bytes === undefined ? 0 : compareShares(choice, a, b)) ||
    a.class_gb - b.class_gb ||
    compareGroups(choice, a, b) ||
    a.device.memory_bytes - b.device.memory_bytes ||
    a.device.index - b.device.index ||
    (a.device.id < b.device.id ? -1 : a.device.id > b.device.id ? 1 : 0)
  );
}

/** Shares go where shares are, then where a whole card is not to be had anyway; there the tightest fit. */
function compareShares({ free }: Choice, a: Promisable, b: Promisable): number {
  const rank = rankOf(a, free);
  return rank - rankOf(b, free) || (rank === UNTOUCHED ? 0 : leftOf(a, free) - leftOf(b, free));
}

const UNTOUCHED = 2;

const rankOf = (card: Promisable, free: Free): number =>
  heldOf(card, free).shares > 0 ? 0 : refusalOf(card, null, free) === null ? UNTOUCHED : 1;

/** What taking a card may do to its group, the worst first: break a whole one, or leave less of a broken one. */
const HARMS = [
  ["whole", 0],
  ["whole", 1],
  ["broken", 0],
  ["whole", 2],
  ["broken", 1],
  ["broken", 2],
] as const;

/** Cards without connections first, then those of groups that are broken already, then of the smallest whole ones. */
function compareGroups(choice: Choice, a: Promisable, b: Promisable): number {
  if (choice.open === null) return 0;
  for (const [group, step] of HARMS) {
    const difference = harm(choice, a, group, step) - harm(choice, b, group, step);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** How many cards of its group are free, where it is so; a card whose partners are all taken harms nobody. */
function harm({ cards, open }: Choice, card: Promisable, group: "whole" | "broken", step: number): number {
  const at = card.groups[step] ?? 0;
  const left = open?.[step]?.[at] ?? 0;
  const isWhole = left === cards.sizes[step]?.[at];
  return left > 1 && isWhole === (group === "whole") ? left : 0;
}

// ---- connected cards

interface Grown {
  readonly chosen: readonly Promisable[];
  /** How much is free of the group that it is taken from, and whether that is all of it. */
  readonly group: number;
  /** How closely its cards are connected, summed up over its pairs. */
  readonly distance: number;
}

/** The most closely connected cards of the first pool that has enough of them. */
function connected(choice: Choice, pools: readonly (readonly Promisable[])[]): readonly Promisable[] | null {
  if (choice.open === null) return null;
  for (let step = 0; step < APART; step++) {
    for (const pool of pools) {
      const found = connectedAt(choice, pool, step);
      if (found !== null) return found;
    }
  }
  return null;
}

function connectedAt(choice: Choice, pool: readonly Promisable[], step: number): readonly Promisable[] | null {
  let best: Grown | null = null;
  for (const start of pool.slice(0, STARTS)) {
    const grown = grow(choice, pool, start, step);
    if (grown !== null && (best === null || isBetter(grown, best))) best = grown;
  }
  return best === null ? null : best.chosen;
}

/**
 * The smallest group that has enough, and of those one that is broken already. Pools are in the order of their cards,
 * so that the first of equals begins with the better one.
 */
const isBetter = (a: Grown, b: Grown): boolean => a.group < b.group || (a.group === b.group && a.distance < b.distance);

/** Adds the closest card to one, and again, until there are enough. */
function grow(choice: Choice, pool: readonly Promisable[], start: Promisable, step: number): Grown | null {
  const { cards, request } = choice;
  const chosen = [start];
  const distances = new Map(pool.map((card) => [card, cards.tightness(start.at, card.at)]));
  const reachable = new Set(pool.filter((card) => card !== start && cards.tightness(start.at, card.at) <= step));
  let distance = 0;
  while (chosen.length < request.count) {
    let next: Promisable | null = null;
    for (const card of reachable) if (next === null || isNearer(choice, distances, chosen, card, next)) next = card;
    if (next === null) return null;
    distance += distances.get(next) ?? 0;
    chosen.push(next);
    reachable.delete(next);
    for (const card of pool) {
      const tightness = cards.tightness(next.at, card.at);
      distances.set(card, (distances.get(card) ?? 0) + tightness);
      if (tightness <= step && !chosen.includes(card)) reachable.add(card);
    }
  }
  const group = start.groups[step] ?? 0;
  const left = choice.open?.[step]?.[group] ?? 0;
  return { chosen, distance, group: 2 * left + (left === cards.sizes[step]?.[group] ? 1 : 0) };
}

function isNearer(
  choice: Choice,
  distances: ReadonlyMap<Promisable, number>,
  chosen: readonly Promisable[],
  a: Promisable,
  b: Promisable,
): boolean {
  const nearer = (distances.get(a) ?? 0) - (distances.get(b) ?? 0);
  if (nearer !== 0) return nearer < 0;
  // Of two that are equally near, the one whose finer group is begun already.
  const begun = (card: Promisable): number => chosen.filter((other) => other.groups[0] === card.groups[0]).length;
  return (begun(b) - begun(a) || compare(choice, a, b)) < 0;
}

// ---- what a pick means

function finished(choice: Choice, chosen: readonly Promisable[]): CardPick {
  const { cards, request } = choice;
  return {
    cards: chosen.map((card) => ({ card, bytes: needOn(request, card) })),
    tightness: tightnessOf(cards, chosen),
    breaks: breaksAt(choice, chosen),
  };
}

/** The tightest step at which all are in one group of their own. */
function tightnessOf(cards: Cards, chosen: readonly Promisable[]): number {
  if (chosen.length < 2 || !cards.linked) return APART;
  for (let step = 0; step < APART; step++) if (isTogether(cards, chosen, step)) return step;
  return APART;
}

function isTogether(cards: Cards, chosen: readonly Promisable[], step: number): boolean {
  const left = new Set(chosen.slice(1));
  const reached = chosen.slice(0, 1);
  for (let at = reached.pop(); at !== undefined; at = reached.pop()) {
    for (const other of left) {
      if (cards.tightness(at.at, other.at) > step) continue;
      left.delete(other);
      reached.push(other);
    }
  }
  return left.size === 0;
}

function breaksAt({ cards, open }: Choice, chosen: readonly Promisable[]): number {
  if (open === null) return APART;
  for (let step = 0; step < APART; step++) {
    const isBroken = chosen.some(({ groups }) => {
      const group = groups[step] ?? 0;
      const size = cards.sizes[step]?.[group] ?? 1;
      const taken = chosen.filter((other) => other.groups[step] === group).length;
      return open[step]?.[group] === size && taken < size;
    });
    if (isBroken) return step;
  }
  return APART;
}
