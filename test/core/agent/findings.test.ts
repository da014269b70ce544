// What can be wrong with a card, and what follows: the table and its overrides, conditions that last, and who is to
// blame, stopped or kept away.

import { describe, expect, test } from "bun:test";
import type { CardUser, Holder } from "../../../src/core/agent/card-users";
import { examined, HEALTHY, type Condition, type CardHealth } from "../../../src/core/agent/card-health";
import { diagnose, type Patient } from "../../../src/core/agent/diagnose";
import { FINDINGS, isFindingKey, ruleOf, sayFinding, type FindingOverrides } from "../../../src/core/model/findings";
import { MINUTE_MS, SECOND_MS } from "../../../src/core/units";

describe("the table", () => {
  test("has keys of a source and one word, and means something", () => {
    for (const [key, { means }] of Object.entries(FINDINGS)) {
      expect(key).toMatch(/^(xid \d+|(ecc|bus|throttle|clock|probe|amdgpu|intel) [a-z_]+)$/);
      expect(means.length).toBeGreaterThan(10);
    }
  });

  const classes: readonly (readonly [string, FindingOverrides, string, string])[] = [
    ["xid 13", {}, "blame", "leave"],
    ["xid 31", {}, "blame", "leave"],
    ["xid 43", {}, "blame", "leave"],
    ["xid 45", {}, "blame", "leave"],
    ["xid 94", {}, "blame", "leave"],
    ["xid 63", {}, "watch", "leave"],
    ["xid 92", {}, "watch", "leave"],
    ["xid 48", {}, "quarantine", "leave"],
    ["xid 64", {}, "quarantine", "leave"],
    ["xid 74", {}, "quarantine", "leave"],
    ["xid 79", {}, "quarantine", "stop"],
    ["xid 95", {}, "quarantine", "stop"],
    ["xid 109", {}, "quarantine", "leave"],
    ["xid 119", {}, "quarantine", "leave"],
    ["xid 999", {}, "watch", "leave"],
    ["xid 79", { "xid 79": "watch" }, "watch", "leave"],
    ["xid 79", { "xid 79": "quarantine" }, "quarantine", "leave"],
    ["xid 63", { "xid 63": "stop" }, "quarantine", "stop"],
    ["xid 999", { "xid 999": "ignore" }, "ignore", "leave"],
  ];
  for (const [key, overrides, expected, running] of classes) {
    test(`${key}${Object.keys(overrides).length > 0 ? ", as operators want it," : ""} is ${expected}, ${running}`, () =>
      expect(ruleOf(key, overrides)).toMatchObject({ class: expected, running }));
  }

  test("takes any XID, and nothing that it has not", () => {
    for (const key of ["xid 79", "xid 1234", "ecc remap_failed"]) expect(isFindingKey(key)).toBe(true);
    for (const key of ["xid", "xid x", "ecc bad", "toString", ""]) expect(isFindingKey(key)).toBe(false);
  });
  test("is said as people know it", () => {
    expect(sayFinding("xid 79", ruleOf("xid 79", {}))).toBe("XID 79, fallen off the bus");
    expect(sayFinding("ecc remap_failed", ruleOf("ecc remap_failed", {}))).toContain("ecc remap failed, bad memory");
  });
});

