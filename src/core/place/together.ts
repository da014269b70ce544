// Where companions fit as a whole, now and ever: each node is tried with all of them, one after the other.

import { digest128 } from "../fresh";
import { findings, hasRoom, isCandidate, type Candidacy } from "./checks";
import { failureKey } from "./failed";
import type { Companions } from "./companions";
import { hostKeyOf } from "./queue";
import { promiseIn } from "./promise";
import { choosePorts, openRooms, trialOf, type Room, type Rooms } from "./room";
import { scoreParts, total } from "./scores";
import {
  type Look,
  mayBeKept,
  noShapes,
  type PartyTrial,
  type Shape,
  shapeOf,
  type Shapes,
  specKey,
  type Together,
} from "./shape";
import type { Promised } from "../model/promised";
import { take } from "../model/resources";
import { workloadNameOf, type Demand, type Pass } from "../pass/pass";
import type { Found } from "./found";

/** Companions with what decides where each fits, beside the others. */
export interface Party {
  readonly companions: Companions;
  readonly looks: readonly Look[];
  /** What is known of companions that are alike. */
  readonly trial: PartyTrial;
}

/** Returns the looks of companions. Company that they bring along is not asked of a node. */
export function partyOf(pass: Pass, rooms: Rooms, shapes: Shapes, companions: Companions): Party {
  const looks = companions.demands.map((demand): Look => {
    const shape = shapeOf(pass, shapes, demand);
    return { pass, rooms, shape: { ...shape, ...beside(shape, companions), candidates: null } };
  });
  return { companions, looks, trial: trialOfParty(shapes, looks) };
}

/** Returns what is known of companions with these looks. Those that have equal keys fit on the same nodes. */
function trialOfParty({ parties, tried }: Shapes, looks: readonly Look[]): PartyTrial {
  const asked = looks.map((look) => [failureKey(look), look.shape.host_key, look.shape.together.map(({ key }) => key)]);
  const key = `party ${digest128(JSON.stringify(asked))}`;
  return parties.getOrInsertComputed(key, () => ({
    tried: tried?.get(key) ?? null,
    failed_at: null,
    never_kept: mayBeKept(),
  }));
}

const beside = ({ together }: Shape, { keys }: Companions): Pick<Shape, "together"> => ({
  together: together.filter(({ key }) => !keys.has(key)),
});

/** Returns the best node that has room for all of a party now, or null. */
export function bestRoomFor(party: Party): Room | null {
  const { looks, trial } = party;
  const [first] = looks;
  if (first === undefined || quarrels(party)) return null;
  const pivot = looks.find(({ shape }) => shape.spec.request.gpu !== null) ?? first;
  const best = roomsToTry(party)
    .filter((room) => fitsBeside(pivot, room, room))
    .map((room) => ({ room, score: scoreOf(party, room) }))
    .sort((a, b) => b.score - a.score || a.room.index - b.room.index)
    .find(({ room }) => needsIn(looks, room) !== null);
  if (best === undefined) trial.failed_at = first.rooms.touched.length;
  return best?.room ?? null;
}

/**
 * Returns the rooms where a party may fit that did not before: those that have changed since. Less room may help too,
 * where it makes one of a party take another card than the next one needs.
 */
export function roomsToTry({ looks: [first], trial: { tried, failed_at } }: Party): readonly Room[] {
  if (first === undefined) return [];
  const { list, touched } = first.rooms;
  if (failed_at !== null) return [...new Set(touched.slice(failed_at))].flatMap((index) => list[index] ?? []);
  return tried === null ? list : list.filter(({ changed }) => changed > tried);
}

/** Cards decide first: a node's score for those who ask for none says that it should be kept for others. */
function scoreOf({ looks }: Party, room: Room): number {
  const cards = looks.filter(({ shape }) => shape.spec.request.gpu !== null);
  const counted = cards.length === 0 ? looks : cards;
  return counted.reduce((sum, look) => sum + total(scoreParts(look, room)), 0);
}

function fitsBeside(look: Look, room: Room, trial: Room): boolean {
  look.rooms.checks++;
  return hasRoom(look, trial) && isCandidate(look, room);
}

/** Returns whether two of a party can never be on one node: they keep apart, or publish the same port. */
export function quarrels({ looks }: Pick<Party, "looks">): boolean {
  const ports = looks.flatMap(({ shape }) => shape.spec.ports.flatMap(({ published }) => published ?? []));
  if (new Set(ports).size < ports.length) return true;
  return looks.some(({ shape }, n) => looks.some((other, m) => n !== m && shape.apart.includes(other.shape.host_key)));
}

/** Returns what each of some slots would be promised in a room, one beside the other; null if not all fit. */
export function needsIn(looks: readonly Look[], room: Room): Promised[] | null {
  const trial = trialOf(room);
  const needs: Promised[] = [];
  for (const look of looks) {
    if (!fitsBeside(look, room, trial)) return null;
    needs.push(putOn(look, trial));
  }
  const [first] = looks;
  const ports = looks.flatMap(({ shape }) => shape.spec.ports);
  const fits = first === undefined || choosePorts(first.pass, first.rooms, room, ports).is === "chosen";
  return fits ? needs : null;
}

function putOn(look: Look, trial: Room): Promised {
  const promised = promiseIn(look, trial);
  take(trial.free, promised);
  trial.picked = null;
  trial.filled = null;
  return promised;
}

// ---- why not

/**
 * Returns everything that keeps a party from each node. `own` comes last, so that what fails for it is what the others
 * leave; what fails for another names that one.
 */
