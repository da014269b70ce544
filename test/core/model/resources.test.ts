// What a request comes to on a node, and that taking and giving back are each other's opposite.

import type { TaskFinal } from "../../../src/core/model/end";
import { describe, expect, test } from "bun:test";
import { DEFAULT_LIMITS } from "../../../src/core/pass/limits";
import type { Promised } from "../../../src/core/model/promised";
import { freeOf, giveBack, resolveRequest, take, type Resolved, type Spare } from "../../../src/core/model/resources";
import { restingPorts } from "../../../src/core/intake/ends";
import { GIB, MIB } from "../../../src/core/units";
import type { ResourceRequest } from "../../../src/core/model/workload";
import {
  buildGpu,
  buildNode,
  buildPromised,
  buildRequest,
  buildTask,
  buildWorkload,
  NOW_MS,
} from "../../support/build";

/** A node of 8 cores and 32 GiB with 4 cards, of which nobody has anything. */
const EMPTY: Spare = {
  capacity: { cpu_milli: 8_000, memory_bytes: 32 * GIB },
  free: { cpu_milli: 8_000, memory_bytes: 32 * GIB },
  daemons: { cpu_milli: 0, memory_bytes: 0 },
  coming: { cpu_milli: 0, memory_bytes: 0 },
  cards: 0,
  all_cards: 4,
  free_cards: 4,
};
const resolve = (request: ResourceRequest, origin: "run" | "entry", spare: Partial<Spare> = {}): Resolved =>
  resolveRequest(request, origin, { ...EMPTY, ...spare });
const freed = (cpu_milli: number, memory_bytes: number) => ({ free: { cpu_milli, memory_bytes } });

describe("what was not asked for", () => {
  test("a run gets a core, an entry a tenth, memory 2 GiB a core and at least 256 MiB, unlimited", () => {
    expect(resolve(buildRequest(), "run")).toMatchObject({
      cpu_milli: 1_000,
      memory_bytes: 2 * GIB,
      memory_limited: false,
      short: 0,
    });
    expect(resolve(buildRequest(), "entry")).toMatchObject({ cpu_milli: 100, memory_bytes: 256 * MIB });
    expect(resolve(buildRequest({ cpu_milli: 4_000 }), "entry")).toMatchObject({ memory_bytes: 8 * GIB });
    expect(resolve(buildRequest({ memory_bytes: GIB }), "run")).toMatchObject({
      cpu_milli: 1_000,
      memory_bytes: GIB,
      memory_limited: true,
    });
  });
  test("memory is at most the part that belongs to the cores, so that cores alone fill a node", () => {
    const small = { ...EMPTY, capacity: { cpu_milli: 8_000, memory_bytes: 8 * GIB }, ...freed(8_000, 8 * GIB) };
    expect(resolveRequest(buildRequest(), "run", small)).toMatchObject({ memory_bytes: GIB });
    expect(resolveRequest(buildRequest({ cpu_milli: 8_000 }), "run", small)).toMatchObject({ memory_bytes: 8 * GIB });
  });
  test("it gives way to what is free, down to a floor, and says how much is missing", () => {
    expect(resolve(buildRequest(), "run", freed(300, 32 * GIB))).toMatchObject({ cpu_milli: 300, short: 0.7 });
    expect(resolve(buildRequest(), "run", freed(0, 0))).toMatchObject({ cpu_milli: 100, memory_bytes: 256 * MIB });
    const asked = buildRequest({ cpu_milli: 4_000 });
    expect(resolve(asked, "run", freed(300, GIB))).toMatchObject({ cpu_milli: 4_000, memory_bytes: GIB });
  });
  test("daemons that are still to come keep their part", () => {
    const coming = { cpu_milli: 250, memory_bytes: 0 };
    expect(resolve(buildRequest(), "run", { ...freed(1_000, GIB), coming })).toMatchObject({ cpu_milli: 750 });
  });
});