describe("conditions", () => {
  const fine: Condition = {
    trouble: null,
    throttled: null,
    warnings: [],
    ecc_errors: 0,
    clock_mhz: 1_900,
    utilization_percent: 0,
  };
  /** What each of some looks finds, a minute apart. */
  const found = (...looks: readonly Partial<Condition>[]): string[][] => {
    let health: CardHealth = HEALTHY;
    return looks.map((look, minute) => {
      const one = examined(health, { ...fine, ...look }, minute * MINUTE_MS);
      health = one.health;
      return [...one.found];
    });
  };
  const hot = { throttled: "thermal" };
  const slow = { utilization_percent: 100, clock_mhz: 800 };
  const cases: readonly (readonly [string, readonly Partial<Condition>[], string[][]])[] = [
    ["nothing is found on a card that is well", [{}, {}, {}], [[], [], []]],
    [
      "a warning is found once, and again when it comes back",
      [{ warnings: ["remap_pending"] }, { warnings: ["remap_pending"] }, {}, { warnings: ["remap_pending"] }],
      [["ecc remap_pending"], [], [], ["ecc remap_pending"]],
    ],
    [
      "memory errors are found when they grow",
      [{ ecc_errors: 3 }, { ecc_errors: 5 }, { ecc_errors: 5 }],
      [[], ["ecc uncorrected"], []],
    ],
    ["each growth is one", [{}, { ecc_errors: 1 }, { ecc_errors: 2 }], [[], ["ecc uncorrected"], ["ecc uncorrected"]]],
    [
      "heat is found when it has lasted",
      [hot, hot, hot, hot, hot, hot, hot],
      [[], [], [], [], [], ["throttle thermal"], []],
    ],
    ["heat that passes is none", [hot, hot, hot, {}, hot, hot], [[], [], [], [], [], []]],
    [
      "a card that is slow under load is found when it stays so",
      [{}, slow, slow, slow, slow, slow, slow],
      [[], [], [], [], [], [], ["clock low"]],
    ],
    [
      "an idle card may be slow",
      [{}, ...Array<Partial<Condition>>(8).fill({ clock_mhz: 210 })],
      Array<string[]>(9).fill([]),
    ],
    ["what the library says of a lost card", [{ trouble: "bus_lost" }], [["bus lost"]]],
    ["what it says of one that wants a reset", [{ trouble: "needs_reset" }], [["bus reset"]]],
  ];
  for (const [what, looks, expected] of cases) test(what, () => expect(found(...looks)).toEqual(expected));
});

describe("a diagnosis", () => {
  const holder = (name: string, started_ms = 0): Holder => ({
    uid: `uid-${name}`,
    name,
    user: "a",
    bytes: 1,
    started_ms,
  });
  const on = (pid: number, task: string | null): CardUser => ({
    pid,
    user: "a",
    command: "python",
    memory_bytes: 1,
    task_uid: task === null ? null : `uid-${task}`,
    start: "1",
    began_ms: 0,
    task: task === null ? null : { uid: `uid-${task}`, name: task, lives: true },
  });
  const patient = (holders: readonly Holder[], users: readonly CardUser[] = []): Patient => ({
    id: "GPU-1",
    holders,
    users,
  });
  const shared = patient([holder("12"), holder("13")], [on(7, "12"), on(8, "13"), on(9, null)]);
  const of = (key: string, one: Patient, pid: number | null, at_ms = SECOND_MS) => {
    const { quarantined, stopped, blamed } = diagnose(key, ruleOf(key, {}), [one], pid, at_ms);
    return { quarantined, stopped: [...stopped], blamed: [...blamed] };
  };

  const nothing = { quarantined: [], stopped: [], blamed: [] };
  const fault = "XID 31: the task's own memory fault";
  const cases: readonly (readonly [string, ReturnType<typeof of>, ReturnType<typeof of>])[] = [
    ["blames the task of the process", of("xid 31", shared, 8), { ...nothing, blamed: [["uid-13", fault]] }],
    ["blames nobody for a stranger", of("xid 31", shared, 9), nothing],
    ["blames nobody of several without a proof", of("xid 31", shared, null), nothing],
    [
      "blames who has the card alone",
      of("xid 31", patient([holder("12")]), 4),
      { ...nothing, blamed: [["uid-12", fault]] },
    ],
    ["keeps work away and leaves what runs", of("xid 48", shared, 7), { ...nothing, quarantined: ["GPU-1"] }],
    [
      "ends all tasks of a card that is lost",
      of("xid 79", shared, null),
      {
        quarantined: ["GPU-1"],
        stopped: ["12", "13"].map((name) => [`uid-${name}`, "lost its GPU: XID 79, fallen off the bus"]),
        blamed: [],
      },
    ],
    [
      "leaves tasks alone that began after it",
      of("xid 79", patient([holder("12", 5_000)]), null),
      { ...nothing, quarantined: ["GPU-1"] },
    ],
    ["only watches", of("xid 63", shared, 7), nothing],
  ];
  for (const [what, found, expected] of cases) test(what, () => expect(found).toEqual(expected));
});