export function examineParty({ looks, companions }: Party, own: Demand): Candidacy[] {
  const [first] = looks;
  if (first === undefined) return [];
  const ordered = looks
    .map((look, n) => ({ look, demand: companions.demands[n] ?? own }))
    .sort((a, b) => Number(a.demand === own) - Number(b.demand === own));
  return first.rooms.list.map((room) => {
    const trial = trialOf(room);
    const found = ordered.flatMap(({ look, demand }) => {
      const mine = findings(look, trial);
      if (mine.length === 0) putOn(look, trial);
      return demand === own ? mine : mine.map((one) => ofAnother(one, nameInApp(demand)));
    });
    return { room, found };
  });
}

/** What fails for a companion is nothing that a change to one's own request undoes. */
const ofAnother = (found: Found, name: string): Found => ({
  ...found,
  reason: `${found.reason} for ${name}`,
  detail: `for ${name}: ${found.detail}`,
  change: null,
  ever: null,
});

export const nameInApp = ({ owner }: Demand): string => `${owner.app}.${workloadNameOf(owner)}`;

/** The checks that fail for want of room, which on an empty node means: for ever. */
const ROOM = new Set(["cpu", "memory", "disk", "countable", "port", "gpu"]);

const isForEver = ({ check, hopeless, devices }: Found): boolean =>
  hopeless || (ROOM.has(check) && devices.every(({ why }) => why === "held" || why === "apart"));

/**
 * The most kinds of companions about which a pass asks whether a node could ever hold them. Others count as possible.
 */
const MOST_KINDS = 16;
const UNASKED: readonly string[] = ["?"];

/** Makes the answer, for one pass, to which nodes could hold companions if nothing else ran there. */
export function createTogether(pass: Pass): Together {
  const empty: Pass = { ...pass, tasks: new Map() };
  const rooms = openRooms(empty);
  const known = new Map<string, readonly string[]>();
  return {
    possible(party) {
      const kind = kindOf(party);
      const found = known.get(kind);
      if (found !== undefined) return found;
      if (known.size >= MOST_KINDS) return UNASKED;
      const nodes = quarrels(party) ? [] : possibleNodes(empty, rooms, party);
      known.set(kind, nodes);
      return nodes;
    },
  };
}

/** Returns a text that is the same for companions that fit on the same nodes, in whatever app they are. */
const kindOf = ({ looks }: Pick<Party, "looks">): string =>
  JSON.stringify([
    quarrels({ looks }),
    looks.map(({ shape }) => [
      specKey(shape.spec),
      shape.account,
      [...shape.left_out.keys()],
      shape.needs,
      shape.has_stdin,
      shape.is_array,
    ]),
  ]);

function possibleNodes(empty: Pass, rooms: Rooms, { looks }: Pick<Party, "looks">): string[] {
  return rooms.list.flatMap((room) => {
    const trial = trialOf(room);
    for (const { shape } of looks) {
      const look: Look = { pass: empty, rooms, shape };
      const found = findings(look, trial);
      if (found.some(isForEver)) return [];
      if (found.every(({ check }) => !ROOM.has(check))) putOn(look, trial);
    }
    return [room.node.name];
  });
}

/**
 * Returns why no node can ever hold all of some slots: two of them that can only be on different nodes, or that there
 * is no room for all. Null if a node could, or if one of them could be nowhere even by itself.
 */
export function whyNeverTogether(pass: Pass, demands: readonly Demand[]): string | null {
  const { possible } = createTogether(pass);
  const companions: Companions = { demands, keys: new Set(demands.map(hostKeyOf)) };
  const { looks } = partyOf(pass, openRooms(pass), noShapes(), companions);
  if (possible({ looks }).length > 0) return null;
  const each = looks.map((look, n) => ({
    look,
    name: nameInApp(demands[n] as Demand),
    nodes: possible({ looks: [look] }),
  }));
  if (each.some(({ nodes }) => nodes.length === 0)) return null;
  for (const [n, one] of each.entries()) {
    for (const other of each.slice(n + 1)) {
      const pair = [one.look, other.look];
      if (quarrels({ looks: pair })) return `${one.name} and ${other.name} are to be together and to be apart`;
      if (possible({ looks: pair }).length > 0) continue;
      const both = `${one.name} and ${other.name} are to be together`;
      if (one.nodes.some((node) => other.nodes.includes(node))) return `${both}, and no node has room for both`;
      const where = sayNodes(other.nodes);
      return `${both}: ${one.name} can be on ${sayNodes(one.nodes)} only, and ${other.name} on ${where}`;
    }
  }
  const names = [...new Set(each.map(({ name }) => name))].join(", ");
  return `no node has room for all of ${names}, which are to be together`;
}

const SHOWN = 3;
const sayNodes = (nodes: readonly string[]): string =>
  nodes.length <= SHOWN ? nodes.join(", ") : `${nodes.slice(0, SHOWN).join(", ")} and ${nodes.length - SHOWN} more`;

/** Places the most first ones of a party that fit on one node, at least two. Returns how many were placed. */
export function firstOf({ looks, companions }: Party, shapes: Shapes, places: (part: Party) => boolean): number {
  const [first] = looks;
  if (first === undefined) return 0;
  for (let count = looks.length - 1; count >= 2; count = count > 8 ? Math.floor(count / 2) : count - 1) {
    const demands = companions.demands.slice(0, count);
    // Company that is left out is asked of the node: in a circle, a follower may come before the one that it follows.
    const part = partyOf(first.pass, first.rooms, shapes, { demands, keys: new Set(demands.map(hostKeyOf)) });
    if (places(part)) return count;
  }
  return 0;
}
