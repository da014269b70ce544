// What became of the elements of an array, from hand-made rows: those that nodes have, those that wait, those that are
// over.

import { describe, expect, test } from "bun:test";
import { freshArray, type ArrayRun } from "../../../src/core/model/array";
import { pageWith, PAGE_ELEMENTS } from "../../../src/core/model/pages";
import type { RunRow } from "../../../src/core/model/rows-work";
import type { TaskRow } from "../../../src/core/model/rows-task";
import { DEFAULT_LIMITS } from "../../../src/core/pass/limits";
import type { Wording } from "../../../src/server/access/wording";
import { arrayView, elementsOf, type ElementWish } from "../../../src/server/views/elements";
import { pendingSlots, taskView } from "../../../src/server/views/task";
import { shownRunState, waitsIn } from "../../../src/server/views/waits";
import type { History } from "../../../src/store/store";
import {
  buildEnd,
  buildFinal,
  buildRun,
  buildSlot,
  buildSpec,
  buildState,
  buildTask,
  NOW_MS,
} from "../../support/build";

const DECL = { first: 100, last: 100 + 2 * 2_499, step: 2, limit: 8 };
const array = (part: Partial<ArrayRun> = {}): ArrayRun => ({ ...freshArray(DECL), ...part });
const run = buildRun(12, "h", { state: "running", name: "sweep", array: array() });

const batch = (
  of: RunRow,
  attempt: number,
  parts: readonly (readonly [number, number])[],
  part: Partial<TaskRow> = {},
) =>
  buildTask(of, "n1", {
    attempt,
    batch: { parts, round: 1, places: 4, told: 0, label: `batch ${attempt}` },
    ...part,
  });

const NO_HISTORY = { elements: () => null } as unknown as History;

/** The states of elements, by their numbers. */
function states(of: RunRow, wish: Partial<ElementWish> = {}, tasks: readonly TaskRow[] = [], pages = true): string {
  const first = ["0", "3", "KILL#2", "unknown", "lost", "stopped", "+1.0.2", "-", "-"];
  const later = Array.from({ length: PAGE_ELEMENTS }, (_, at) => (at === 499 ? "7" : "0"));
  const elements = pages ? [pageWith(of.uid, 0, first), pageWith(of.uid, 2, later)] : [];
  const state = buildState({ runs: [of], tasks, elements });
  return elementsOf({ state, history: NO_HISTORY }, of, { from: 0, limit: 9, ...wish })
    .map(({ view: { slot, state: is, exit_code, signal, attempts } }) =>
      [slot, is, exit_code ?? signal ?? "", attempts ?? ""].join(" ").trim(),
    )
    .join(", ");
}

describe("elements", () => {
  test("have the states of their pages, and those that nodes have are assigned", () => {
    expect(states(run, {}, [batch(run, 1, [[7, 7]])])).toBe(
      "100 succeeded 0 1, 102 failed 3 1, 104 failed KILL 2, 106 unknown  1, 108 lost  1, " +
        "110 stopped  1, 112 pending  3, 114 assigned  0, 116 pending  0",
    );
  });
  test("that a batch has that is over wait again", () => {
    const over = batch(run, 1, [[0, 8]], { observed: buildFinal({ state: "stopped" }) });
    expect(states(run, { from: 7, limit: 2 }, [over])).toBe("114 pending  0, 116 pending  0");
  });
  test("that have failed are all that did not succeed, on whichever page", () => {
    expect(states(run, { state: "failed" })).toBe(
      "102 failed 3 1, 104 failed KILL 2, 106 unknown  1, 108 lost  1, 110 stopped  1, 5098 failed 7 1",
    );
    expect(states(run, { state: "failed", from: 2, limit: 1 })).toBe("104 failed KILL 2");
    expect(states(run, { state: "lost" })).toBe("108 lost  1");
  });
  test("of one state are those that the whole list shows with it", () => {
    const out = [batch(run, 1, [[8, 8]]), batch(run, 2, [[1_400, 1_402]])];
    for (const of of [run, { ...run, state: "cancelled" } as const])
      for (const pages of [true, false]) {
        const whole = states(of, { limit: 9_999 }, out, pages).split(", ");
        expect(whole).toHaveLength(2_500);
        for (const state of ["pending", "assigned", "succeeded", "lost", "stopped", "unknown", "cancelled"] as const)
          expect(states(of, { limit: 9_999, state }, out, pages).split(", ").filter(Boolean)).toEqual(
            whole.filter((line) => line.split(" ")[1] === state),
          );
      }
  });
  test("end with the last one of the array, also where no page is there", () => {
    expect(states(run, { from: 2_498 }, [], false)).toBe("5096 pending  0, 5098 pending  0");
  });
  test("of a run that is over, which have no end, are cancelled with it", () => {
    const over = { ...run, state: "cancelled" } as const;
    expect(states(over, { from: 6, limit: 2 })).toBe("112 cancelled  3, 114 cancelled  0");
    expect(states(over, { state: "failed", from: 5 })).toBe("110 stopped  1, 5098 failed 7 1");
  });
  test("are none of a run that is no array", () => expect(states(buildRun(1, "h"))).toBe(""));
});

