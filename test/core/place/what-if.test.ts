// The smallest set of attempts whose release lets a demand in, against all sets tried one by one.

import { describe, expect, test } from "bun:test";
import type { TaskRow } from "../../../src/core/model/rows-task";
import { GIB } from "../../../src/core/units";
import { begin } from "../../../src/core/pass/begin";
import type { Demand } from "../../../src/core/pass/pass";
import { openRooms } from "../../../src/core/place/room";
import { fit, release, smallestRelease, type Releasable, type WhatIf } from "../../../src/core/place/what-if";
import {
  buildDevice,
  buildGpu,
  buildNode,
  buildPromised,
  buildRun,
  buildSnapshot,
  buildSpec,
  buildState,
  buildTask,
} from "../../support/build";
import { diceOf, type Dice } from "../../support/random";

const CARDS = [24, 40, 80] as const;
const SEEDS = 300;
const whole = (id: string) => ({ id, bytes: null });

const requireOf = (run: number, spec: Demand["spec"]): Demand => ({
  owner: buildRun(run, "spec"),
  kind: "job",
  spec,
  slot: 0,
  slot_row: null,
  only: null,
  gives_up: [],
  stops_first: null,
  why: "new",
});

/** A node whose cards are all held, by attempts that hold one or two of them and some of its cores. */
function fullNode(dice: Dice): { readonly whatIf: WhatIf; readonly attempts: readonly Releasable[] } {
  const count = 2 + dice.below(6);
  const cards = Array.from({ length: count }, (_, n) => ({ id: `g${n}`, gb: dice.pick(CARDS) }));
  const tasks: TaskRow[] = [];
  for (let at = 0; at < count;) {
    const held = cards.slice(at, at + 1 + dice.below(2));
    const run = buildRun(100 + tasks.length, "spec", { state: "running" });
    const promised = buildPromised({
      cpu_milli: 1_000 * (1 + dice.below(3)),
      devices: held.map(({ id }) => whole(id)),
    });
    tasks.push(buildTask(run, "a", { promised }));
    at += held.length;
  }
  const cores = tasks.reduce((sum, { promised }) => sum + promised.cpu_milli, 0) + 1_000;
  const devices = cards.map(({ id, gb }) => buildDevice(id, { model: "A100", memory_bytes: gb * GIB }));
  const node = buildNode("a", { capacity: { cpu_milli: cores, memory_bytes: 1_024 * GIB }, devices });
  const runs = tasks.map((_, n) => buildRun(100 + n, "spec", { state: "running" }));
  const { pass } = begin(buildSnapshot(buildState({ nodes: [node, buildNode("b")], runs, tasks })));
  return { whatIf: { pass, rooms: openRooms(pass) }, attempts: tasks.map((task) => ({ tasks: [task] })) };
}

/** A node with a card for each of some attempts, all held. */
function oneEach(gbs: readonly number[]): ReturnType<typeof fullNode> {
  const devices = gbs.map((gb, n) => buildDevice(`g${n}`, { model: "A100", memory_bytes: gb * GIB }));
  const runs = gbs.map((_, n) => buildRun(100 + n, "spec", { state: "running" }));
  const tasks = runs.map((run, n) => buildTask(run, "a", { promised: buildPromised({ devices: [whole(`g${n}`)] }) }));
  const node = buildNode("a", { capacity: { cpu_milli: 64_000, memory_bytes: 1_024 * GIB }, devices });
  const { pass } = begin(buildSnapshot(buildState({ nodes: [node], runs, tasks })));
  return { whatIf: { pass, rooms: openRooms(pass) }, attempts: tasks.map((task) => ({ tasks: [task] })) };
}

function randomDemand(dice: Dice): Demand {
  const gpu = buildGpu({ count: 1 + dice.below(3), memory_min_bytes: dice.pick(CARDS) * GIB });
  const cpu_milli = 1_000 * (1 + dice.below(6));
  return requireOf(1, buildSpec({ request: { cpu_milli, memory_bytes: GIB, disk_bytes: 0, gpu, countables: {} } }));
}

/** Tries every set: the smallest first, and of one size in the order of the attempts. */
function byForce({ pass }: WhatIf, demand: Demand, attempts: readonly Releasable[]): readonly number[] | null {
  const sets = Array.from({ length: 2 ** attempts.length }, (_, bits) =>
    attempts.flatMap((_one, at) => ((bits >> at) & 1 ? [at] : [])),
  );
  const key = (set: readonly number[]): string => set.map((at) => String(at).padStart(2, "0")).join(" ");
  sets.sort((a, b) => a.length - b.length || (key(a) < key(b) ? -1 : 1));
  const fits = (set: readonly number[]): boolean => {
    const rooms = openRooms(pass);
    for (const at of set) release(rooms, attempts[at]!);
    return fit({ pass, rooms }, demand) !== null;
  };
  return sets.find(fits) ?? null;
}

describe("what has to end for a demand to fit", () => {
  test(`is the smallest of all sets, in ${SEEDS} full nodes`, () => {
    const sizes = new Map<number | null, number>();
    for (let seed = 1; seed <= SEEDS; seed++) {
      const dice = diceOf(seed);
      const { whatIf, attempts } = fullNode(dice);
      const demand = randomDemand(dice);
      const free = JSON.stringify([...whatIf.rooms.byId.values()].map((room) => room.free));
      const found = smallestRelease(whatIf, demand, attempts)?.map((one) => attempts.indexOf(one)) ?? null;
      expect({ seed, found }).toEqual({ seed, found: byForce(whatIf, demand, attempts) as number[] | null });
      expect(JSON.stringify([...whatIf.rooms.byId.values()].map((room) => room.free))).toBe(free);
      sizes.set(found?.length ?? null, (sizes.get(found?.length ?? null) ?? 0) + 1);
    }
    for (const size of [null, 1, 2, 3]) expect(sizes.get(size)!).toBeGreaterThan(5);
  });
  test("spares whom it can where there are more sets than are tried", () => {
    const { whatIf, attempts } = oneEach([...Array<number>(4).fill(40), ...Array<number>(12).fill(80)]);
    const gpu = buildGpu({ count: 8, memory_min_bytes: 80 * GIB });
    const request = { cpu_milli: 1_000, memory_bytes: GIB, disk_bytes: 0, gpu, countables: {} };
    const found = smallestRelease(whatIf, requireOf(1, buildSpec({ request })), attempts);
    expect(found?.map((one) => attempts.indexOf(one))).toEqual([4, 5, 6, 7, 8, 9, 10, 11]);
  });
  test("is null where more would have to end than may", () => {
    const { whatIf, attempts } = oneEach([80, 80, 80]);
    const request = { cpu_milli: 1_000, memory_bytes: GIB, disk_bytes: 0, gpu: buildGpu({ count: 2 }), countables: {} };
    const demand = requireOf(1, buildSpec({ request }));
    expect(smallestRelease(whatIf, demand, attempts)?.length).toBe(2);
    expect(smallestRelease(whatIf, demand, attempts, 1)).toBeNull();
  });
});
