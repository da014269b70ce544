// What every vendor's probe owes the agent: whatever library, tool or driver stands behind it, a look ends in time,
// never throws, and tells cards that can be counted on; where there is nothing it costs nothing.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { Card, DeviceProbe, DeviceLook, LookLimits } from "../../src/agent/devices/device";
import { findProbes } from "../../src/agent/cards/probes";
import type { Gauges } from "../../src/core/model/device";
import { processes } from "../support/processes";
import { rocmRig, xpuRig } from "../support/devices/alone";
import { amdRig } from "../support/devices/amd";
import { appleRig } from "../support/devices/apple";
import { intelRig } from "../support/devices/intel";
import { nvmlRig, without } from "../support/devices/nvml";
import { smiRig } from "../support/devices/nvidia-smi";
import { cardsOf, Site, type Rig } from "../support/devices/rig";
import { waitUntil } from "../support/wait";

/** Wide, since other tests run beside these ones; what hangs is given less. */
const PATIENT: LookLimits = { first_ms: 30_000, later_ms: 30_000 };
const QUICK_MS = 700;
/** How much later than its limit a look may end on a busy machine. */
const SLACK_MS = 6_000;

/** What a card may show, and between which values that lies: from the first, below the second. */
const GAUGES = {
  memory_used_bytes: [0, 2 ** 40],
  utilization_percent: [0, 101],
  temperature_celsius: [1, 150],
  power_watts: [1, 2_000],
  clock_mhz: [1, 10_000],
} as const satisfies Partial<Record<keyof Gauges, readonly [number, number]>>;
type Gauge = keyof typeof GAUGES;

/** How many of a rig's cards, parts included, have each of these. */
type Shown = Readonly<Record<Gauge | "links" | "parts" | "files" | "processes", number>>;
const shown = (part: Partial<Shown>): Shown => ({
  memory_used_bytes: 0,
  utilization_percent: 0,
  temperature_celsius: 0,
  power_watts: 0,
  clock_mhz: 0,
  links: 0,
  parts: 0,
  files: 0,
  processes: 0,
  ...part,
});
/** All gauges of so many cards. */
const all = (cards: number): Partial<Shown> => ({
  memory_used_bytes: cards,
  utilization_percent: cards,
  temperature_celsius: cards,
  power_watts: cards,
  clock_mhz: cards,
});

const rigs: readonly (readonly [name: string, make: () => Promise<Rig>, skipped: string, has: Shown])[] = [
  ["NVML", nvmlRig, without, shown({ ...all(8), links: 8, parts: 2, files: 10, processes: 2 })],
  ["nvidia-smi", smiRig, "", shown({ ...all(4), links: 3, files: 4, processes: 1 })],
  ["amdgpu", amdRig, "", shown({ ...all(4), links: 3, files: 4, processes: 2 })],
  ["rocm-smi", rocmRig, "", shown({ ...all(3), clock_mhz: 0 })],
  [
    "i915 and xe",
    intelRig,
    "",
    shown({ memory_used_bytes: 3, temperature_celsius: 2, clock_mhz: 3, links: 3, files: 3, processes: 1 }),
  ],
  ["xpu-smi", xpuRig, "", shown({})],
  ["system_profiler", appleRig, "", shown({})],
];

const opened: DeviceProbe[] = [];

function open(rig: Rig, limits = PATIENT): DeviceProbe {
  const probe = findProbes(rig.places, limits).find(({ vendor }) => vendor === rig.vendor);
  if (probe === undefined) throw new Error(`there is no probe of ${rig.vendor}`);
  opened.push(probe);
  return probe;
}

afterAll(() => {
  for (const probe of opened) probe.close();
});

const whole = (cards: readonly Card[]): readonly Card[] => cards.filter(({ parent }) => parent === null);

/** Children of this test that ask a library or run a tool. */
const children = (): number[] =>
  processes()
    .filter(({ ppid, state }) => ppid === process.pid && state !== "Z")
    .map(({ pid }) => pid);

