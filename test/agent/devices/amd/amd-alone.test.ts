// Cards that only a tool tells of, because /sys shows none and a person has named it: rocm-smi and xpu-smi.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Card, DeviceProbe, ProbePlaces } from "../../../../src/agent/devices/device";
import { findProbes } from "../../../../src/agent/cards/probes";
import { GIB, MIB } from "../../../../src/core/units";
import { rocmCard, rocmText } from "../../../support/devices/alone";
import { xpuSmi } from "../../../support/devices/intel";
import { Site } from "../../../support/devices/rig";

const LIMITS = { first_ms: 30_000, later_ms: 30_000 };

let site: Site;
const opened: DeviceProbe[] = [];
beforeEach(async () => {
  site = await Site.make();
  site.put({ "etc/machine-id": "0123456789abcdef0123456789abcdef" });
});
afterEach(async () => {
  for (const probe of opened.splice(0)) probe.close();
  await site.close();
});

async function cards(over: Partial<ProbePlaces>): Promise<readonly Card[]> {
  const probes = findProbes(site.places(over), LIMITS);
  opened.push(...probes);
  const look = await probes[0]?.look();
  if (look?.is !== "seen") throw new Error(`nothing was seen: ${JSON.stringify(look)}`);
  return look.cards;
}

describe("rocm-smi", () => {
  const told = (list: readonly object[], system: object = {}) =>
    cards({ rocm_smi: site.tool("rocm-smi", `cat <<'END'\n${rocmText(list, system)}\nEND`) });

  test("a card is told with all that the tool says", async () => {
    const mi300x = rocmCard("65", "AMD Instinct MI300X", "0x9246a1b2c3d4e5f6", 196_592 * MIB);
    expect(await told([mi300x], { PID4711: "python3, 1, 8589934592, 0, 0" })).toMatchObject([
      {
        id: "GPU-9246a1b2c3d4e5f6",
        vendor: "amd",
        model: "AMD Instinct MI300X",
        memory_bytes: 196_592 * MIB,
        memory_used_bytes: 283 * MIB,
        pci: "0000:65:00.0",
        driver: "6.12.12",
        temperature_celsius: 45,
        power_watts: 140,
        utilization_percent: 0,
        processes: [{ pid: 4_711, memory_bytes: 8 * GIB }],
      },
    ]);
  });

  test("cards are in the order of the bus, and a process that may be on any is on none", async () => {
    const far = rocmCard("c3", "AMD Radeon RX 7900 XTX", "N/A", 24_560 * MIB, {
      "Temperature (Sensor edge) (C)": "41.0",
    });
    const near = rocmCard("05", "0x740f", "0x0", 65_520 * MIB, { "Device Name": "N/A" });
    const found = await told([far, near], { PID4711: "python3, 2, 8589934592, 0, 0" });
    expect(found.map(({ index, visible, model, pci }) => [index, visible, model, pci])).toEqual([
      [0, "0", "AMD 0x74a1", "0000:05:00.0"],
      [1, "1", "AMD Radeon RX 7900 XTX", "0000:c3:00.0"],
    ]);
    expect(found.map(({ id }) => id)).toEqual([
      expect.stringMatching(/^amd-[0-9a-f]{8}-0000:05:00\.0$/) as string,
      expect.stringMatching(/^amd-[0-9a-f]{8}-0000:c3:00\.0$/) as string,
    ]);
    expect(found[1]?.temperature_celsius).toBe(41);
    expect(found.flatMap(({ processes }) => processes)).toEqual([]);
  });

  test("a card without its memory or its place is none", async () => {
    const broken = rocmCard("05", "AMD Instinct MI210", "0x1", 1, { "VRAM Total Memory (B)": "N/A" });
    const well = rocmCard("29", "AMD Instinct MI210", "0x1ce2d0b26ac0a1f1", 65_520 * MIB);
    expect((await told([broken, well])).map(({ pci }) => pci)).toEqual(["0000:29:00.0"]);
  });
});

test("xpu-smi tells cards, what they show and who is on them", async () => {
  const whole = { GPU_CORE_TEMPERATURE: 61, POWER: 180.5, GPU_UTILIZATION: 97.5, MEMORY_USED: 12_345 };
  const listed = [
    { id: 0, name: "Intel(R) Data Center GPU Max 1100", bus: "29", memory: 48 * GIB, whole },
    { id: 1, name: "Intel(R) Arc(TM) A770 Graphics", bus: "03", memory: 16_225_243_136 },
  ];
  const script = xpuSmi(listed, [[0, 4_711, "python3", 1_000]]);
  expect(await cards({ xpu_smi: site.tool("xpu-smi", script) })).toMatchObject([
    { model: "Intel Arc A770 Graphics", index: 0, visible: "0", pci: "0000:03:00.0", processes: [] },
    {
      id: expect.stringMatching(/^intel-[0-9a-f]{8}-0000:29:00\.0$/) as string,
      model: "Intel Data Center GPU Max 1100",
      index: 1,
      memory_bytes: 48 * GIB,
      memory_used_bytes: 12_345 * MIB,
      temperature_celsius: 61,
      power_watts: 180.5,
      ecc: true,
      processes: [{ pid: 4_711, memory_bytes: 1_000_000 }],
    },
  ]);
});
