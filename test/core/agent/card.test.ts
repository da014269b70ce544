// What is believed of one card, look by look: when it goes from one task to the next, what strangers take of it, and
// what is said of it meanwhile.

import { describe, expect, test } from "bun:test";
import {
  CLEAN_WITHIN_BYTES,
  lost,
  newCard,
  released,
  seen,
  stillHeld,
  unseen,
  useless,
  type CardState,
  type Sight,
} from "../../../src/core/agent/card";
import { blockOf, DIRTY_AFTER_MS, stateOf } from "../../../src/core/agent/card-shown";
import type { CardUser, Holder } from "../../../src/core/agent/card-users";
import { FOREIGN_STEP_BYTES } from "../../../src/core/model/device";
import { GIB, MIB } from "../../../src/core/units";

const holder = (name: string, over: Partial<Holder> = {}): Holder => ({
  uid: `uid-${name}`,
  name,
  user: "alice",
  bytes: null,
  started_ms: 1_000,
  ...over,
});

let pids = 100;
const user = (over: Partial<CardUser> = {}): CardUser => ({
  pid: pids++,
  user: "bob",
  command: "python",
  memory_bytes: 0,
  task_uid: null,
  start: "5",
  began_ms: 0,
  task: null,
  ...over,
});
const of = (one: Holder, lives: boolean, memory_bytes: number | null, over: Partial<CardUser> = {}): CardUser =>
  user({ user: "alice", memory_bytes, task_uid: one.uid, task: { uid: one.uid, name: one.name, lives }, ...over });

const sight = (n: number, used_bytes: number | null, users: readonly CardUser[] = []): Sight => ({
  n,
  at_ms: n * 1_000,
  used_bytes,
  users,
});

const IDLE = 500 * MIB;
/** Looked at once, idle and clean. */
const clean = seen(newCard(0), sight(1, IDLE), []).card;
const [a, b] = [holder("12"), holder("13")];

