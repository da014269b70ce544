// The smallest changes to a request that would let it run. Each is planned before it is named, so that what is named is
// true: it runs now, or it can run and waits for room.

import { compareText } from "../canonical";
import { examine, type Candidacy } from "./checks";
import type { Demand } from "../pass/pass";
import type { NamedChange } from "../pass/snapshot";
import { askForNodes, costOf, type RequestChange } from "./request-changes";
import { noShapes, shapeOf, type Look } from "./shape";
import { fit, type WhatIf } from "./what-if";

const NAMED = 3;

/** How many changes are planned to answer one question, at most. */
const MOST_PLANNED = 48;

/** How many amounts of one kind of change are planned, the greatest first. */
const MOST_AMOUNTS = 8;

/** One or several changes that belong together, since all of them are needed on some node. */
type Way = readonly RequestChange[];

/**
 * Returns up to three changes to a request that finds no room, what costs the user least first. `examined` are the
 * nodes that count for it. If the request can never run as it is, changes after which it could run and would wait are
 * named too.
 */
export function smallestChanges(
  whatIf: WhatIf,
  demand: Demand,
  examined: readonly Candidacy[],
  unsatisfiable: boolean,
): NamedChange[] {
  const named: NamedChange[] = [];
  let left = MOST_PLANNED;
  for (const amounts of waysOf(examined, demand.spec.members)) {
    if (named.length >= NAMED || left <= 0) break;
    const tried = amounts.slice(0, Math.min(left, MOST_AMOUNTS));
    left -= tried.length;
    const changed = tried.map((way) => ({ way, demand: { ...demand, spec: applied(way, demand) } }));
    const runs = changed.find((one) => fit(whatIf, one.demand) !== null);
    const can = runs ?? (unsatisfiable ? changed.find((one) => isPossible(whatIf, one.demand)) : undefined);
    if (can === undefined) continue;
    const text = can.way.map((change) => change.text).join(" and ");
    named.push({ text, outcome: can === runs ? "runs" : "waits", spec: can.demand.spec });
  }
  return named;
}

const applied = (way: Way, { spec }: Demand): Demand["spec"] => way.reduce((next, change) => change.apply(next), spec);

/** Returns whether enough nodes could ever run a demand, whatever they are busy with. */
function isPossible({ pass, rooms }: WhatIf, demand: Demand): boolean {
  const look: Look = { pass, rooms, shape: shapeOf(pass, noShapes(), demand) };
  const able = examine(look).filter(({ found }) => !found.some(({ hopeless }) => hopeless));
  return able.length >= demand.spec.members;
}

/**
 * Returns the ways to make more nodes fit, what costs least first; each with the amounts that different nodes leave,
 * the greatest first.
 */
function waysOf(examined: readonly Candidacy[], members: number): readonly (readonly Way[])[] {
  const byKey = new Map<string, Way[]>();
  const add = (way: Way): void => {
    const key = way.map((change) => change.key).join(" + ");
    const known = byKey.get(key);
    if (known === undefined) byKey.set(key, [way]);
    else known.push(way);
  };
  const ways = examined.flatMap(({ found }) => waysTo(found));
  const fitting = examined.filter(({ found }) => found.length === 0).length;
  for (const way of ways) add(way);
  if (members > 1) {
    // Agents of one machine may give out the same card or port, so that fewer nodes serve than fit.
    for (let count = fitting; count > 0 && count > fitting - MOST_AMOUNTS; count--) add([askForNodes(count)]);
    const more = joint(ways, members - fitting);
    if (more !== null) add(more);
  }
  return [...byKey]
    .map(([key, all]) => ({ key, cost: costOfWay(all[0] ?? []), amounts: byAmount(all) }))
    .sort((a, b) => a.cost - b.cost || compareText(a.key, b.key))
    .map(({ amounts }) => amounts);
}

/**
 * Returns the changes with which one node fits now, and those with which it can ever fit; neither where no change
 * helps, or where the node fits.
 */
function waysTo(found: Candidacy["found"]): Way[] {
  const hopeless = found.filter((one) => one.hopeless);
  const sets = hopeless.length === found.length ? [found] : [found, hopeless];
  return sets.flatMap((set) => {
    const changes = set.flatMap(({ change }) => change ?? []);
    return set.length === 0 || changes.length < set.length ? [] : [changes];
  });
}

/** Returns the changes that make the next `count` nodes of a gang fit, or null where one node's are enough. */
function joint(ways: readonly Way[], count: number): Way | null {
  if (count < 2 || ways.length < count) return null;
  const least = [...ways].sort((a, b) => costOfWay(a) - costOfWay(b) || sum(b) - sum(a)).slice(0, count);
  const byKey = new Map<string, RequestChange>();
  for (const change of least.flat()) {
    const known = byKey.get(change.key);
    if (known === undefined || change.value < known.value) byKey.set(change.key, change);
  }
  return [...byKey.values()];
}

/** A further change costs more than any single one. */
const FURTHER = 100;

const costOfWay = (way: Way): number =>
  way.reduce((all, change) => all + costOf(change), FURTHER * Math.max(0, way.length - 1));

const sum = (way: Way): number => way.reduce((all, { value }) => all + value, 0);

/** Returns the different amounts of one way, the greatest first. */
function byAmount(ways: readonly Way[]): readonly Way[] {
  const texts = new Map(ways.map((way) => [way.map(({ text }) => text).join(" and "), way]));
  return [...texts.values()].sort((a, b) => sum(b) - sum(a));
}

/** Words named changes: `tolerate team=vision (runs now), or ask for 16 GB (then waits for room)`. */
export const sayChanges = (named: readonly NamedChange[]): string | null =>
  named.length === 0
    ? null
    : named
        .map(({ text, outcome }) => `${text} (${outcome === "runs" ? "runs now" : "then waits for room"})`)
        .join(", or ");
