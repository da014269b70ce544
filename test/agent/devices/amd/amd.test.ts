// AMD's probe over a made-up /sys: every fact of a card, links by xGMI and by the bus, processes that compute or draw,
// the order in which ROCm counts, and names from AMD's tools.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { amdProbe, hasAmd } from "../../../../src/agent/devices/amd/amd";
import type { Card, DeviceProbe, ProbePlaces } from "../../../../src/agent/devices/device";
import { GIB, MIB } from "../../../../src/core/units";
import { AmdMachine, amdSmi, mixed, rocmSmi } from "../../../support/devices/amd";

const LIMITS = { first_ms: 30_000, later_ms: 30_000 };

let machine: AmdMachine;
const opened: DeviceProbe[] = [];
beforeEach(async () => {
  machine = await AmdMachine.make();
});
afterEach(async () => {
  for (const probe of opened.splice(0)) probe.close();
  await machine.close();
});

function open(over: Partial<ProbePlaces> = {}, limits = LIMITS): DeviceProbe {
  const probe = amdProbe(machine.site.places(over), limits);
  opened.push(probe);
  return probe;
}

async function seen(probe = open()): Promise<readonly Card[]> {
  const look = await probe.look();
  if (look.is !== "seen") throw new Error(`nothing was seen: ${JSON.stringify(look)}`);
  return look.cards;
}

