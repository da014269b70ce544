// Which cards a request gets: what of them is free, and which of the free ones are best.

import { describe, expect, test } from "bun:test";
import { APART, cardsOf, refusalOf, type CardRefusal } from "../../../src/core/cards/node-cards";
import type { Device, LinkKind } from "../../../src/core/model/device";
import { pick } from "../../../src/core/cards/pick";
import { freeOf, take, type Free } from "../../../src/core/model/resources";
import { GIB, MIB } from "../../../src/core/units";
import type { GpuRequest } from "../../../src/core/model/workload";
import { buildDevice, buildGpu, buildNode, buildPromised } from "../../support/build";
import { diceOf } from "../../support/random";

const card = (id: string, gb: number, model = "A100", more: Partial<Device> = {}): Device =>
  buildDevice(id, { model, memory_bytes: gb * GIB, ...more });

/** `link nvlink` between each of some cards. */
function linked(devices: readonly Device[], ...groups: [kind: LinkKind, ...ids: string[]][]): Device[] {
  return devices.map((device) => ({
    ...device,
    links: groups
      .filter(([, ...ids]) => ids.includes(device.id))
      .flatMap(([kind, ...ids]) => ids.filter((id) => id !== device.id).map((id) => ({ id, kind }))),
  }));
}

/** What is free once some cards are held: `a` whole, `a@8` for 8 GiB of it. */
function freeAfter(...held: string[]): Free {
  const free = freeOf(buildNode("n").capacity);
  for (const text of held) {
    const [id = "", gb] = text.split("@");
    take(free, buildPromised({ devices: [{ id, bytes: gb === undefined ? null : Number(gb) * GIB }] }));
  }
  return free;
}

const ids = (request: Partial<GpuRequest>, devices: readonly Device[], ...held: string[]): string[] | null =>
  pick(buildGpu(request), cardsOf(devices), freeAfter(...held))?.cards.map((each) => each.card.device.id) ?? null;

describe("what keeps a card from being given", () => {
  const whole = null;
  const share = 8 * GIB;
  const cases: [what: string, card: Partial<Device>, need: number | null, held: string[], why: CardRefusal | null][] = [
    ["a free card", {}, whole, [], null],
    ["a free card, shared", {}, share, [], null],
    ["one that is held", {}, whole, ["x"], "held"],
    ["one that is held, shared", {}, share, ["x"], "held"],
    ["one that is shared, whole", {}, whole, ["x@1"], "held"],
    ["one with room beside a share", {}, share, ["x@16"], null],
    ["one without room beside its shares", {}, share, ["x@8", "x@9"], "held"],
    ["an X server's, whole", { foreign_bytes: 512 * MIB }, whole, [], null],
    ["one that others use, whole", { foreign_bytes: 768 * MIB }, whole, [], "foreign"],
    ["one with room beside others", { foreign_bytes: 16 * GIB }, share, [], null],
    ["one without room beside others", { foreign_bytes: 16 * GIB + 1 }, share, [], "foreign"],
    ["one without room beside both", { foreign_bytes: 9 * GIB }, share, ["x@8"], "foreign"],
    ["a dirty one", { state: "dirty" }, whole, [], "dirty"],
    ["a quarantined one", { state: "quarantined" }, share, [], "quarantined"],
    ["one that is missing and held", { state: "missing" }, whole, ["x"], "missing"],
    ["a prohibited one", { compute_mode: "prohibited" }, whole, [], "prohibited"],
    ["an exclusive one, whole", { compute_mode: "exclusive" }, whole, [], null],
    ["an exclusive one, shared", { compute_mode: "exclusive" }, share, [], "exclusive"],
  ];
  for (const [what, more, need, held, why] of cases) {
    test(`${what}: ${why ?? "nothing"}`, () => {
      const [one] = cardsOf([card("x", 24, "A100", more)]).list;
      expect(one === undefined ? "no card" : refusalOf(one, need, freeAfter(...held))).toBe(why);
    });
  }

  test("a part has the trouble of its card, but not its dirt", () => {
    const troubles = (["ok", "dirty", "quarantined", "missing"] as const).map((state) => {
      const [part] = cardsOf([card("x", 80, "A100", { state }), card("x/1", 10, "MIG 1g.10gb", { parent: "x" })]).list;
      return part?.trouble;
    });
    expect(troubles).toEqual([null, null, "quarantined", "missing"]);
  });

  test("whoever holds a card holds its parts, and the other way round", () => {
    const parent = card("x", 80);
    const parts = [1, 2].map((n) => card(`x/${n}`, 10, "MIG 1g.10gb", { parent: "x" }));
    const [first, second] = cardsOf([parent, ...parts]).list;
    expect(refusalOf(first!, null, freeAfter("x"))).toBe("held");
    expect(refusalOf(second!, null, freeAfter("x/1"))).toBeNull();
    // The parts were made one card again while a task still has one of them.
    const gone = parts.map((part): Device => ({ ...part, state: "missing" }));
    const [whole] = cardsOf([parent, ...gone]).list;
    expect(whole!.device.id).toBe("x");
    expect(refusalOf(whole!, null, freeAfter("x/1"))).toBe("held");
  });
});

