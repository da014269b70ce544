// A demand that found no room, as it is told: why, and which changes help. Both are made when somebody reads them, from
// the rooms as the pass has left them.

import { compareText } from "../canonical";
import { examine } from "../place/checks";
import { companionsOf } from "../place/companions";
import { failureOf, NEVER, sayBlocked } from "./failure";
import { whyNever } from "./never";
import { ownerSlotName, tasksOf, type Demand, type Pass } from "../pass/pass";
import type { TaskRow } from "../model/rows-task";
import type { Blocked, Failure, NamedChange } from "../pass/snapshot";
import { dropTogether } from "../place/request-changes";
import { leaveRoom, nothingYet, openRooms, takeRoom, type KeptRoom, type Rooms } from "../place/room";
import { noShapes, shapeOf, type Look, type Shape, type Told } from "../place/shape";
import { NAMED, smallestChanges, type TryOut } from "./smallest";
import { bestRoomFor, examineParty, nameInApp, partyOf, type Party } from "../place/together";
import { promiseIn } from "../place/promise";
import { fit, without, type WhatIf } from "../place/what-if";
import { sayChanges } from "./ways";

/** Returns a demand that found no room. Demands that are alike share what is told. */
export function blockedBy(look: Look, demand: Demand): Blocked {
  const { shape, rooms } = look;
  const { only, stops_first } = demand;
  const kept = keptFor(rooms, demand);
  const list = rooms.list.filter(({ node }) => only === null || node.id === only.node.id);
  const read = <T>(of: (look: Look) => T): T => {
    const here = stops_first === null ? { ...look, rooms: { ...rooms, list } } : alone(look, demand, stops_first);
    return kept.length === 0 ? of(here) : withoutKept(here.rooms, kept, (others) => of({ ...here, rooms: others }));
  };
  // What a node of a daemon lacks, without which attempt, and where room is kept, is told of one demand alone.
  const isShared = only === null && stops_first === null && kept.length === 0;
  const told = isShared ? toldTo(shape, askerOf(look, demand)) : newTold();
  const why = (): Failure => (told.why ??= read((at) => withOld(withRoom(failure(at, demand), kept), demand)));
  return asRead(demand, why, () => (told.changes ??= read((at) => changesFor(at, demand, why()))));
}

/** Says what goes on meanwhile: it is stopped only once the new attempt would find room. */
function withOld(why: Failure, { owner, stops_first }: Demand): Failure {
  if (stops_first === null || stops_first.version === owner.version) return why;
  return { ...why, summary: `${why.summary}; its task of version ${stops_first.version} goes on meanwhile` };
}

const newTold = (): Told => ({ why: null, changes: null });
const toldTo = ({ told }: Shape, whom: string): Told => told.getOrInsertComputed(whom, newTold);

/**
 * Returns a text that is the same for demands of a shape of which the same is told. A workload's rules about company
 * and ports are its own, and so is the old task of a slot that holds the room of the new one.
 */
function askerOf({ pass, shape }: Look, { owner, slot }: Demand): string {
  const isReplaced = tasksOf(pass, owner.uid).some((task) => task.slot === slot && task.version !== owner.version);
  if (isReplaced) return `${owner.uid}/${slot}`;
  const { together, apart, spec } = shape;
  return together.length > 0 || apart.length > 0 || spec.ports.length > 0 ? owner.uid : "";
}

const asRead = ({ owner, slot }: Demand, why: () => Failure, changes: () => readonly NamedChange[]): Blocked => ({
  name: ownerSlotName(owner, slot),
  owner_uid: owner.uid,
  version: owner.version,
  slot,
  get kind() {
    return why().kind;
  },
  get summary() {
    const { words, rest } = sayBlocked(why());
    return words + rest;
  },
  get nodes() {
    return why().nodes;
  },
  get stuck() {
    return why().stuck === true;
  },
  get changes() {
    return changes();
  },
  get smallest_changes() {
    return changes();
  },
  get smallest_change() {
    return sayChanges(changes());
  },
});

function failure(look: Look, demand: Demand): Failure {
  const examined = examine(look);
  if (demand.only !== null) {
    const text = examined.map(
      ({ room, found }) => `${room.node.name}: ${found.map(({ detail }) => detail).join("; ")}`,
    );
    return { ...failureOf(examined, 1), summary: `waits: ${text.join(", ")}` };
  }
  const found = failureOf(examined, demand.spec.members);
  const never = whyNever(look, demand);
  if (never !== null) return { ...found, kind: "unsatisfiable", summary: `${NEVER}: ${never}` };
  const old = oldHolders(look, demand);
  const [first] = old;
  if (first === undefined) return found;
  return {
    ...found,
    kind: "queued",
    summary: `${found.summary}; its own task of version ${first.version} holds the room`,
    stuck: !fitsBesideOwn(look, demand),
  };
}

/** Returns the slot's tasks of earlier versions, if the demand would fit without them. */
function oldHolders({ pass, rooms }: Look, demand: Demand): readonly TaskRow[] {
  const { owner, kind, slot } = demand;
  const tasks = tasksOf(pass, owner.uid);
  const old = tasks.filter((task) => task.slot === slot && task.version !== owner.version);
  if (kind !== "service" || old.length === 0) return [];
  return fit(without({ pass, rooms }, demand, old), demand) === null ? [] : old;
}

/** Returns what a demand is looked at with that would find no room even if the attempt before it had ended. */
function alone(look: Look, demand: Demand, first: TaskRow): Look {
  const after = without(look, demand, [first]);
  return { ...after, shape: shapeOf(after.pass, noShapes(), demand) };
}

