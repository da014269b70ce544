// Intel's probe over a made-up /sys: both drivers' ways of telling, what is only counted up, and what xpu-smi adds.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { DeviceProbe, ProbePlaces } from "../../../../src/agent/devices/device";
import { drmProcesses } from "../../../../src/agent/devices/drm";
import { hasIntel, intelProbe, joined } from "../../../../src/agent/devices/intel/intel";
import { IntelLooker } from "../../../../src/agent/devices/intel/intel-look";
import { askXpuCards, askXpuProcesses, askXpuStats } from "../../../../src/agent/devices/intel/intel-tools";
import { treeAt } from "../../../../src/agent/devices/sysfs";
import { GIB, MIB } from "../../../../src/core/units";
import { createTool } from "../../../../src/os/process/tool";
import { IntelMachine, mixedIntel, xpuSmi, type Xpu } from "../../../support/devices/intel";
import { cardsOf } from "../../../support/devices/rig";

const LIMITS = { first_ms: 30_000, later_ms: 30_000 };

let machine: IntelMachine;
const opened: DeviceProbe[] = [];
beforeEach(async () => {
  machine = await IntelMachine.make();
});
afterEach(async () => {
  for (const probe of opened.splice(0)) probe.close();
  await machine.close();
});

function open(over: Partial<ProbePlaces> = {}): DeviceProbe {
  const probe = intelProbe(machine.site.places(over), LIMITS);
  opened.push(probe);
  return probe;
}

const max1100: Xpu = { id: 1, name: "Intel(R) Data Center GPU Max 1100", bus: "29", memory: 51_522_830_336 };
const arc: Xpu = { id: 0, name: "Intel(R) Arc(TM) A770 Graphics", bus: "03", memory: 16_225_243_136 };

describe("i915 and xe", () => {
  test("a card is told with all that is known of it", async () => {
    mixedIntel(machine);
    const cards = cardsOf(await open().look());
    const [first, second] = cards;
    expect(cards[2]).toEqual({
      id: expect.stringMatching(/^intel-[0-9a-f]{8}-0000:29:00\.0$/),
      vendor: "intel",
      model: "Intel Data Center GPU Max 1100",
      memory_bytes: 48 * GIB,
      index: 2,
      visible: "3",
      pci: "0000:29:00.0",
      numa_node: 0,
      driver: "xe linux 6.14.0-15-generic",
      parent: null,
      split: false,
      links: [
        { id: first?.id ?? "", kind: "socket" },
        { id: second?.id ?? "", kind: "socket" },
      ],
      compute_mode: null,
      ecc: null,
      files: ["/dev/dri/card2", "/dev/dri/renderD130"],
      memory_used_bytes: (20_480 + 512) * MIB,
      utilization_percent: null,
      temperature_celsius: 44,
      power_watts: null,
      clock_mhz: 300,
      throttled: null,
      ecc_errors: null,
      processes: [{ pid: 4_711, memory_bytes: (20_480 + 512) * MIB }],
      warnings: [],
      trouble: null,
    });
    expect(first).toMatchObject({ model: "Intel Arc A770", memory_bytes: 16 * GIB, memory_used_bytes: 3 * GIB });
    expect(first).toMatchObject({ clock_mhz: 1_550, throttled: "power", driver: "i915 linux 6.14.0-15-generic" });
    expect(second).toMatchObject({ model: "Intel 0xe20b", memory_bytes: 12 * GIB, memory_used_bytes: 0 });
  });

  test("the processor's graphics are no card, but are counted where cards are named by their place", async () => {
    machine.i915(0, "00:02", "pci0000:00", "0xa780", null);
    expect(hasIntel(machine.site.places())).toBe(false);
    machine.xe(1, "03", "pci0000:00/0000:00:01.0", "0x56a0", [16]);
    expect(cardsOf(await open().look()).map(({ index, visible }) => [index, visible])).toEqual([[0, "1"]]);
  });

  test("a card of several tiles has the memory of all", async () => {
    machine.xe(0, "29", "pci0000:26", "0x0bd5", [64, 64]);
    expect(cardsOf(await open().look())[0]?.memory_bytes).toBe(128 * GIB);
  });

  test("power and the time awake come from what is counted between two looks", () => {
    machine.xe(0, "29", "pci0000:26", "0x0bda", [48]);
    const dir = "sys/bus/pci/devices/0000:29:00.0";
    let now_ms = 1_000;
    const looker = new IntelLooker(treeAt(machine.site.root), () => now_ms);
    expect(looker.look().cards[0]).toMatchObject({ power_watts: null, utilization_percent: null });
    now_ms += 5_000;
    machine.site.put({ [`${dir}/hwmon/hwmon5/energy1_input`]: 500_000_000 + 5 * 214_500_000 });
    machine.site.put({ [`${dir}/tile0/gt0/gtidle/idle_residency_ms`]: 1_000_000 + 1_250 });
    expect(looker.look().cards[0]).toMatchObject({ power_watts: 214.5, utilization_percent: 75 });
    // A counter that was set back says nothing.
    now_ms += 5_000;
    machine.site.put({ [`${dir}/hwmon/hwmon5/energy1_input`]: 7 });
    expect(looker.look().cards[0]).toMatchObject({ power_watts: null });
  });

  test("cards are other cards on another machine", async () => {
    mixedIntel(machine);
    const [before] = cardsOf(await open().look());
    machine.site.put({ "etc/machine-id": "another" });
    const [after] = cardsOf(await open().look());
    expect(after!.pci).toBe(before!.pci);
    expect(after!.id).not.toBe(before!.id);
  });
});

