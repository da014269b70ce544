// Which of a node's free cards a request gets: the smallest that suffice, of one model, as closely connected as the
// request asks, and so that big cards and whole groups of connected cards stay free. The same cards and promises always
// give the same pick.

import { APART, fittingCards, heldOf, leftOf, needOn, refusalOf, type Promisable, type Cards } from "./node-cards";
import type { Free } from "../model/resources";
import type { Bytes } from "../units";
import type { GpuRequest } from "../model/workload";

/** A search for connected cards starts from at most this many cards. */
const STARTS = 32;

export interface Picked {
  readonly card: Promisable;
  /** The bytes of the card that are promised; null is the whole card. */
  readonly bytes: Bytes | null;
}

export interface CardPick {
  readonly cards: readonly Picked[];
  /** The loosest connection among the picked cards. `APART`: they are not all connected, or there is only one. */
  readonly tightness: number;
  /** The tightest step at which the pick leaves a whole group broken. `APART`: it breaks none. */
  readonly breaks: number;
}

/** The state of one pick, counted down while cards are chosen. */
interface Choice {
  readonly request: GpuRequest;
  readonly cards: Cards;
  readonly free: Free;
  /** For each tightness and group, how many of its cards are wholly free. Null where no cards are connected. */
  readonly open: number[][] | null;
}

/** Returns the best free cards for a request, or null if they do not suffice. */
export function pick(request: GpuRequest, cards: Cards, free: Free): CardPick | null {
  const fitting = fittingCards(cards, request);
  if (fitting.length < request.count) return null;
  const candidates = fitting.filter((card) => refusalOf(card, needOn(request, card), free) === null);
  if (candidates.length < request.count) return null;
  const choice: Choice = { request, cards, free, open: cards.linked ? openGroups(cards, free) : null };
  const chosen = choose(choice, candidates);
  return chosen === null ? null : finished(choice, chosen);
}

/** Returns whether enough of these cards are connected, whoever holds them now. */
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
  // Connected cards are preferred among those of the smallest sufficient size. A request does not get bigger cards
  // because those are connected.
  const alike = pools.filter(([card]) => card?.class_gb === smallest[0]?.class_gb);
  return connected(choice, alike.length > 0 ? alike : [sorted]) ?? loose(choice, smallest);
}

/**
 * Returns pools of cards of one model and size, for each model and size that has enough of them. The pool of the best
 * card comes first.
 */
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

/** Takes the best card, then the best of what is left, and so on. A group that was begun is used up first. */
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

/** Compares two cards: negative if `a` is the better one to take. */
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

/**
 * Compares two cards for a share. A share goes where shares are already, then where no whole card can be had anyway;
 * among those, to the card with the least room left.
 */
function compareShares({ free }: Choice, a: Promisable, b: Promisable): number {
  const rank = rankOf(a, free);
  return rank - rankOf(b, free) || (rank === UNTOUCHED ? 0 : leftOf(a, free) - leftOf(b, free));
}

const UNTOUCHED = 2;

const rankOf = (card: Promisable, free: Free): number =>
  heldOf(card, free).shares > 0 ? 0 : refusalOf(card, null, free) === null ? UNTOUCHED : 1;

/** What taking a card may do to its group, the worst first: break a whole group, or leave less of a broken one. */
const HARMS = [
  ["whole", 0],
  ["whole", 1],
  ["broken", 0],
  ["whole", 2],
  ["broken", 1],
  ["broken", 2],
] as const;

/**
 * Compares two cards by their groups. Cards without connections come first, then cards of broken groups, then cards of
 * the smallest whole groups.
 */
function compareGroups(choice: Choice, a: Promisable, b: Promisable): number {
  if (choice.open === null) return 0;
  for (const [group, step] of HARMS) {
    const difference = harm(choice, a, group, step) - harm(choice, b, group, step);
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * Returns how many cards of the card's group are free, if the group is of the kind `group`, else 0. Taking a card whose
 * partners are all taken harms nobody.
 */
function harm({ cards, open }: Choice, card: Promisable, group: "whole" | "broken", step: number): number {
  const at = card.groups[step] ?? 0;
  const left = open?.[step]?.[at] ?? 0;
  const isWhole = left === cards.sizes[step]?.[at];
  return left > 1 && isWhole === (group === "whole") ? left : 0;
}

// ---- connected cards

interface Grown {
  readonly chosen: readonly Promisable[];
  /** Twice the number of free cards of its group, plus one if the whole group is free; less is better. */
  readonly group: number;
  /** The sum of the tightness of all pairs of its cards; less is closer. */
  readonly distance: number;
}

/** Returns the most closely connected cards of the first pool that has enough of them. */
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
 * Prefers the smallest group that has enough cards, then a group that is broken already, then the closest cards. Of two
 * equal candidates the earlier one stays, and pools are sorted by how good their cards are.
 */
const isBetter = (a: Grown, b: Grown): boolean => a.group < b.group || (a.group === b.group && a.distance < b.distance);

/** Starts from one card and adds the closest card until there are enough. Returns null if the group is too small. */
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
  // Of two cards that are equally close, the one whose finer group was begun already is taken.
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

/** Returns the tightest step at which all chosen cards are in one group. */
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
