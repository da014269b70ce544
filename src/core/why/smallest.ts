// The smallest changes to a request that would let it run. Each is planned before it is named, so that what is named is
// true: it runs now, or it can run and waits for room.

import { compareText } from "../canonical";
import { type Candidacy } from "../place/checks";
import type { Demand } from "../pass/pass";
import type { Found } from "../place/found";
import type { NamedChange } from "../pass/snapshot";
import { askForNodes, costOf, type RequestChange } from "../place/request-changes";

/** The most changes that are named. */
export const NAMED = 3;

/** How many changes are planned to answer one question, at most. */
const MOST_PLANNED = 48;

/** How many amounts of one kind of change are planned, the greatest first. */
const MOST_AMOUNTS = 8;

/** One or several changes that belong together, since all of them are needed on some node. */
export type Way = readonly RequestChange[];

/** What becomes of a changed request: it runs now, or it can run and waits for room; null: neither, or not known. */
export type TryOut = (changed: Demand) => NamedChange["outcome"] | null;

/**
 * Returns up to three changes to a request that finds no room, what costs the user least first. `examined` are the
 * nodes that count for it, and `more` are ways that follow from no node. `tryOut` plans a changed request.
 */
export function smallestChanges(
  demand: Demand,
  examined: readonly Candidacy[],
  tryOut: TryOut,
  more: readonly Way[] = [],
): NamedChange[] {
  const named: NamedChange[] = [];
  const enough: string[][] = [];
  let left = MOST_PLANNED;
  for (const amounts of waysOf(examined, more, demand.spec.members)) {
    if (named.length >= NAMED || left <= 0) break;
    const keys = new Set((amounts[0] ?? []).map(({ key }) => key));
    // What runs with fewer changes is named without the others.
    if (enough.some((fewer) => fewer.every((key) => keys.has(key)))) continue;
    const tried = amounts.slice(0, Math.min(left, MOST_AMOUNTS)).map((way) => {
      const changed = { ...demand, spec: applied(way, demand) };
      return { changes: way.map(({ text }) => text), spec: changed.spec, outcome: tryOut(changed) };
    });
    left -= tried.length;
    const best = tried.find(({ outcome }) => outcome === "runs") ?? tried.find(({ outcome }) => outcome === "waits");
    if (best?.outcome === "runs") enough.push([...keys]);
    if (best?.outcome === "runs" || best?.outcome === "waits") named.push({ ...best, outcome: best.outcome });
  }
  return named;
}

const applied = (way: Way, { spec }: Demand): Demand["spec"] => way.reduce((next, change) => change.apply(next), spec);

/**
 * Returns the ways to make more nodes fit, what costs least first; each with the amounts that different nodes leave,
 * the greatest first.
 */
function waysOf(examined: readonly Candidacy[], more: readonly Way[], members: number): readonly (readonly Way[])[] {
  const byKey = new Map<string, Way[]>();
  const add = (way: Way): void => {
    const key = way.map((change) => change.key).join(" + ");
    const known = byKey.get(key);
    if (known === undefined) byKey.set(key, [way]);
    else known.push(way);
  };
  const ways = examined.flatMap(({ found }) => waysTo(found));
  const fitting = examined.filter(({ found }) => found.length === 0).length;
  for (const way of [...ways, ...more]) add(way);
  if (members > 1) {
    // Agents of one machine may give out the same card or port, so that fewer nodes serve than fit.
    for (let count = fitting; count > 0 && count > fitting - MOST_AMOUNTS; count--) add([askForNodes(count)]);
    const several = joint(ways, members - fitting);
    if (several !== null) add(several);
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
  const all = (set: Candidacy["found"], of: (one: Found) => RequestChange | null): Way[] => {
    const changes = set.flatMap((one) => of(one) ?? []);
    return set.length === 0 || changes.length < set.length ? [] : [changes];
  };
  return [...all(found, ({ change }) => change), ...all(hopeless, ({ ever }) => ever)];
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
