// Which cards a request means, as product.md's grammar says it.

import { describe, expect, test } from "bun:test";
import {
  formatCard,
  hasMemory,
  isModel,
  isPart,
  matches,
  promisable,
  shareOn,
  shortDevice,
} from "../../../src/core/cards/gpu";
import type { Device } from "../../../src/core/model/device";
import { GIB, MIB } from "../../../src/core/units";
import { buildDevice, buildGpu } from "../../support/build";

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

describe("kinds", () => {
  test("no vendor means nvidia", () => {
    const amd = buildDevice("d", { vendor: "amd", model: "AMD Instinct MI300X" });
    expect(matches(buildGpu(), amd)).toBe(false);
    expect(matches(buildGpu({ vendor: "amd", models: ["MI300X"] }), amd)).toBe(true);
  });
  test("a card that is cut in parts is promised by its parts", () => {
    const whole = card("gpu", 80);
    const parts = [1, 2].map((n) => buildDevice(`mig-${n}`, { parent: "gpu" }));
    expect(promisable([whole, ...parts]).map(({ id }) => id)).toEqual(["mig-1", "mig-2"]);
    expect(promisable([whole])).toEqual([whole]);
  });
  test("a card whose parts are missing is whole again, unless it is missing itself", () => {
    const part = buildDevice("mig-1", { parent: "gpu", state: "missing" });
    const other = buildDevice("mig-2", { parent: "gpu" });
    const ids = (...devices: Device[]): string[] => promisable(devices).map(({ id }) => id);
    expect(ids(card("gpu", 80), part)).toEqual(["gpu"]);
    expect(ids(card("gpu", 80), part, other)).toEqual(["mig-2"]);
    expect(ids({ ...card("gpu", 80), state: "missing" }, part)).toEqual(["mig-1"]);
  });

  const part = (model: string): Device => buildDevice("d", { parent: "gpu", model });
  const parts: [asked: string, model: string, is: boolean][] = [
    ["1g.10gb", "NVIDIA A100-SXM4-80GB MIG 1g.10gb", true],
    ["MIG 1g.10gb", "NVIDIA A100-SXM4-80GB MIG 1g.10gb", true],
    ["2g.20gb", "NVIDIA A100-SXM4-80GB MIG 1g.10gb", false],
    ["A100", "NVIDIA A100-SXM4-80GB MIG 1g.10gb", false],
    ["80GB", "NVIDIA A100-SXM4-80GB MIG 1g.10gb", false],
    ["1g.10gb", "MIG 1g.10gb", true],
    ["MI300X", "AMD Instinct MI300X", true],
  ];
  for (const [asked, model, is] of parts) {
    test(`${asked} is ${is ? "" : "not "}the part ${model}`, () => {
      expect(isPart(asked, model)).toBe(is);
      expect(matches(buildGpu({ models: [asked], count: 2 }), part(model))).toBe(is);
    });
  }
  test("a part is any card where one is asked for, and none where several are, since a process sees one part", () => {
    expect(matches(buildGpu(), part("NVIDIA A100 MIG 1g.5gb"))).toBe(true);
    expect(matches(buildGpu({ count: 2 }), part("NVIDIA A100 MIG 1g.5gb"))).toBe(false);
  });
});

describe("shares", () => {
  test("are of what a card is sold as", () => {
    expect(shareOn(8 * GIB, card("d", 24))).toBe(8 * GIB);
    expect(shareOn(8 * GIB, { memory_bytes: 24_564 * MIB })).toBe(8_188 * MIB);
    expect(shareOn(24 * GIB, { memory_bytes: 23_028 * MIB })).toBe(23_028 * MIB);
    // Shows more than it is sold as, or no size that is sold: what was asked for is what it comes to.
    expect(shareOn(8 * GIB, { memory_bytes: 24_600 * MIB })).toBe(8 * GIB);
    expect(shareOn(8 * GIB, { memory_bytes: 22 * GIB })).toBe(8 * GIB);
  });
  test("never come to more than a card has", () => {
    for (let mib = 512; mib < 300_000; mib += 509) {
      for (const shares of [2, 3, 5, 7]) {
        const share_bytes = Math.floor((mib * MIB) / shares);
        expect(shares * shareOn(share_bytes, { memory_bytes: mib * MIB })).toBeLessThanOrEqual(mib * MIB);
      }
    }
  });
  test("need a card that is so large", () => {
    const request = buildGpu({ share_bytes: 24 * GIB });
    expect([16, 22, 24, 80].map((gb) => hasMemory(request, card("d", gb)))).toEqual([false, false, true, true]);
    expect(hasMemory(request, buildDevice("d", { memory_bytes: 23_028 * MIB }))).toBe(true);
  });
});

describe("names", () => {
  test("a UUID is told by its first digits, another id is told whole", () => {
    expect(shortDevice("GPU-8a1c2d3e-0000-1111-2222-333344445555")).toBe("GPU-8a1c2d3e");
    expect(shortDevice("MIG-8a1c2d3e-0000-1111-2222-333344445555")).toBe("MIG-8a1c2d3e");
    expect(shortDevice("amd-0000:03:00.0")).toBe("amd-0000:03:00.0");
  });
});
