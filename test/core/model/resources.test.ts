// What a request comes to on a node, and that taking and giving back are each other's opposite.

import { describe, expect, test } from "bun:test";
import { DEFAULT_LIMITS } from "../../../src/core/pass/limits";
import type { Promised } from "../../../src/core/model/promised";
import { freeOf, giveBack, resolveRequest, take, type Resolved } from "../../../src/core/model/resources";
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

const node = buildNode("a");
const resolve = (request: ResourceRequest, origin: "run" | "entry", cards = 0): Resolved =>
  resolveRequest(request, origin, node, cards, 4);

describe("what was not asked for", () => {
  test("a run gets a core, an entry a tenth, memory 2 GiB a core and at least 256 MiB, unlimited", () => {
    expect(resolve(buildRequest(), "run")).toMatchObject({
      cpu_milli: 1_000,
      memory_bytes: 2 * GIB,
      memory_limited: false,
    });
    expect(resolve(buildRequest(), "entry")).toMatchObject({ cpu_milli: 100, memory_bytes: 256 * MIB });
    expect(resolve(buildRequest({ cpu_milli: 4_000 }), "entry")).toMatchObject({ memory_bytes: 8 * GIB });
    expect(resolve(buildRequest({ memory_bytes: GIB }), "run")).toMatchObject({
      cpu_milli: 1_000,
      memory_bytes: GIB,
      memory_limited: true,
    });
  });
  test("with cards it is their share of the node", () => {
    const gpu = buildGpu({ count: 1 });
    expect(resolve(buildRequest({ gpu }), "run", 1)).toMatchObject({
      cpu_milli: 2_000,
      memory_bytes: 8 * GIB,
      memory_limited: false,
    });
    expect(resolve(buildRequest({ gpu: { ...gpu, count: 4 }, cpu_milli: 500 }), "run", 4)).toMatchObject({
      cpu_milli: 500,
      memory_bytes: 32 * GIB,
    });
    expect(resolve(buildRequest({ gpu: { ...gpu, count: 9 } }), "run", 9).cpu_milli).toBe(8_000);
  });
  test("with a share it is that part of its card's part, and three thirds are one whole", () => {
    const gpu = buildGpu({ share_bytes: 8 * GIB });
    expect(resolve(buildRequest({ gpu }), "run", 1 / 2)).toMatchObject({ cpu_milli: 1_000, memory_bytes: 4 * GIB });
    expect(3 * resolveRequest(buildRequest({ gpu }), "run", node, 1 / 3, 1).memory_bytes).toBeLessThanOrEqual(32 * GIB);
    const nine = buildNode("c", { capacity: { cpu_milli: 9_000 } });
    expect(resolveRequest(buildRequest({ gpu }), "run", nine, 1 / 3, 1).cpu_milli).toBe(3_000);
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
    const free = freeOf(node.capacity);
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
    expect(restingPorts(task, NOW_MS, DEFAULT_LIMITS)).toEqual([
      { table: "ports", key: "a/20000", row: { key: "a/20000", until_ms: NOW_MS + DEFAULT_LIMITS.port_rest_ms } },
    ]);
  });
});