describe("amdgpu", () => {
  test("a card is told with all that is known of it", async () => {
    mixed(machine);
    const [, card] = await seen();
    expect(card).toEqual({
      id: "GPU-1ce2d0b26ac0a1f1",
      vendor: "amd",
      model: "AMD 0x740f",
      memory_bytes: 65_520 * MIB,
      index: 1,
      visible: "0",
      pci: "0000:29:00.0",
      numa_node: 0,
      driver: "6.8.5",
      parent: null,
      split: false,
      links: [
        { id: "GPU-e475645fe0200397", kind: "xgmi" },
        { id: expect.stringMatching(/^amd-[0-9a-f]{8}-0000:03:00\.0$/), kind: "socket" },
      ],
      compute_mode: null,
      ecc: true,
      files: ["/dev/dri/card0", "/dev/dri/renderD128"],
      memory_used_bytes: 12 * MIB,
      utilization_percent: 0,
      temperature_celsius: 36,
      power_watts: 41,
      clock_mhz: 800,
      throttled: null,
      ecc_errors: 0,
      processes: [{ pid: 4_711, memory_bytes: 8 * GIB }],
      warnings: [],
      trouble: null,
    });
  });

  test("cards are in the order of the bus, and known by their place to ROCm, which counts otherwise", async () => {
    mixed(machine);
    const cards = await seen();
    expect(cards.map(({ index, pci, visible }) => [index, pci, visible])).toEqual([
      [0, "0000:03:00.0", "2"],
      [1, "0000:29:00.0", "0"],
      [2, "0000:2c:00.0", "1"],
      [3, "0000:83:00.0", "4"],
    ]);
  });

  test("a card has the name that it carries, else that of the list, else its number", async () => {
    mixed(machine);
    const [radeon, mi210, , mi300] = await seen();
    expect(radeon?.model).toBe("AMD Radeon RX 7900 XTX");
    expect(mi210?.model).toBe("AMD 0x740f");
    expect(mi300).toMatchObject({ model: "AMD Instinct MI300X OAM", ecc_errors: 3, temperature_celsius: 41 });
    expect(mi300).toMatchObject({ power_watts: 133, numa_node: 1, links: [] });
    expect(mi300?.id).toMatch(/^amd-[0-9a-f]{8}-0000:83:00\.0$/);
  });

  const names = [
    ["0000:03:00.0", "AMD Radeon RX 7900 XTX"],
    ["0000:29:00.0", "AMD Instinct MI210"],
    ["0000:2c:00.0", "N/A"],
    ["0000:83:00.0", "AMD Instinct MI300X"],
  ] as const;
  const tools = [
    ["amd-smi of today", { amd_smi: amdSmi("new", names) }],
    ["amd-smi of 2023", { amd_smi: amdSmi("old", names) }],
    ["rocm-smi", { rocm_smi: rocmSmi("Card Series", names) }],
    ["rocm-smi of 2022", { rocm_smi: rocmSmi("Card series", names) }],
    ["rocm-smi where amd-smi fails", { amd_smi: "exit 1", rocm_smi: rocmSmi("Card Series", names) }],
  ] as const;
  for (const [name, scripts] of tools) {
    test(`names come from ${name}`, async () => {
      mixed(machine);
      const places = Object.fromEntries(Object.entries(scripts).map(([tool, s]) => [tool, machine.site.tool(tool, s)]));
      const cards = await seen(open(places));
      expect(cards.map(({ model }) => model)).toEqual([
        "AMD Radeon RX 7900 XTX",
        "AMD Instinct MI210",
        "AMD 0x740f",
        "AMD Instinct MI300X",
      ]);
    });
  }

  test("a tool is asked once, and one that hangs keeps no look waiting for long", async () => {
    mixed(machine);
    const tool = machine.site.tool("amd-smi", `echo x >> "$(dirname "$0")/runs"; exec sleep 1000`);
    const probe = open({ amd_smi: tool }, { first_ms: 30_000, later_ms: 300 });
    const look = await probe.look();
    expect(look).toMatchObject({ is: "seen", cards: { length: 4 } });
    await probe.look();
    expect((await Bun.file(`${machine.site.root}/tools/runs`).text()).trim()).toBe("x");
  });

  test("processes that draw are on their card, each with its memory once", async () => {
    mixed(machine);
    const [radeon] = await seen();
    expect(radeon?.processes).toEqual([{ pid: 1_234, memory_bytes: 262_144 * 1024 }]);
  });

  test("cards below one switch are linked by it", async () => {
    const below = "pci0000:40/0000:40:01.1/0000:41:00.0";
    machine.card({ number: 0, bus: "44", below: `${below}/0000:42:00.0/0000:43:00.0`, model: "RX 7900 XTX", numa: 0 });
    machine.card({ number: 1, bus: "47", below: `${below}/0000:42:01.0/0000:46:00.0`, model: "RX 7900 XTX", numa: 0 });
    machine.card({ number: 2, bus: "c4", below: "pci0000:c0/0000:c0:01.1", model: "RX 7900 XTX", numa: 1 });
    const cards = await seen();
    expect(cards.map(({ links }) => links.map(({ kind }) => kind))).toEqual([["switch"], ["switch"], []]);
  });

  test("a card in partitions is one, with the places of them all", async () => {
    machine.card({ number: 0, bus: "83", below: "pci0000:80/0000:80:01.1", model: "MI300X" });
    machine.node(0, 0, 0, 0);
    for (const n of [1, 2, 3, 4]) machine.node(n, 0x83, 304, 127 + n);
    machine.computes(9, { 1: GIB, 4: GIB });
    const [card] = await seen();
    expect(card).toMatchObject({ visible: "0,1,2,3", processes: [{ pid: 9, memory_bytes: 2 * GIB }] });
    expect(card?.files).toEqual(
      [128, 129, 130, 131].map((n) => `/dev/dri/renderD${n}`).toSpliced(0, 0, "/dev/dri/card0"),
    );
  });

  /** gpu_metrics_v1_3 with these reasons; what stands before them is nothing to this test. */
  const metrics = (reasons: bigint): Uint8Array => {
    const bytes = new Uint8Array(120).fill(0x55);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, 120, true);
    view.setUint8(2, 1);
    view.setUint8(3, 3);
    view.setBigUint64(112, reasons, true);
    return bytes;
  };
  test("heat and power slow a card down, and what is not known does not", async () => {
    mixed(machine);
    const file = `${machine.site.root}/sys/bus/pci/devices/0000:03:00.0/gpu_metrics`;
    const found: unknown[] = [];
    for (const reasons of [0n, 1n << 36n, 1n, 1n << 16n, (1n << 36n) | 1n, 1n << 56n, 2n ** 64n - 1n]) {
      await Bun.write(file, metrics(reasons));
      found.push((await seen())[0]?.throttled);
    }
    expect(found).toEqual([null, "thermal", "power", "power", "thermal", null, null]);
    await Bun.write(file, metrics(1n).fill(4, 3, 4));
    expect((await seen())[0]?.throttled).toBeNull();
  });

  test("without the driver's own version the kernel's stands for it", async () => {
    mixed(machine);
    machine.site.drop("sys/module/amdgpu");
    machine.site.put({ "proc/sys/kernel/osrelease": "6.8.0-40-generic" });
    expect((await seen())[0]?.driver).toBe("linux 6.8.0-40-generic");
  });

  test("graphics of a processor are no card, and nothing is looked at for them", () => {
    machine.card({ number: 0, bus: "0d", below: "pci0000:00/0000:00:08.1", model: "Raphael" });
    expect(hasAmd(machine.site.places())).toBe(false);
  });
});