describe("hand-over", () => {
  test("a card that the agent has not looked at yet is not used", () => {
    expect(blockOf(newCard(0))).toBe("is checked before its first use");
    expect(blockOf(clean)).toBeNull();
    expect(clean.baseline_bytes).toBe(IDLE);
  });

  test("memory that nobody shows on a card that no task of ours had is a stranger's", () => {
    const { card } = seen(newCard(0), sight(1, 9 * GIB), []);
    expect(blockOf(card)).toBeNull();
    expect(card).toMatchObject({ foreign_bytes: 8 * GIB, foreign: { text: "no process that shows" } });
  });

  test("is only after a look that began after the task's end", () => {
    const closed = released(clean, [a], 4, 10_000);
    expect(blockOf(closed)).toBe("is checked before it is used again after 12");
    expect(blockOf(seen(closed, sight(4, IDLE), []).card)).not.toBeNull();
    expect(blockOf(seen(closed, sight(5, IDLE), []).card)).toBeNull();
  });

  const cases: readonly (readonly [string, Sight, string | null, number])[] = [
    ["memory is back at the baseline", sight(2, IDLE), null, 0],
    ["memory is nearly back", sight(2, IDLE + CLEAN_WITHIN_BYTES), null, 0],
    [
      "memory stays and no process shows",
      sight(2, IDLE + 3 * GIB),
      "3 GB more than on an idle card are in use, by no process that shows",
      0,
    ],
    [
      "a process of the ended task is left",
      sight(2, IDLE + GIB, [of(a, false, GIB, { pid: 7 })]),
      "alice: python (pid 7) of 12 is still on it",
      1,
    ],
    ["a stranger of another account is on it", sight(2, IDLE + GIB, [user({ memory_bytes: GIB })]), null, 0],
    [
      "a stranger of the task's account has come meanwhile",
      sight(2, IDLE + GIB, [user({ pid: 9, user: "alice", began_ms: 2_000, memory_bytes: GIB })]),
      "alice: python (pid 9) came while 12 had it",
      0,
    ],
    [
      "a stranger of the task's account was there before",
      sight(2, IDLE + GIB, [user({ user: "alice", began_ms: 999, memory_bytes: GIB })]),
      null,
      0,
    ],
    ["a neighbour's memory is explained by its process", sight(2, IDLE + 2 * GIB, [of(b, true, 2 * GIB)]), null, 0],
    ["memory cannot be told apart", sight(2, IDLE + 9 * GIB, [of(b, true, null)]), null, 0],
    ["the card tells no memory at all", sight(2, null), null, 0],
  ];
  for (const [what, look, why, left] of cases) {
    test(`when ${what}: ${why ?? "clean"}`, () => {
      const found = seen(released(clean, [a], 1, 0), look, [b]);
      expect(found.left).toHaveLength(left);
      expect(blockOf(found.card)).toBe(why === null ? null : `is checked before it is used again after 12: ${why}`);
    });
  }

  test("is told in a few words, whatever a driver says and however many had it", () => {
    const many = Array.from({ length: 500 }, (_, n) => holder(`project.application.worker.${n}`));
    const dirty = unseen(released(clean, many, 1, 0), "x".repeat(10_000));
    expect(blockOf(dirty)).toContain("after project.application.worker.0, ");
    expect(blockOf(dirty)).toContain(", 497 more: it cannot be looked at: xxx");
    const told = [dirty, lost(clean, "x".repeat(10_000)), useless(clean, "x".repeat(10_000))];
    for (const card of told) {
      for (const text of [blockOf(card), stateOf(card, 60_000).reason]) expect(text?.length).toBeLessThan(1_000);
    }
  });

  test("is dirty after a while, and heals by itself", () => {
    const closed = released(clean, [a, b], 1, 10_000);
    const found = seen(closed, sight(2, IDLE + GIB, [of(a, false, GIB, { pid: 7 })]), []).card;
    expect(stateOf(found, 10_000 + DIRTY_AFTER_MS - 1)).toEqual({ state: "ok", reason: null });
    expect(stateOf(found, 10_000 + DIRTY_AFTER_MS)).toEqual({
      state: "dirty",
      reason: "after 12, 13: alice: python (pid 7) of 12 is still on it",
    });
    expect(stateOf(seen(found, sight(3, IDLE), []).card, 99_000).state).toBe("ok");
  });

  test("a look that fails opens no gate and closes none", () => {
    expect(unseen(clean, "NVML hangs")).toBe(clean);
    const closed = unseen(released(clean, [a], 1, 0), "NVML hangs");
    expect(stateOf(closed, 60_000)).toEqual({ state: "dirty", reason: "after 12: it cannot be looked at: NVML hangs" });
  });

  test("what lives when the agent comes back has let nothing go", () => {
    const before = newCard(0);
    if (before.gate.is !== "closed") throw new Error("open");
    const kept: CardState = { ...before, gate: { ...before.gate, after: [a, b] } };
    expect(blockOf(stillHeld(kept, new Set([a.uid])))).toBe("is checked before it is used again after 13");
  });
});

describe("the baseline", () => {
  const after = (card: CardState, ...looks: readonly Sight[]): number | null =>
    looks.reduce((now, look) => seen(now, look, []).card, card).baseline_bytes;
  test("falls with what an idle card uses, and never rises by what stays", () => {
    expect(after(clean, sight(2, 100 * MIB))).toBe(100 * MIB);
    expect(after(clean, sight(2, 3 * GIB), sight(3, 3 * GIB))).toBe(IDLE);
  });
  test("does not fall while somebody has the card", () => {
    expect(seen(clean, sight(2, 100 * MIB), [a]).card.baseline_bytes).toBe(IDLE);
    expect(after(clean, sight(2, 100 * MIB, [user({ memory_bytes: 50 * MIB })]))).toBe(IDLE);
  });
  test("of a card that was busy from the start is what no process explains, up to a bound", () => {
    expect(after(newCard(0), sight(1, 3 * GIB, [user({ memory_bytes: 2.5 * GIB })]))).toBe(0.5 * GIB);
    expect(after(newCard(0), sight(1, 9 * GIB))).toBe(GIB);
    expect(after(newCard(0), sight(1, 9 * GIB, [user({ memory_bytes: null })]))).toBeNull();
  });
});