describe("xpu-smi", () => {
  const tool = (script: string) => machine.site.tool("xpu-smi", script);
  const asked = async (): Promise<string[]> =>
    (await Bun.file(`${machine.site.root}/tools/asked`).text()).trim().split("\n");

  test("tells products, the memory that a driver hides, and ECC, once", async () => {
    machine.i915(0, "03:00", "pci0000:00/0000:00:01.0", "0x56a0", null);
    machine.xe(1, "29", "pci0000:26", "0x0bda", [48], 1);
    const without = await open().look();
    expect(without).toMatchObject({
      cards: [{ model: "Intel Data Center GPU Max 1100", index: 0 }],
      unknown: ["Intel Arc A770 (0000:03:00.0): how much memory it has only xpu-smi tells"],
    });
    const probe = open({ xpu_smi: tool(xpuSmi([arc, max1100])) });
    const look = await probe.look();
    expect(look).toMatchObject({ unknown: [] });
    const [first, second] = cardsOf(look);
    expect(first).toMatchObject({
      model: "Intel Arc A770 Graphics",
      memory_bytes: 16_225_243_136,
      index: 0,
      ecc: true,
    });
    expect(second).toMatchObject({ model: "Intel Data Center GPU Max 1100", memory_bytes: 48 * GIB, index: 1 });
    await probe.look();
    expect((await asked()).filter((args) => args.startsWith("discovery"))).toEqual([
      "discovery -j",
      "discovery -d 0 -j",
      "discovery -d 1 -j",
    ]);
  });

  test("fills in what a driver does not show, and no more often than it costs", async () => {
    machine.i915(0, "03:00", "pci0000:00/0000:00:01.0", "0x56a0", 16 * GIB);
    const whole = { GPU_CORE_TEMPERATURE: 61, POWER: 180.5, GPU_UTILIZATION: 97.5, MEMORY_USED: 12_345 };
    const probe = open({ xpu_smi: tool(xpuSmi([{ ...arc, whole }])) });
    for (let n = 0; n < 3; n++) {
      expect(cardsOf(await probe.look())[0]).toMatchObject({ temperature_celsius: 61, memory_used_bytes: 3 * GIB });
    }
    expect((await asked()).filter((args) => args.startsWith("stats"))).toEqual(["stats -d 0 -j"]);
  });

  test("its values of tiles are joined where a card has none of its own", async () => {
    const tiles = [
      { GPU_CORE_TEMPERATURE: 35, MEMORY_USED: 134_410_240, POWER: 24.1, GPU_UTILIZATION: 100 },
      { GPU_CORE_TEMPERATURE: 37, MEMORY_USED: 134_410_240, POWER: 25.4, GPU_UTILIZATION: 0 },
    ];
    const stats = await askXpuStats(
      createTool(tool(xpuSmi([{ ...max1100, tiles, whole: { POWER: 63.25 } }]))),
      1,
      9_000,
    );
    expect(stats).toEqual({
      memory_used_bytes: 268_820_480,
      temperature_celsius: 37,
      power_watts: 63.25,
      utilization_percent: 100,
    });
  });

  test("Xe links between tiles link their cards", async () => {
    const matrix = `
         GPU 0/0|GPU 0/1|GPU 1/0|GPU 1/1|CPU Affinity
GPU 0/0 |S      |MDF    |XL*    |XL16   |0-23,48-71
GPU 0/1 |MDF    |S      |XL16   |XL*    |0-23,48-71
GPU 1/0 |XL*    |XL16   |S      |MDF    |24-47,72-95
GPU 1/1 |XL16   |XL*    |MDF    |S      |24-47,72-95`;
    machine.xe(0, "29", "pci0000:26", "0x0bd5", [64, 64], 0);
    machine.xe(1, "9a", "pci0000:97", "0x0bd5", [64, 64], 1);
    const name = "Intel(R) Data Center GPU Max 1550";
    const both = ["29", "9a"].map((bus, id): Xpu => ({ id, name, bus, memory: 128 * GIB }));
    const cards = cardsOf(await open({ xpu_smi: tool(xpuSmi(both, [], matrix)) }).look());
    expect(cards.map(({ links }) => links)).toEqual([
      [{ id: cards[1]?.id ?? "", kind: "xelink" }],
      [{ id: cards[0]?.id ?? "", kind: "xelink" }],
    ]);
  });

  test("its processes count where this agent may not look into everybody's", async () => {
    mixedIntel(machine);
    const blind = {
      ...treeAt(machine.site.root),
      refuses: () => true,
      names: (path: string) => (path === "proc" ? ["1"] : treeAt(machine.site.root).names(path)),
    };
    expect(drmProcesses(blind)).toMatchObject({ complete: false });
    const look = new IntelLooker(blind, () => 0).look();
    expect(look).toMatchObject({ complete: false, cards: [{}, {}, { memory_used_bytes: null, processes: [] }] });
    const script = xpuSmi(
      [{ ...max1100, whole: { MEMORY_USED: 229.5 } }],
      [
        [1, 768_707, "python", 5_726_404],
        [1, 99, "xpu-smi", 40],
      ],
    );
    const xpu = createTool(tool(script));
    const { told } = await askXpuCards(xpu, 9_000);
    const stats = await askXpuStats(xpu, 1, 9_000);
    const seen = joined(look.cards, {
      cards: told,
      stats: new Map(stats === null ? [] : [["0000:29:00.0", stats]]),
      processes: await askXpuProcesses(xpu, 9_000),
    });
    expect(cardsOf(seen)[2]).toMatchObject({
      memory_used_bytes: 229.5 * MIB,
      processes: [{ pid: 768_707, memory_bytes: 5_726_404_000 }],
    });
  });

  const bad = [
    ["prints no JSON", "echo 'Error: Level Zero Initialization Error'"],
    ["fails", "exit 3"],
    ["hangs", "exec sleep 1000"],
  ] as const;
  for (const [what, script] of bad) {
    test(`that ${what} spoils no look`, async () => {
      machine.xe(1, "29", "pci0000:26", "0x0bda", [48], 1);
      const probe = intelProbe(machine.site.places({ xpu_smi: tool(script) }), { first_ms: 30_000, later_ms: 3_000 });
      opened.push(probe);
      expect(cardsOf(await probe.look())).toMatchObject([{ model: "Intel Data Center GPU Max 1100" }]);
    });
  }
});