describe("the best of the free cards", () => {
  const mixed = [card("c", 80, "H100"), card("b", 24), card("a", 24), card("d", 16, "T4")];

  test("the smallest that do are taken, of one model where one has enough", () => {
    expect(ids({}, mixed)).toEqual(["d"]);
    expect(ids({ count: 2 }, mixed)).toEqual(["a", "b"]);
    expect(ids({ count: 3 }, mixed)).toEqual(["d", "a", "b"]);
    expect(ids({ count: 5 }, mixed)).toBeNull();
    expect(ids({ models: ["H100", "T4"], memory_min_bytes: 24 * GIB }, mixed)).toEqual(["c"]);
    expect(ids({}, mixed, "d", "a")).toEqual(["b"]);
  });
  test("sizes are those that are sold: a card that shows less for its ECC is not the smaller one", () => {
    const devices = [
      buildDevice("b", { memory_bytes: 24_564 * MIB, index: 0 }),
      buildDevice("a", { memory_bytes: 23_028 * MIB, index: 1 }),
    ];
    expect(ids({}, linked(devices, ["nvlink", "a", "x"]))).toEqual(["a"]);
    expect(ids({}, linked([...devices, card("c", 24)], ["nvlink", "a", "c"]))).toEqual(["b"]);
  });

  test("shares go where shares are, then where others are, then on the smallest", () => {
    const devices = [card("big", 80), card("small", 16), card("used", 24, "A100", { foreign_bytes: 2 * GIB })];
    expect(ids({ share_bytes: 4 * GIB }, devices)).toEqual(["used"]);
    expect(ids({ share_bytes: 4 * GIB }, devices, "used")).toEqual(["small"]);
    expect(ids({ share_bytes: 4 * GIB }, devices, "big@8")).toEqual(["big"]);
    expect(ids({ share_bytes: 4 * GIB }, devices, "big@8", "small@8")).toEqual(["small"]);
    expect(ids({ share_bytes: 10 * GIB }, devices, "big@8", "small@8")).toEqual(["big"]);
    expect(ids({ share_bytes: 4 * GIB, count: 2 }, devices, "big@8")).toEqual(["big", "used"]);
    expect(ids({ share_bytes: 4 * GIB, count: 4 }, devices)).toBeNull();
    expect(ids({ share_bytes: 60 * GIB, models: ["A100"] }, devices, "big@40")).toBeNull();
  });
});

