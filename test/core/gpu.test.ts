// Which cards a request means, as product.md's grammar says it.

import { describe, expect, test } from "bun:test";
import { formatCard, hasMemory, isModel, matches, pickDevices, wholeDevices } from "../../src/core/gpu";
import { GIB, MIB } from "../../src/core/units";
import { buildDevice, buildGpu } from "../support/build";

const card = (id: string, gb: number, model = "NVIDIA GeForce RTX 4090") =>
  buildDevice(id, { model, memory_bytes: gb * GIB });

describe("models", () => {
  const cases: [asked: string, model: string, is: boolean][] = [
    ["H100", "NVIDIA H100 80GB HBM3", true],
    ["h100", "NVIDIA H100 PCIe", true],
    ["A10", "NVIDIA A100-SXM4-80GB", false],
    ["A100", "NVIDIA A100-SXM4-80GB", true],
    ["A10", "NVIDIA A10", true],
    ["rtx4090", "NVIDIA GeForce RTX 4090", true],
    ["RTX 4090", "NVIDIA GeForce RTX 4090", true],
    ["rtx-4090", "NVIDIA GeForce RTX 4090", true],
    ["4090", "NVIDIA GeForce RTX 4090", true],
    ["409", "NVIDIA GeForce RTX 4090", false],
    ["090", "NVIDIA GeForce RTX 4090", false],
    ["MI300X", "AMD Instinct MI300X", true],
    ["MI300", "AMD Instinct MI300X", false],
    ["V100", "Tesla V100-PCIE-32GB", true],
    ["L4", "NVIDIA L40S", false],
    ["L40S", "NVIDIA L40S", true],
    ["H100 80GB", "NVIDIA H100 80GB HBM3", true],
    ["", "NVIDIA H100", false],
    ["--", "NVIDIA H100", false],
  ];
  for (const [asked, model, is] of cases) {
    test(`${asked || "nothing"} is ${is ? "" : "not "}${model}`, () => expect(isModel(asked, model)).toBe(is));
  }
});

describe("memory", () => {
  test("a size is a class, and at least that", () => {
    const request = buildGpu({ memory_min_bytes: 24 * GIB });
    for (const mib of [23_028, 24_564, 24_576, 46_068, 81_559]) {
      expect(hasMemory(request, buildDevice("d", { memory_bytes: mib * MIB }))).toBe(true);
    }
    expect(hasMemory(request, card("d", 16))).toBe(false);
    expect(hasMemory(request, card("d", 22))).toBe(false);
  });
  test("a range holds at both ends, each by its class", () => {
    const request = buildGpu({ memory_min_bytes: 24 * GIB, memory_max_bytes: 40 * GIB });
    expect([16, 24, 40, 40.5, 48].map((gb) => hasMemory(request, card("d", gb)))).toEqual([
      false,
      true,
      true,
      true,
      false,
    ]);
  });
  test("cards are named as they are sold", () => {
    expect([24_564, 23_028, 81_559, 46_068, 143_771, 15_360].map((mib) => formatCard(mib * MIB))).toEqual([
      "24 GB",
      "24 GB",
      "80 GB",
      "48 GB",
      "141 GB",
      "16 GB",
    ]);
  });
});

describe("picking", () => {
  test("no vendor means nvidia", () => {
    const amd = buildDevice("d", { vendor: "amd", model: "AMD Instinct MI300X" });
    expect(matches(buildGpu(), amd)).toBe(false);
    expect(matches(buildGpu({ vendor: "amd", models: ["MI300X"] }), amd)).toBe(true);
  });
  test("the smallest that do are taken, of one model where one has enough", () => {
    const free = [card("c", 80, "NVIDIA H100"), card("b", 24), card("a", 24), card("d", 16, "NVIDIA T4")];
    expect(pickDevices(buildGpu(), free)?.map(({ id }) => id)).toEqual(["d"]);
    expect(pickDevices(buildGpu({ count: 2 }), free)?.map(({ id }) => id)).toEqual(["a", "b"]);
    expect(pickDevices(buildGpu({ count: 3 }), free)?.map(({ id }) => id)).toEqual(["d", "a", "b"]);
    expect(pickDevices(buildGpu({ count: 5 }), free)).toBeNull();
    expect(
      pickDevices(buildGpu({ models: ["H100", "T4"], memory_min_bytes: 24 * GIB }), free)?.map(({ id }) => id),
    ).toEqual(["c"]);
  });
  test("a card that is cut in parts is promised by its parts", () => {
    const whole = card("gpu", 80);
    const parts = [1, 2].map((n) => buildDevice(`mig-${n}`, { parent: "gpu" }));
    expect(wholeDevices([whole, ...parts]).map(({ id }) => id)).toEqual(["mig-1", "mig-2"]);
    expect(wholeDevices([whole])).toEqual([whole]);
  });
});