describe("strangers", () => {
  const foreign = (card: CardState, look: Sight, holders: readonly Holder[] = []): CardState =>
    seen(card, look, holders).card;

  test("are counted in steps, named, and do not keep the card", () => {
    const now = foreign(clean, sight(2, IDLE + 20 * GIB, [user({ pid: 4711, memory_bytes: 20 * GIB })]));
    expect(now).toMatchObject({ foreign_bytes: 20 * GIB, foreign: { text: "bob: python (pid 4711)" } });
    expect(blockOf(now)).toBeNull();
  });

  test("who stay as they are keep no card back: it is clean after each task beside them", () => {
    const stranger = user({ memory_bytes: 6 * GIB });
    const look = (n: number): Sight => sight(n, IDLE + 6 * GIB, [stranger]);
    const busy = seen(clean, look(2), []).card;
    const after = seen(released(seen(busy, look(3), [a, b]).card, [a, b], 3, 3_000), look(4), []).card;
    expect(after).toMatchObject({ gate: { is: "open" }, baseline_bytes: IDLE, foreign: busy.foreign });
    expect(stateOf(after, 60_000)).toEqual({ state: "ok", reason: null });
  });

  test("do not flap: what moves by less than a step is not told", () => {
    const bob = user({ memory_bytes: 4 * GIB });
    const first = foreign(clean, sight(2, IDLE + 4 * GIB, [bob]));
    for (const moved of [-0.7, -0.3, 0.4, 0.7]) {
      const bytes = 4 * GIB + moved * FOREIGN_STEP_BYTES;
      const next = foreign(first, sight(3, IDLE + bytes, [{ ...bob, memory_bytes: bytes }]));
      expect(next.foreign_bytes).toBe(4 * GIB);
      expect(next.foreign).toBe(first.foreign);
    }
    expect(foreign(first, sight(3, IDLE)).foreign_bytes).toBe(0);
  });

  test("a few bytes are none: a desktop does not make a card foreign", () => {
    expect(foreign(clean, sight(2, IDLE + 40 * MIB, [user({ memory_bytes: 40 * MIB })]))).toMatchObject({
      foreign_bytes: 0,
      foreign: null,
    });
  });

  test("who left is not named any more", () => {
    const [one, two] = [user({ pid: 1, memory_bytes: 2 * GIB }), user({ pid: 2, memory_bytes: 2 * GIB })];
    const first = foreign(clean, sight(2, IDLE + 2 * GIB, [one]));
    const next = foreign(first, sight(3, IDLE + 2 * GIB, [two]));
    expect(next.foreign?.text).toBe("bob: python (pid 2)");
  });

  test("memory that no process shows is foreign on a card that is not being checked", () => {
    expect(foreign(clean, sight(2, IDLE + 8 * GIB))).toMatchObject({
      foreign_bytes: 8 * GIB,
      foreign: { text: "no process that shows" },
    });
  });

  test("what tasks of ours hold is not foreign, and what they use beyond their processes neither", () => {
    expect(foreign(clean, sight(2, IDLE + 8.1 * GIB, [of(a, true, 8 * GIB)]), [a]).foreign_bytes).toBe(0);
    expect(foreign(clean, sight(2, IDLE + 8 * GIB, [of(a, true, null)]), [a]).foreign_bytes).toBe(0);
  });

  test("a task that was not promised the card is a stranger on it", () => {
    const now = foreign(clean, sight(2, IDLE + 8 * GIB, [of(b, true, 8 * GIB, { pid: 3 })]), [a]);
    expect(now).toMatchObject({ foreign_bytes: 8 * GIB, foreign: { text: "alice: python (pid 3)" } });
  });
});

describe("a card that is away", () => {
  const away = lost(seen(clean, sight(2, IDLE + 4 * GIB, [user({ memory_bytes: 4 * GIB })]), []).card, "it is gone");
  test("is missing, whatever else is known of it", () => {
    expect(stateOf(away, 0)).toEqual({ state: "missing", reason: "it is gone" });
    expect(blockOf(away)).toBe("is missing: it is gone");
    expect(away.foreign_bytes).toBe(0);
  });
  test("is checked when it comes back", () => {
    expect(blockOf(seen(away, sight(3, IDLE), []).card)).toBeNull();
    const left = seen(away, sight(3, IDLE + GIB, [of(a, false, GIB, { pid: 7 })]), []).card;
    expect(blockOf(left)).toBe("is checked before its first use: alice: python (pid 7) of 12 is still on it");
    const ended = released(away, [a], 2, 0);
    expect(blockOf(seen(ended, sight(3, IDLE + 4 * GIB), []).card)).toContain("4 GB more");
  });
});