describe("connected cards", () => {
  const eight = Array.from({ length: 8 }, (_, n) => card(`${n}`, 80, "H100"));
  const pairs = linked(
    eight,
    ["nvlink", "0", "4"],
    ["nvlink", "1", "5"],
    ["switch", "0", "1"],
    ["switch", "4", "5"],
    ["socket", "2", "3", "6", "7"],
  );

  test("are preferred where several are asked for, the tightest first", () => {
    expect(ids({ count: 2 }, pairs)).toEqual(["0", "4"]);
    expect(ids({ count: 2 }, pairs, "0")).toEqual(["1", "5"]);
    expect(ids({ count: 2 }, pairs, "0", "1")).toEqual(["4", "5"]);
    expect(ids({ count: 2 }, pairs, "0", "1", "4")).toEqual(["2", "3"]);
    expect(ids({ count: 4 }, pairs)?.toSorted()).toEqual(["0", "1", "4", "5"]);
    expect(ids({ count: 3 }, pairs, "0", "1")).toEqual(["2", "3", "6"]);
    // No group has five: they come from the fewest groups.
    expect(ids({ count: 5 }, pairs)).toHaveLength(5);
  });
  test("are not taken for a bigger size than does", () => {
    const devices = linked([card("a", 80), card("b", 80), card("c", 24), card("d", 24)], ["nvlink", "a", "b"]);
    expect(ids({ count: 2 }, devices)).toEqual(["c", "d"]);
    expect(ids({ count: 2, linked: "demanded" }, devices)).toEqual(["a", "b"]);
  });
  test("decide between models of one size", () => {
    const devices = linked(
      [card("a", 24, "RTX 4090"), card("b", 24, "RTX 4090"), card("c", 24, "RTX 3090"), card("d", 24, "RTX 3090")],
      ["nvlink", "c", "d"],
    );
    expect(ids({ count: 2 }, devices)).toEqual(["c", "d"]);
    expect(ids({ count: 2, linked: "ignored" }, devices)).toEqual(["a", "b"]);
    expect(ids({}, devices)).toEqual(["a"]);
  });
  test("are demanded or nothing is given", () => {
    expect(ids({ count: 2, linked: "demanded" }, eight)).toBeNull();
    expect(ids({ count: 2 }, eight)).toEqual(["0", "1"]);
    expect(ids({ count: 5, linked: "demanded" }, pairs)).toBeNull();
    expect(ids({ count: 2, linked: "demanded" }, pairs, "0", "1", "2", "3")).toEqual(["4", "5"]);
    expect(ids({ count: 2, linked: "demanded" }, pairs, "0", "5", "2", "3")).toEqual(["6", "7"]);
    expect(ids({ count: 2, linked: "demanded" }, pairs, "0", "5", "2", "3", "6")).toBeNull();
  });
  test("through a third that is taken are not connected", () => {
    const chain = linked(eight.slice(0, 3), ["nvlink", "0", "1"], ["nvlink", "1", "2"]);
    expect(ids({ count: 3, linked: "demanded" }, chain)?.toSorted()).toEqual(["0", "1", "2"]);
    expect(ids({ count: 2, linked: "demanded" }, chain, "1")).toBeNull();
  });
  test("come from the smallest group that has enough, from a broken one before a whole one", () => {
    const devices = linked(
      Array.from({ length: 11 }, (_, n) => card(`${n}`.padStart(2, "0"), 40)),
      ["nvlink", "00", "01", "02", "03"],
      ["nvlink", "04", "05", "06"],
      ["nvlink", "07", "08", "09"],
    );
    expect(ids({ count: 2 }, devices)).toEqual(["04", "05"]);
    expect(ids({ count: 2 }, devices, "08")).toEqual(["07", "09"]);
    expect(ids({ count: 3 }, devices, "00")).toEqual(["01", "02", "03"]);
    // A single card comes from no group, then from one that is broken, then from the smallest.
    expect(ids({}, devices)).toEqual(["10"]);
    expect(ids({}, devices, "10", "02")).toEqual(["00"]);
    expect(ids({}, devices, "10")).toEqual(["04"]);
    // What must not be connected uses up what is broken.
    expect(ids({ count: 3, linked: "ignored" }, devices)).toEqual(["10", "04", "05"]);
  });
  test("a pick says how tight it is and what it breaks", () => {
    const look = (request: Partial<GpuRequest>, ...held: string[]): number[] => {
      const found = pick(buildGpu(request), cardsOf(pairs), freeAfter(...held));
      return [found?.tightness ?? -1, found?.breaks ?? -1];
    };
    expect(look({ count: 2 })).toEqual([0, 1]);
    expect(look({ count: 4 })).toEqual([1, APART]);
    expect(look({ count: 2 }, "0", "1", "4")).toEqual([2, 2]);
    expect(look({}, "0")).toEqual([APART, APART]);
    expect(look({ count: 5 })[0]).toBe(APART);
  });
});

