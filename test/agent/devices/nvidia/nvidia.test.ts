// NVIDIA's probe over a stand-in for NVML: every fact of a card, cards in parts, cards that are lost or gone, and
// libraries that are old, not ready, or of another version than the driver.

import { copyFileSync, rmSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import type { Card, DeviceProbe } from "../../../../src/agent/devices/device";
import { nvidiaProbe } from "../../../../src/agent/devices/nvidia/nvidia";
import {
  card,
  compiler,
  eightH100,
  GPU,
  LIBRARY_LINE,
  NvmlMachine,
  without,
  type Line,
} from "../../../support/devices/nvml";
import { cardsOf } from "../../../support/devices/rig";

const MIB = 2 ** 20;
const LIMITS = { first_ms: 30_000, later_ms: 30_000 };

describe.if(!("why" in compiler))(`NVML${without}`, () => {
  let machine: NvmlMachine;
  let probe: DeviceProbe;
  const seen = async (...lines: readonly Line[]): Promise<readonly Card[]> => {
    machine.tell([LIBRARY_LINE, ...lines]);
    return cardsOf(await probe.look());
  };
  const only = async (...lines: readonly Line[]): Promise<Card> => {
    const [first, ...more] = await seen(...lines);
    if (first === undefined || more.length > 0) throw new Error("it is not one card");
    return first;
  };

  beforeAll(async () => {
    machine = await NvmlMachine.make();
  });
  afterAll(() => machine.close());
  const fresh = (): void => {
    probe = nvidiaProbe(machine.site.places(), LIMITS);
  };
  afterEach(() => probe.close());

  test("a card is told with all that is known of it", async () => {
    fresh();
    machine.site.put({
      "sys/bus/pci/devices/0000:65:00.0/numa_node": 1,
      "sys/bus/pci/devices/0000:65:00.0/drm/card1/dev": "226:1",
      "sys/bus/pci/devices/0000:65:00.0/drm/renderD129/dev": "226:129",
    });
    const busy = { used: 20_480 * MIB, util: 97, temp: 71, power: 343_218, clock: 1_695, reasons: 0x4, errors: 2 };
    const found = await only(
      card(0, 0x65, "L40S", { ...busy, minor: 3, mode: 3 }),
      ["process", { card: 0, pid: 4_711, memory: 20_000 * MIB, kind: "compute" }],
      ["process", { card: 0, pid: 4_711, memory: 20_100 * MIB, kind: "graphics" }],
      ["process", { card: 0, pid: 900, kind: "graphics" }],
      ["process", { card: 0, pid: 5_000, memory: 30 * MIB, kind: "mps" }],
    );
    expect(found).toEqual({
      id: GPU(0),
      vendor: "nvidia",
      model: "NVIDIA L40S",
      memory_bytes: 46_068 * MIB,
      index: 0,
      visible: "0",
      pci: "0000:65:00.0",
      numa_node: 1,
      driver: "550.54.15",
      parent: null,
      split: false,
      links: [],
      compute_mode: "exclusive",
      ecc: true,
      files: ["/dev/nvidia3", "/dev/dri/card1", "/dev/dri/renderD129"],
      memory_used_bytes: 20_480 * MIB,
      utilization_percent: 97,
      temperature_celsius: 71,
      power_watts: 343.218,
      clock_mhz: 1_695,
      throttled: "power",
      ecc_errors: 2,
      processes: [
        { pid: 900, memory_bytes: null },
        { pid: 4_711, memory_bytes: 20_100 * MIB },
        { pid: 5_000, memory_bytes: 30 * MIB },
      ],
      warnings: [],
      trouble: null,
    });
  });

  test("what a simple card does not tell is null", async () => {
    fresh();
    const { memory_bytes, ecc, ecc_errors, split, throttled } = await only(card(0, 1, "RTX 3090"));
    expect({ memory_bytes, ecc, ecc_errors, split, throttled }).toEqual({
      memory_bytes: 24_576 * MIB,
      ecc: null,
      ecc_errors: null,
      split: false,
      throttled: null,
    });
  });

  const slowed = [
    [0x0, null],
    [0x1, null],
    [0x2, null],
    [0x4, "power"],
    [0x8, "thermal"],
    [0x10, null],
    [0x20, "thermal"],
    [0x48, "thermal"],
    [0x88, "power"],
    [0x44, "thermal"],
  ] as const;
  test("the reasons of a clock come to heat, power or nothing", async () => {
    fresh();
    const found: unknown[] = [];
    for (const [reasons] of slowed) found.push((await only(card(0, 1, "RTX 4090", { reasons }))).throttled);
    expect(found).toEqual(slowed.map(([, throttled]) => throttled));
  });

  test("warnings: memory to be put out of use, memory that could not be, a change of ECC that waits", async () => {
    fresh();
    expect((await only(card(0, 1, "A100", { remap: 1 }))).warnings).toEqual(["remap_pending"]);
    expect((await only(card(0, 1, "A100", { "remap-failed": 1 }))).warnings).toEqual(["remap_failed"]);
    const changed = await only(card(0, 1, "L40S", { ecc: 1, "ecc-next": 0 }));
    expect(changed).toMatchObject({ ecc: true, warnings: ["ecc_pending"], trouble: null });
  });

  test("cards of one fabric are linked with each other, unless the driver says that two are not", async () => {
    fresh();
    const cards = await seen(...eightH100().slice(1), ["p2p", { a: 0, b: 1, status: 5 }]);
    expect(cards.map(({ pci }) => pci?.slice(5, 7))).toEqual(["0f", "1b", "43", "52", "61", "9d", "c3", "d1"]);
    const linked = new Map(cards.map(({ id, links }) => [id, links.filter(({ kind }) => kind === "nvlink").length]));
    expect(linked.get(GPU(0))).toBe(6);
    expect(linked.get(GPU(1))).toBe(6);
    expect(linked.get(GPU(2))).toBe(7);
  });

  test("bridges, switches and sockets link those that they connect", async () => {
    fresh();
    const cards = await seen(
      ...[1, 2, 3, 4].map((bus, n) => card(n, bus, "RTX 3090")),
      ["nvlink", { a: 0, b: 1, links: 4 }],
      ["level", { a: 0, b: 1, is: 30 }],
      ["level", { a: 0, b: 2, is: 40 }],
      ["level", { a: 1, b: 2, is: 10 }],
      ["level", { a: 2, b: 3, is: 20 }],
    );
    expect(cards.map(({ links }) => links.map(({ id, kind }) => `${id.at(-1)} ${kind}`))).toEqual([
      ["1 nvlink", "2 socket"],
      ["0 nvlink", "2 switch"],
      ["0 socket", "1 switch", "3 switch"],
      ["2 switch"],
    ]);
  });

  const mig = (): Line[] => [
    card(0, 1, "A100", { mig: 1, minor: 2 }),
    card(1, 2, "A100"),
    [
      "part",
      { card: 0, uuid: "MIG-one", name: "NVIDIA A100-SXM4-80GB MIG 3g.40gb", total: 40_192 * MIB, gi: 1, ci: 0 },
    ],
    ["part", { card: 0, uuid: "MIG-two", name: "NVIDIA A100-SXM4-80GB MIG 1g.10gb", total: 9_728 * MIB, gi: 9, ci: 0 }],
    ["process", { card: 0, part: 1, pid: 77, memory: 1_000 * MIB, kind: "compute" }],
  ];
  test("a card in parts is told with its parts, each with its memory, processes and files", async () => {
    fresh();
    machine.site.put({
      "proc/driver/nvidia/capabilities/gpu2/mig/gi9/access": "DeviceFileMinor: 84\nDeviceFileMode: 292",
      "proc/driver/nvidia/capabilities/gpu2/mig/gi9/ci0/access": "DeviceFileMinor: 85\nDeviceFileMode: 292",
    });
    const [whole, one, two, other] = await seen(...mig());
    expect(whole).toMatchObject({ id: GPU(0), split: true, parent: null, index: 0 });
    expect(one).toMatchObject({ id: "MIG-one", memory_bytes: 40_192 * MIB, parent: GPU(0), files: ["/dev/nvidia2"] });
    expect(two).toMatchObject({
      id: "MIG-two",
      model: "NVIDIA A100-SXM4-80GB MIG 1g.10gb",
      visible: "MIG-two",
      index: 0,
      memory_bytes: 9_728 * MIB,
      files: ["/dev/nvidia2", "/dev/nvidia-caps/nvidia-cap84", "/dev/nvidia-caps/nvidia-cap85"],
      processes: [{ pid: 77, memory_bytes: 1_000 * MIB }],
      ecc: true,
    });
    expect(other).toMatchObject({ id: GPU(1), split: false, index: 1 });
  });

  test("a card without memory of its own has three quarters of the machine's", async () => {
    fresh();
    machine.site.put({ "proc/meminfo": "MemTotal:       125000000 kB\nMemFree: 1 kB" });
    const lines = card(0, 1, "GB10");
    const found = await only(
      lines,
      ["error", { call: "nvmlDeviceGetMemoryInfo_v2", code: 3 }],
      ["error", { call: "nvmlDeviceGetMemoryInfo", code: 3 }],
    );
    expect(found).toMatchObject({ memory_bytes: 93_750_000 * 1024, memory_used_bytes: null, trouble: null });
  });

  test("a card that fell off the bus is told with its trouble, last facts and parts, others as ever", async () => {
    fresh();
    const before = await seen(...mig());
    const lost = await seen(...mig(), ["error", { call: "nvmlDeviceGetHandleByIndex_v2", card: 0, code: 15 }]);
    expect(lost.map(({ id, index, trouble }) => [id, index, trouble])).toEqual([
      [GPU(0), 0, { is: "bus_lost", why: "it has fallen off the bus" }],
      ["MIG-one", 0, { is: "bus_lost", why: "it has fallen off the bus" }],
      ["MIG-two", 0, { is: "bus_lost", why: "it has fallen off the bus" }],
      [GPU(1), 1, null],
    ]);
    expect(lost[0]).toMatchObject({ model: "NVIDIA A100-SXM4-80GB", memory_bytes: 81_920 * MIB, power_watts: null });
    expect(lost[2]).toMatchObject({ processes: [], memory_used_bytes: null });
    expect(await seen(...mig())).toEqual([...before]);
  });

  test("so is one that any call says is lost, also to a probe that never saw it well", async () => {
    fresh();
    const lines = [card(0, 1, "A100"), card(1, 2, "A100"), card(2, 3, "A100")];
    machine.tell([LIBRARY_LINE, ...lines, ["error", { call: "nvmlDeviceGetClockInfo", card: 1, code: 15 }]]);
    const look = await probe.look();
    expect(cardsOf(look).map(({ id, index }) => [id, index])).toEqual([
      [GPU(0), 0],
      [GPU(2), 2],
    ]);
    expect(look).toMatchObject({ unknown: ["card 1 (0000:02:00.0): it has fallen off the bus"] });
    await seen(...lines);
    const [, lost] = await seen(...lines, ["error", { call: "nvmlDeviceGetClockInfo", card: 1, code: 16 }]);
    expect(lost).toMatchObject({ id: GPU(1), index: 1, trouble: { is: "needs_reset", why: "it needs a reset" } });
  });

  test("a card that is not counted any more is not told, the others close up, and lost it is known again", async () => {
    fresh();
    await seen(card(0, 1, "A100"), card(1, 2, "A100"));
    const cards = await seen(card(1, 2, "A100"));
    expect(cards.map(({ id, index, visible }) => [id, index, visible])).toEqual([[GPU(1), 0, "0"]]);
    const back = await seen(card(0, 1, "A100"), card(1, 2, "A100"), [
      "error",
      { call: "nvmlDeviceGetUUID", card: 0, code: 15 },
    ]);
    expect(back.map(({ id, index, trouble }) => [id, index, trouble])).toEqual([
      [GPU(0), 0, { is: "bus_lost", why: "it has fallen off the bus" }],
      [GPU(1), 1, null],
    ]);
  });

  test("parts that were taken away are not missed", async () => {
    fresh();
    expect(await seen(...mig())).toHaveLength(4);
    const [whole, other, ...more] = await seen(card(0, 1, "A100", { mig: 1 }), card(1, 2, "A100"));
    expect([whole?.split, other?.split, more]).toEqual([true, false, []]);
  });

  test("a sensor that fails says nothing of the card", async () => {
    fresh();
    const found = await only(card(0, 1, "RTX 4090"), ["error", { call: "nvmlDeviceGetPowerUsage", code: 999 }]);
    expect(found).toMatchObject({ power_watts: null, temperature_celsius: 34, trouble: null });
  });

  test("a driver that is not loaded yet is a failure only where a card is plugged in, and heals", async () => {
    fresh();
    machine.tell([["library", { init: 9 }]]);
    expect(await probe.look()).toEqual({ is: "none" });
    machine.site.put({
      "sys/bus/pci/devices/0000:65:00.0/vendor": "0x10de",
      "sys/bus/pci/devices/0000:65:00.0/class": "0x030200",
    });
    expect(await probe.look()).toEqual({ is: "failed", why: "NVML: the driver is not loaded" });
    expect(await seen(card(0, 0x65, "H100"))).toHaveLength(1);
    machine.site.drop("sys/bus/pci");
  });

  test("a library of another version than the driver is loaded anew", async () => {
    const [machine, other] = await Promise.all([NvmlMachine.make(), NvmlMachine.make("old")]);
    probe = nvidiaProbe(machine.site.places(), LIMITS);
    machine.tell([["library", { init: 18 }]]);
    expect(await probe.look()).toMatchObject({ is: "failed", why: expect.stringContaining("different versions") });
    // As an upgrade does it: another file takes the place of the one that is loaded.
    rmSync(machine.library);
    copyFileSync(other.library, machine.library);
    machine.tell([LIBRARY_LINE, card(0, 1, "A100")]);
    // The old library has only the first form of this, which counts what is reserved as used.
    expect(cardsOf(await probe.look())).toMatchObject([{ memory_used_bytes: 774 * MIB }]);
    await Promise.all([machine.close(), other.close()]);
  });

  test("all processes are told, however many there are", async () => {
    fresh();
    const many = Array.from({ length: 300 }, (_, n): Line => ["process", { card: 0, pid: 1_000 + n, memory: 1 + n }]);
    const { processes } = await only(card(0, 1, "A100"), ...many);
    expect(processes).toHaveLength(300);
    expect(processes.at(-1)).toEqual({ pid: 1_299, memory_bytes: 300 });
  });

  test("a driver that goes away in between is asked again", async () => {
    fresh();
    await seen(card(0, 1, "H100"));
    machine.also(["error", { call: "nvmlDeviceGetCount_v2", code: 1 }]);
    expect(await probe.look()).toMatchObject({ is: "failed" });
    expect(await seen(card(0, 1, "H100"))).toHaveLength(1);
  });

  test("a library in a place of its own is found by the linker's list", async () => {
    const odd = await NvmlMachine.make();
    odd.tell([LIBRARY_LINE, card(0, 1, "A100")]);
    for (const name of ["", ".state"]) {
      odd.site.put({ [`opt/odd/libnvidia-ml.so.1${name}`]: "" });
      copyFileSync(`${odd.library}${name}`, `${odd.site.root}/opt/odd/libnvidia-ml.so.1${name}`);
    }
    odd.site.drop("usr/lib64");
    const paths = ["/usr/lib/i386-linux-gnu/libnvidia-ml.so.1", "/opt/odd/libnvidia-ml.so.1", "/lib/libc.so.6"];
    odd.site.put({ "etc/ld.so.cache": `glibc-ld.so.cache1.1\0${paths.join("\0")}\0` });
    probe = nvidiaProbe(odd.site.places(), LIMITS);
    expect(cardsOf(await probe.look())).toHaveLength(1);
    await odd.close();
  });

  test("without library and tool the driver's cards cannot be seen, and that is said", async () => {
    const bare = await NvmlMachine.make();
    bare.site.drop("usr");
    probe = nvidiaProbe(bare.site.places(), LIMITS);
    expect(await probe.look()).toEqual({
      is: "failed",
      why: "NVML: the library is in none of its usual places, and there is no nvidia-smi",
    });
    await bare.close();
  });

  test("an old library tells less, and no less well", async () => {
    const old = await NvmlMachine.make("old");
    probe = nvidiaProbe(old.site.places(), LIMITS);
    const [one, other] = [card(0, 1, "A100", { reasons: 0x20, pages: 1 }), card(1, 2, "A100")];
    old.tell([LIBRARY_LINE, one, other, ["nvlink", { a: 0, b: 1 }], ["process", { card: 0, pid: 5, memory: 9 }]]);
    expect(cardsOf(await probe.look())[0]).toMatchObject({
      memory_used_bytes: 774 * MIB,
      throttled: "thermal",
      warnings: ["remap_pending"],
      split: false,
      links: [{ id: GPU(1), kind: "nvlink" }],
      processes: [{ pid: 5, memory_bytes: 9 }],
    });
    await old.close();
  });
});
