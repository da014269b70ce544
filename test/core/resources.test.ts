// What a request comes to on a node, and that taking and giving back are each other's opposite.

import { describe, expect, test } from "bun:test";
import { DEFAULT_LIMITS } from "../../src/core/limits";
import { freeOf, giveBack, resolveRequest, restingPorts, take } from "../../src/core/resources";
import { GIB, MIB } from "../../src/core/units";
import {
  buildDevice,
  buildGpu,
  buildNode,
  buildPromised,
  buildRequest,
  buildTask,
  buildWorkload,
  NOW_MS,
} from "../support/build";

const plain = buildNode("a");
const cards = buildNode("b", { devices: ["x", "y", "z", "w"].map((id) => buildDevice(id)) });

describe("what was not asked for", () => {
  test("a run gets a core, an entry a tenth, memory 2 GiB a core and at least 256 MiB, unlimited", () => {
    expect(resolveRequest(buildRequest(), "run", plain)).toMatchObject({
      cpu_milli: 1_000,
      memory_bytes: 2 * GIB,
      memory_limited: false,
    });
    expect(resolveRequest(buildRequest(), "entry", plain)).toMatchObject({ cpu_milli: 100, memory_bytes: 256 * MIB });
    expect(resolveRequest(buildRequest({ cpu_milli: 4_000 }), "entry", plain)).toMatchObject({ memory_bytes: 8 * GIB });
    expect(resolveRequest(buildRequest({ memory_bytes: GIB }), "run", plain)).toMatchObject({
      cpu_milli: 1_000,
      memory_bytes: GIB,
      memory_limited: true,
    });
  });
  test("with cards it is their share of the node", () => {
    const gpu = buildGpu({ count: 1 });
    expect(resolveRequest(buildRequest({ gpu }), "run", cards)).toMatchObject({
      cpu_milli: 2_000,
      memory_bytes: 8 * GIB,
      memory_limited: false,
    });
    expect(resolveRequest(buildRequest({ gpu: { ...gpu, count: 4 }, cpu_milli: 500 }), "run", cards)).toMatchObject({
      cpu_milli: 500,
      memory_bytes: 32 * GIB,
    });
    expect(resolveRequest(buildRequest({ gpu: { ...gpu, count: 9 } }), "run", cards).cpu_milli).toBe(8_000);
  });
});

describe("the book", () => {
  test("gives back exactly what was taken", () => {
    const node = buildNode("a", { capacity: { countables: { seat: 2 } } });
    const free = freeOf(node.capacity);
    const before = structuredClone(free);
    const promised = buildPromised({ countables: { seat: 1 }, disk_bytes: GIB, devices: [{ id: "x", bytes: null }] });
    take(free, promised);
    expect(free.countables?.get("seat")).toBe(1);
    expect(free.taken).toEqual(new Set(["x"]));
    giveBack(free, promised);
    expect(free.taken?.size).toBe(0);
    expect({ ...free, taken: before.taken }).toEqual(before);
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