describe("what was not asked for, with cards", () => {
  const gpu = buildGpu({ count: 1 });
  test("it is their part of what the reserve and the daemons leave", () => {
    expect(resolve(buildRequest({ gpu }), "run", { cards: 1 })).toMatchObject({
      cpu_milli: 1_750,
      memory_bytes: 7 * GIB,
      memory_limited: false,
    });
    const daemons = { cpu_milli: 1_000, memory_bytes: 0 };
    expect(resolve(buildRequest({ gpu }), "run", { cards: 1, daemons })).toMatchObject({ cpu_milli: 1_500 });
    expect(resolve(buildRequest({ gpu, cpu_milli: 500 }), "run", { cards: 4 })).toMatchObject({
      cpu_milli: 500,
      memory_bytes: 28 * GIB,
    });
    expect(resolve(buildRequest({ gpu }), "run", { cards: 9 }).cpu_milli).toBe(7_000);
  });
  test("it is at most the part of what is free that belongs to them among the free cards", () => {
    const busy = { ...freed(3_000, 32 * GIB), free_cards: 2 };
    expect(resolve(buildRequest({ gpu }), "run", { cards: 1, ...busy })).toMatchObject({ cpu_milli: 1_500 });
    expect(resolve(buildRequest({ gpu }), "run", { cards: 2, ...busy })).toMatchObject({ cpu_milli: 3_000 });
    expect(resolve(buildRequest({ gpu }), "run", { cards: 1, ...freed(0, 0), free_cards: 1 })).toMatchObject({
      cpu_milli: 100,
      memory_bytes: 256 * MIB,
    });
  });
  test("a large node reserves no more than 2 cores and 8 GiB", () => {
    const large = { cpu_milli: 128_000, memory_bytes: 1_024 * GIB };
    const spare = { capacity: large, free: large, cards: 4 };
    expect(resolve(buildRequest({ gpu }), "run", spare)).toMatchObject({
      cpu_milli: 126_000,
      memory_bytes: 1_016 * GIB,
    });
  });
  test("with a share it is that part of its card's part, and three thirds are no more than one whole", () => {
    const share = buildGpu({ share_bytes: 8 * GIB });
    expect(resolve(buildRequest({ gpu: share }), "run", { cards: 1 / 2 })).toMatchObject({
      cpu_milli: 875,
      memory_bytes: 3.5 * GIB,
    });
    const third = { cards: 1 / 3, all_cards: 1, free_cards: 1 };
    expect(3 * resolve(buildRequest({ gpu: share }), "run", third).memory_bytes).toBeLessThanOrEqual(28 * GIB);
    const nine = { capacity: { cpu_milli: 24_000, memory_bytes: GIB }, ...freed(24_000, GIB) };
    expect(resolve(buildRequest({ gpu: share }), "run", { ...third, ...nine }).cpu_milli).toBe(7_333);
  });
});

describe("the book", () => {
  test("gives back exactly what was taken", () => {
    const free = freeOf(buildNode("a", { capacity: { countables: { seat: 2 } } }).capacity);
    const before = structuredClone(free);
    const promised = buildPromised({ countables: { seat: 1 }, disk_bytes: GIB, devices: [{ id: "x", bytes: null }] });
    take(free, promised);
    expect(free.countables?.get("seat")).toBe(1);
    expect(free.held).toEqual(new Map([["x", { whole: 1, shares: 0, bytes: 0 }]]));
    giveBack(free, promised);
    expect(free.held).toEqual(new Map([["x", { whole: 0, shares: 0, bytes: 0 }]]));
    expect({ ...free, held: before.held }).toEqual(before);
  });
  test("sums shares of a card up, and takes them out one by one", () => {
    const free = freeOf(buildNode("a").capacity);
    const share = (gib: number): Promised => buildPromised({ devices: [{ id: "x", bytes: gib * GIB }] });
    take(free, share(8));
    take(free, share(4));
    expect(free.held?.get("x")).toEqual({ whole: 0, shares: 2, bytes: 12 * GIB });
    giveBack(free, share(8));
    expect(free.held?.get("x")).toEqual({ whole: 0, shares: 1, bytes: 4 * GIB });
  });
  test("published ports rest on their node after the end", () => {
    const task = buildTask(buildWorkload("recs", "api", "s"), "a", {
      promised: { ports: [{ name: "http", target: 80, published: 20_000, bind: "cluster" }] },
    });
    const resting = (end: Pick<TaskFinal, "state" | "cause">) =>
      restingPorts(task, { reason: "nginx has it", ...end }, NOW_MS, DEFAULT_LIMITS);
    const [key, rest_ms] = ["a/20000", DEFAULT_LIMITS.port_rest_ms];
    expect(resting({ state: "failed" })).toEqual([
      { table: "ports", key, row: { key, until_ms: NOW_MS + rest_ms, held_by: null } },
    ]);
    // What never began has used none; what found one taken says by whom.
    expect(resting({ state: "rejected", cause: "no_directory" })).toEqual([]);
    expect(resting({ state: "rejected", cause: "port_taken" })).toEqual([
      { table: "ports", key, row: { key, until_ms: NOW_MS + 600_000, held_by: "nginx has it" } },
    ]);
  });
});