describe("every pick", () => {
  /** Cards, links, uses and promises by chance. */
  function scene(seed: number): { devices: Device[]; free: Free; request: GpuRequest } {
    const dice = diceOf(seed);
    const n = 1 + dice.below(9);
    const kinds = ["nvlink", "switch", "socket"] as const;
    const devices = Array.from({ length: n }, (_, at) =>
      card(`${at}`, dice.pick([16, 24, 80]), dice.pick(["T4", "A100"]), {
        foreign_bytes: dice.chance(0.2) ? dice.below(20) * GIB : 0,
        state: dice.chance(0.1) ? "dirty" : "ok",
        links: Array.from({ length: n }, (_each, id) => ({ id: `${id}`, kind: dice.pick(kinds) })).filter(
          ({ id }) => id !== `${at}` && dice.chance(0.3),
        ),
      }),
    );
    const held = devices.flatMap(({ id }) =>
      dice.chance(0.3) ? [dice.chance(0.5) ? id : `${id}@${1 + dice.below(9)}`] : [],
    );
    const request = buildGpu({
      count: 1 + dice.below(4),
      models: dice.chance(0.2) ? ["A100"] : [],
      memory_min_bytes: dice.chance(0.3) ? 24 * GIB : null,
      ...(dice.chance(0.4) ? { share_bytes: (1 + dice.below(12)) * GIB } : {}),
      ...(dice.chance(0.5) ? { linked: dice.pick(["demanded", "ignored"] as const) } : {}),
    });
    return { devices, free: freeAfter(...held), request };
  }

  test("gives as many different cards as were asked for, all of which may be given", () => {
    let picked = 0;
    const [loose, large]: [string[], string[]] = [[], []];
    let [linked, alone] = [0, 0];
    for (let seed = 1; seed <= 3_000; seed++) {
      const { devices, free, request } = scene(seed);
      const cards = cardsOf(devices);
      const found = pick(request, cards, free);
      const open = cards.list.filter(
        (each) =>
          (request.models.length === 0 || each.device.model === "A100") &&
          each.device.memory_bytes >= (request.memory_min_bytes ?? 0) &&
          each.device.memory_bytes >= (request.share_bytes ?? 0) &&
          refusalOf(each, request.share_bytes ?? null, free) === null,
      );
      const what = `seed ${seed}`;
      if (found === null) {
        expect(open.length < request.count || (request.linked === "demanded" && request.count > 1), what).toBe(true);
        continue;
      }
      picked++;
      const chosen = found.cards.map((each) => each.card);
      expect(new Set(chosen).size, what).toBe(request.count);
      for (const each of chosen) expect(open, what).toContain(each);
      if (request.linked === "demanded" && request.count > 1) {
        linked++;
        if (found.tightness >= APART) loose.push(what);
      }
      if (request.count === 1 && request.share_bytes === undefined) {
        alone++;
        if (chosen[0]?.class_gb !== Math.min(...open.map((each) => each.class_gb))) large.push(what);
      }
    }
    expect({ loose, large }).toEqual({ loose: [], large: [] });
    for (const count of [picked / 10, linked, alone]) expect(count).toBeGreaterThan(100);
  });
  test("is the same whatever the order of the cards", () => {
    for (let seed = 1; seed <= 1_000; seed++) {
      const { devices, free, request } = scene(seed);
      const chosen = (order: readonly Device[]): string[] | undefined =>
        pick(request, cardsOf(order), free)
          ?.cards.map((each) => each.card.device.id)
          .toSorted();
      expect(chosen(devices.toReversed()), `seed ${seed}`).toEqual(chosen([...devices]));
    }
  });
});