test("an array says how many places run its elements", () => {
  const of = { ...run, array: array({ succeeded: 800, failed: 3, again: 2 }) };
  const tasks = [
    batch(of, 1, [[0, 9]]),
    batch(of, 2, [[10, 19]], { observed: { state: "stopping", pid: 7, started_ms: NOW_MS } }),
    batch(of, 3, [[20, 29]], { observed: { state: "assigned" } }),
    batch(of, 4, [[30, 39]], { observed: buildFinal() }),
  ];
  expect(arrayView(of, tasks)).toEqual({
    elements: "100-5098:2%8",
    total: 2_500,
    succeeded: 800,
    failed: 3,
    stopped: 0,
    unknown: 0,
    again: 2,
    running: 8,
  });
  expect(arrayView(buildRun(1, "h"), [])).toBeNull();
});

describe("of an array", () => {
  const wording: Wording = (said) => said;
  const of = { ...run, array: array({ round: 2, succeeded: 5, failed: 1 }) };
  const spec = () => buildSpec();

  test("a batch has its elements, and the attempt that it is of each of them", () => {
    const task = batch(of, 57, [[0, 9]], {
      batch: { parts: [[0, 9]], round: 2, places: 4, told: 3, failed: 2, label: "100-118:2" },
      observed: buildFinal({ state: "succeeded", exit_code: 0 }),
    });
    const state = buildState({ runs: [of], tasks: [task] });
    const view = taskView(task, { state, now_ms: NOW_MS, limits: DEFAULT_LIMITS, wording });
    expect(view).toMatchObject({
      name: "12_[100-118:2]",
      elements: "100-118:2",
      attempt: 2,
      batch: { total: 10, over: 3, failed: 2 },
      // Which is of none of its elements.
      exit_code: null,
      array: { total: 2_500, succeeded: 5, failed: 1 },
    });
  });
  test("what waits is one slot between two batches, whatever the last one did", () => {
    const last = batch(of, 57, [[0, 9]]);
    const slots = [buildSlot(last, { ends: [buildEnd(last, { state: "succeeded", exit_code: 0 })] })];
    const state = buildState({ runs: [of], slots });
    const waits = waitsIn({ state, now_ms: NOW_MS, blocked: [], queue: [], spec, limits: DEFAULT_LIMITS });
    const waiting = pendingSlots({ state, spec, waits, wording, blocked: [] })
      .map(({ view }) => view())
      .toArray();
    expect(waiting).toHaveLength(1);
    expect(waiting[0]).toMatchObject({ name: "12", attempt: 2, array: { total: 2_500, succeeded: 5, failed: 1 } });
    expect(waits.between(of)).toBe(true);
    expect(shownRunState(of, waits)).toBe("running");
    const isNew = { ...of, array: array() };
    expect(shownRunState(isNew, waits)).toBe("queued");
  });
});
