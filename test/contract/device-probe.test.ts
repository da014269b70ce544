// What every vendor's probe owes the agent: whatever library, tool or driver stands behind it, a look ends in time,
// never throws, and tells cards that can be counted on; where there is nothing it costs nothing.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { Card, DeviceProbe, DeviceLook, LookLimits } from "../../src/agent/devices/device";
import { findProbes } from "../../src/agent/cards/probes";
import { processes } from "../support/processes";
import { rocmRig, xpuRig } from "../support/devices/alone";
import { amdRig } from "../support/devices/amd";
import { appleRig } from "../support/devices/apple";
import { intelRig } from "../support/devices/intel";
import { nvmlRig, without } from "../support/devices/nvml";
import { smiRig } from "../support/devices/nvidia-smi";
import { Site, type Rig } from "../support/devices/rig";
import { waitUntil } from "../support/wait";

/** Wide, since other tests run beside these ones; what hangs is given less. */
const PATIENT: LookLimits = { first_ms: 30_000, later_ms: 30_000 };
const QUICK_MS = 700;
/** How much later than its limit a look may end on a busy machine. */
const SLACK_MS = 6_000;

const rigs: readonly (readonly [name: string, make: () => Promise<Rig>, skipped: string])[] = [
  ["NVML", nvmlRig, without],
  ["nvidia-smi", smiRig, ""],
  ["amdgpu", amdRig, ""],
  ["rocm-smi", rocmRig, ""],
  ["i915 and xe", intelRig, ""],
  ["xpu-smi", xpuRig, ""],
  ["system_profiler", appleRig, ""],
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

function cardsOf(look: DeviceLook): readonly Card[] {
  if (look.is !== "seen") throw new Error(`nothing was seen: ${JSON.stringify(look)}`);
  return look.cards;
}

const whole = (cards: readonly Card[]): readonly Card[] => cards.filter(({ parent }) => parent === null);

/** Children of this test that ask a library or run a tool. */
const children = (): number[] =>
  processes()
    .filter(({ ppid, state }) => ppid === process.pid && state !== "Z")
    .map(({ pid }) => pid);

for (const [name, make, skipped] of rigs) {
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
      for (const card of cards) {
        expect(card.links.map(({ id }) => id)).not.toContain(card.id);
        for (const { id, kind } of card.links) expect(byId.get(id)?.links).toContainEqual({ id: card.id, kind });
        if (card.parent === null) continue;
        expect(byId.get(card.parent)).toMatchObject({ parent: null, split: true, index: card.index });
      }
    });

    test("values are what they can be, and files are absolute", async () => {
      for (const card of cardsOf(await open(rig).look())) {
        expect(card.trouble).toBeNull();
        expect(card.memory_used_bytes ?? 0).toBeLessThanOrEqual(card.memory_bytes);
        expect(card.utilization_percent ?? 0).toBeWithin(0, 101);
        expect(card.temperature_celsius ?? 40).toBeWithin(1, 150);
        expect(card.power_watts ?? 1).toBeWithin(0, 2_000);
        expect(card.clock_mhz ?? 1).toBeWithin(0, 10_000);
        for (const file of card.files) expect(file).toStartWith("/dev/");
        for (const { pid, memory_bytes } of card.processes) {
          expect(pid).toBeGreaterThan(0);
          expect(memory_bytes ?? 0).toBeGreaterThanOrEqual(0);
        }
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
        if (rig.named) expect(look.is).toBe("failed");
        else expect(look).toEqual({ is: "none" });
        expect(children().filter((pid) => !before.has(pid))).toEqual([]);
      },
    );
  }
});