/** Returns whether a demand finds room once all tasks but those of its own workload have ended. */
function fitsBesideOwn({ pass }: Look, demand: Demand): boolean {
  const { uid } = demand.owner;
  const alone: Pass = { ...pass, tasks: new Map([[uid, tasksOf(pass, uid)]]) };
  return fit({ pass: alone, rooms: openRooms(alone) }, demand) !== null;
}

function changesFor(look: Look, demand: Demand, { kind }: Failure): readonly NamedChange[] {
  const tryOut: TryOut = (changed) => {
    if (fit(look, changed) !== null) return "runs";
    return kind === "unsatisfiable" && isPossible(look, changed) ? "waits" : null;
  };
  // The key alone is enough: with it `restart.offline` is off where the file does not say it.
  const stopsFirst = !demand.spec.exclusive && oldHolders(look, demand).length > 0;
  const first: NamedChange[] = stopsFirst
    ? [{ changes: [STOP_FIRST], outcome: "runs", spec: { ...demand.spec, exclusive: true } }]
    : [];
  const ways = kind === "unsatisfiable" ? demand.spec.place.together_with.map((name) => [dropTogether(name)]) : [];
  return [...first, ...smallestChanges(demand, examine(look), tryOut, ways)].slice(0, NAMED);
}

const STOP_FIRST = "`exclusive: true`, with which the old task stops first";

/** Returns whether enough nodes could ever run a demand, whatever they are busy with. */
function isPossible({ pass, rooms }: WhatIf, demand: Demand): boolean {
  const look: Look = { pass, rooms, shape: shapeOf(pass, noShapes(), demand) };
  const { kind } = failureOf(examine(look), demand.spec.members);
  return kind === "queued" && whyNever(look, demand) === null;
}

// ---- room that is kept for the demand itself

const keptFor = (rooms: Rooms, demand: Demand): readonly KeptRoom[] =>
  rooms.kept.filter(({ demands }) => demands.includes(demand));

/** Asks a question of the rooms as they are without what is kept for the asking demand itself. */
function withoutKept<T>(all: Rooms, kept: readonly KeptRoom[], of: (rooms: Rooms) => T): T {
  const others = all.kept.filter((each) => !kept.includes(each));
  const rooms: Rooms = { ...all, kept: others, lazy: nothingYet() };
  for (const { room, promised } of kept) leaveRoom(room, promised);
  const answer = of(rooms);
  for (const { room, promised } of kept) takeRoom(rooms, room, promised);
  return answer;
}

/** Says where room is kept for a demand. */
function withRoom(why: Failure, kept: readonly KeptRoom[]): Failure {
  if (kept.length === 0) return why;
  const names = [...new Set(kept.map(({ room }) => room.node.name))].sort(compareText);
  return { ...why, summary: `${why.summary}; it has waited for long, so room is kept for it on ${names.join(", ")}` };
}

// ---- companions

/** Returns a demand that waits with its companions, since no node has room for all of them. */
export function blockedBeside(party: Party, demand: Demand): Blocked {
  const told = newTold();
  const { rooms } = party.looks[0] as Look;
  const kept = keptFor(rooms, demand);
  const read = <T>(of: (party: Party) => T): T =>
    kept.length === 0 ? of(party) : withoutKept(rooms, kept, (without) => of(inRooms(party, without)));
  const why = (): Failure => (told.why ??= read((at) => withRoom(failureBeside(at, demand), kept)));
  return asRead(demand, why, () => (told.changes ??= read((at) => changesBeside(at, demand))));
}

const inRooms = (party: Party, rooms: Rooms): Party => ({
  ...party,
  looks: party.looks.map((look) => ({ ...look, rooms })),
});

/** A node could hold them all, so time may help. */
function failureBeside(party: Party, demand: Demand): Failure {
  const names = [...new Set(party.companions.demands.map(nameInApp))];
  return { ...failureOf(examineParty(party, demand), 1, `with room for ${names.join(" and ")}`), kind: "queued" };
}

/** Names what lets a slot run with its companions, or without those that it follows. */
function changesBeside(party: Party, demand: Demand): readonly NamedChange[] {
  const tryOut: TryOut = (changed) => (fitsChanged(party, demand, changed) ? "runs" : null);
  const ways = demand.spec.place.together_with.map((name) => [dropTogether(name)]);
  return smallestChanges(demand, examineParty(party, demand), tryOut, ways);
}

/** Returns whether a slot runs now with a changed request: together with its companions, or behind them. */
function fitsChanged(party: Party, demand: Demand, changed: Demand): boolean {
  const [first] = party.looks;
  if (first === undefined) return false;
  const { pass } = first;
  const rooms: Rooms = { ...first.rooms, touched: [], lazy: nothingYet() };
  const demands = party.companions.demands.map((each) => (each === demand ? changed : each));
  const parties = companionsOf(demands);
  const own = parties.get(changed);
  if (own !== undefined) return bestRoomFor(partyOf(pass, rooms, noShapes(), own)) !== null;
  // The others come first, and take their room.
  const others = new Set(parties.values());
  const taken = [...others].flatMap((companions) => takeFor(partyOf(pass, rooms, noShapes(), companions)));
  const fits = fit({ pass, rooms }, changed) !== null;
  for (const give of taken.reverse()) give();
  return fits;
}

/** Takes room for companions, if there is any. Returns what gives it back. */
function takeFor(party: Party): (() => void)[] {
  const room = bestRoomFor(party);
  if (room === null) return [];
  return party.looks.map((look) => {
    const promised = promiseIn(look, room);
    takeRoom(look.rooms, room, promised);
    return () => leaveRoom(room, promised);
  });
}