for (const [name, make, skipped, has] of rigs) {
  describe.if(skipped === "")(`${name}${skipped}`, () => {
    let rig: Rig;
    beforeAll(async () => {
      rig = await make();
    });
    beforeEach(() => rig.fill());
    afterAll(() => rig.close());

    test("cards have an id of their own, memory, and their place on the bus", async () => {
      const cards = cardsOf(await open(rig).look());
      expect(whole(cards)).toHaveLength(rig.cards);
      expect(new Set(cards.map(({ id }) => id)).size).toBe(cards.length);
      expect(cards.filter(({ vendor }) => vendor !== rig.vendor)).toEqual([]);
      expect(cards.filter(({ memory_bytes }) => memory_bytes < 2 ** 30)).toEqual([]);
      expect(cards.filter(({ model }) => model.trim() === "")).toEqual([]);
      expect(whole(cards).map(({ index }) => index)).toEqual(Array.from({ length: rig.cards }, (_, n) => n));
      const addresses = whole(cards).flatMap(({ pci }) => pci ?? []);
      expect(addresses).toEqual(addresses.toSorted());
      for (const pci of addresses) expect(pci).toMatch(/^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f]$/);
    });

    test("links are told by both ends, and parts by the card that they are of", async () => {
      const cards = cardsOf(await open(rig).look());
      const byId = new Map(cards.map((card) => [card.id, card]));
      const parts = cards.filter(({ parent }) => parent !== null);
      expect([parts.length, cards.filter(({ links }) => links.length > 0).length]).toEqual([has.parts, has.links]);
      for (const card of cards) {
        expect(card.links.map(({ id }) => id)).not.toContain(card.id);
        for (const { id, kind } of card.links) expect(byId.get(id)?.links).toContainEqual({ id: card.id, kind });
      }
      for (const { parent, index } of parts) {
        expect(byId.get(parent!)).toMatchObject({ parent: null, split: true, index });
      }
    });

    test("values are told where the card shows them, and are what they can be; files are absolute", async () => {
      const cards = cardsOf(await open(rig).look());
      for (const [gauge, [from, below]] of Object.entries(GAUGES) as [Gauge, readonly [number, number]][]) {
        const values = whole(cards).flatMap((card) => card[gauge] ?? []);
        expect([gauge, values.length]).toEqual([gauge, has[gauge]]);
        for (const value of values) expect(value, gauge).toBeWithin(from, below);
      }
      const withFiles = cards.filter(({ files }) => files.length > 0);
      const withProcesses = cards.filter(({ processes }) => processes.length > 0);
      expect([withFiles.length, withProcesses.length]).toEqual([has.files, has.processes]);
      for (const { files } of withFiles) for (const file of files) expect(file).toStartWith("/dev/");
      for (const { pid, memory_bytes } of withProcesses.flatMap(({ processes }) => processes)) {
        expect(pid).toBeGreaterThan(0);
        expect(memory_bytes).toBeGreaterThan(0);
      }
      for (const { trouble, memory_used_bytes, memory_bytes } of cards) {
        expect(trouble).toBeNull();
        expect(Number(memory_used_bytes)).toBeLessThanOrEqual(memory_bytes);
      }
    });

    test("a card is the same card in the next look, and to another agent", async () => {
      const probe = open(rig);
      const facts = (look: DeviceLook) => cardsOf(look).map(({ id, model, pci, index }) => ({ id, model, pci, index }));
      const first = facts(await probe.look());
      expect(facts(await probe.look())).toEqual(first);
      expect(facts(await open(rig).look())).toEqual(first);
    });

    test("two looks at once are one", async () => {
      const probe = open(rig);
      const [one, other] = await Promise.all([probe.look(), probe.look()]);
      expect(other).toBe(one);
    });

    test("what was closed looks again when it is asked to", async () => {
      const probe = open(rig);
      const before = cardsOf(await probe.look());
      probe.close();
      expect(cardsOf(await probe.look()).map(({ id }) => id)).toEqual(before.map(({ id }) => id));
    });

    test("a call that hangs ends as a failure in time, and the next look works", async () => {
      const works = (probe: DeviceProbe) =>
        waitUntil("a look that works", async () => whole(cardsOf(await probe.look())).map(({ id }) => id), 60_000);
      const limits = { first_ms: rig.remembers ? QUICK_MS : PATIENT.first_ms, later_ms: QUICK_MS };
      const probe = open(rig, limits);
      // Before the first look, where there is no other that would ask anything.
      if (!rig.remembers) await works(probe);
      rig.hang();
      const started = performance.now();
      const look = await probe.look();
      expect(performance.now() - started).toBeLessThan(QUICK_MS + SLACK_MS);
      expect(look).toMatchObject({ is: "failed", why: expect.stringMatching(/within \d+ ms/) });
      rig.fill();
      expect(await works(probe)).toHaveLength(rig.cards);
    });

    test("what makes no sense is no exception, and leaves the next look alone", async () => {
      const probe = open(rig);
      rig.garble();
      const look = await probe.look();
      expect(look.is === "seen" ? look.cards : []).toEqual([]);
      rig.fill();
      expect(whole(cardsOf(await probe.look()))).toHaveLength(rig.cards);
    });

    test("after its close nothing of it runs", async () => {
      const probe = open(rig);
      const before = new Set(children());
      await probe.look();
      probe.close();
      await waitUntil("its processes to end", () => children().every((pid) => before.has(pid)));
    });
  });
}

describe("a machine without cards", () => {
  let site: Site;
  beforeAll(async () => {
    site = await Site.make();
    site.put({ "sys/class/drm/version": "drm 1.1.0 20060810", "proc/meminfo": "MemTotal: 1000 kB" });
  });
  afterAll(() => site.close());

  test("has no probe, and finding that out takes no time", () => {
    const rounds = 100;
    const before = process.cpuUsage();
    for (let n = 0; n < rounds; n++) expect(findProbes(site.places(), PATIENT)).toEqual([]);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000 / rounds).toBeLessThan(5);
  });

  for (const [name, make, skipped] of rigs) {
    test.if(skipped === "")(
      `whose cards and driver went away has none, and starts nothing: ${name}${skipped}`,
      async () => {
        const rig = await make();
        rig.fill();
        const probe = open(rig);
        await rig.close();
        const before = new Set(children());
        const look = await probe.look();
        // A tool that a person has named and that is gone is worth a word.
        expect(look.is).toBe(rig.named ? "failed" : "none");
        expect(children().filter((pid) => !before.has(pid))).toEqual([]);
      },
    );
  }
});
