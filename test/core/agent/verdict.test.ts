// What becomes of a task that has to end for its card's sake, and of one that its kernel accused: step by step.

import { describe, expect, test } from "bun:test";
import { BLAME_WITHIN_MS } from "../../../src/core/model/findings";
import type { TaskExit } from "../../../src/core/model/end";
import type { Action, Seen, TaskRecord } from "../../../src/core/model/record";
import { step } from "../../../src/core/agent/step";
import { assignmentFor, recordFor, viewOf } from "../../support/tasks";

const WHY = "lost its GPU: XID 79, fallen off the bus";
const alive: Seen["process"] = { is: "alive", handle: { pid: 7 }, started_ms: 1_000 };
const over = (ended_ms: number, exit: Partial<TaskExit> & Pick<TaskExit, "exit_code">): Seen["process"] => ({
  is: "ended",
  signal: null,
  reason: null,
  started_ms: 1_000,
  ended_ms,
  peak_memory_bytes: null,
  oom: false,
  left: 0,
  ...exit,
});

interface Turn {
  readonly now_ms: number;
  readonly process: Seen["process"];
  readonly record?: Partial<TaskRecord>;
  readonly blame_ms?: number;
  readonly signalled?: boolean;
}

function turn({ now_ms, process, record = {}, blame_ms, signalled = false }: Turn): Action | null {
  const stop = { signal: "INT", grace_ms: 3_000 };
  const base = { ...recordFor(assignmentFor("true", { stop })), ...record };
  const { uid } = base.assignment;
  const blame =
    blame_ms === undefined ? [] : [[uid, { why: "XID 31: the task's own memory fault", at_ms: blame_ms }] as const];
  const asked = { by: "device_fault", why: "", at_ms: 0 } as const;
  const { actions } = step(
    viewOf([base], {
      seen: new Map([[uid, { claimed: true, process }]]),
      signalled: new Map(signalled ? [[uid, asked]] : []),
      blames: new Map(blame),
      now_ms,
    }),
  );
  return actions[0] ?? null;
}

describe("a crash of a task that its agent may start again", () => {
  const restart = { backoff_min_ms: 1_000, backoff_max_ms: 60_000, attempts: null, offline: true };
  const assignment = assignmentFor("false", { grant_until: 3, streak: 4, stable_ms: 30_000, restart });
  const streakAfter = (ran_ms: number): number => {
    const process = over(1_000 + ran_ms, { exit_code: 1 });
    const action = turn({ now_ms: 1_000 + ran_ms, process, record: recordFor(assignment) });
    if (action?.do !== "end" || action.next === null) throw new Error(`no next attempt: ${JSON.stringify(action)}`);
    return action.next.assignment.streak;
  };
  test("counts on from those before, unless it ran for as long as the server says", () => {
    expect(streakAfter(29_999)).toBe(5);
    expect(streakAfter(30_000)).toBe(1);
  });
});

describe("a task under a verdict", () => {
  const record = { verdict: { why: WHY, at_ms: 5_000 } };
  test("is asked to end, as its spec says, and killed after its grace", () => {
    expect(turn({ now_ms: 5_000, process: alive, record })).toMatchObject({ do: "signal", signal: "INT" });
    expect(turn({ now_ms: 6_000, process: alive, record, signalled: true })).toBeNull();
    expect(turn({ now_ms: 8_000, process: alive, record, signalled: true })).toMatchObject({ do: "kill" });
  });
  for (const exit of [{ exit_code: 0 }, { exit_code: 1 }, { exit_code: null, signal: "KILL" }]) {
    test(`has failed for that reason, whatever it gave (${JSON.stringify(exit)})`, () =>
      expect(turn({ now_ms: 7_000, process: over(6_000, exit), record })).toMatchObject({
        do: "end",
        end: { state: "failed", cause: "device_fault", reason: WHY },
      }));
  }
  test("that had ended before has its own end", () =>
    expect(turn({ now_ms: 7_000, process: over(4_000, { exit_code: 0 }), record })).toMatchObject({
      end: { state: "succeeded" },
    }));

  const stop = { signal: "TERM", grace_ms: 1, why: "cancelled by alice" };
  test("that was stopped before is stopped", () =>
    expect(
      turn({
        now_ms: 7_000,
        process: over(6_000, { exit_code: 0 }),
        record: { ...record, stop: { ...stop, at_ms: 4_000 } },
      }),
    ).toMatchObject({ end: { state: "stopped", reason: "cancelled by alice" } }));
  test("that is stopped afterwards has failed", () =>
    expect(
      turn({
        now_ms: 7_000,
        process: over(6_000, { exit_code: 0 }),
        record: { ...record, stop: { ...stop, at_ms: 5_500 } },
      }),
    ).toMatchObject({ end: { state: "failed", reason: WHY } }));
});

describe("a task that its kernel accused", () => {
  const fault = "XID 31: the task's own memory fault";
  const cases: readonly (readonly [string, Turn, object])[] = [
    [
      "fails for that reason",
      { now_ms: 9_000, process: over(8_000, { exit_code: 1 }), blame_ms: 7_900 },
      { state: "failed", reason: fault },
    ],
    [
      "keeps what else is known",
      { now_ms: 9_000, process: over(8_000, { exit_code: 1, reason: "its keeper says so" }), blame_ms: 7_900 },
      { state: "failed", reason: `${fault}; its keeper says so` },
    ],
    [
      "succeeds when it got over it",
      { now_ms: 9_000, process: over(8_000, { exit_code: 0 }), blame_ms: 7_900 },
      { state: "succeeded", reason: null },
    ],
    [
      "fails for another reason much later",
      { now_ms: 99e4, process: over(8_000 + BLAME_WITHIN_MS, { exit_code: 1 }), blame_ms: 7_900 },
      { state: "failed", reason: null },
    ],
  ];
  for (const [what, given, end] of cases) test(what, () => expect(turn(given)).toMatchObject({ do: "end", end }));
});

describe("why a task ended, for programs", () => {
  const limited = (): Partial<TaskRecord> => {
    const { assignment } = recordFor(assignmentFor("true", { time_limit_ms: 2_000 }));
    return { assignment };
  };
  const cases: readonly (readonly [string, Parameters<typeof over>[1], Partial<TaskRecord>, object])[] = [
    ["its time limit", { exit_code: null, signal: "TERM" }, limited(), { state: "failed", cause: "time_limit" }],
    ["its memory", { exit_code: null, signal: "KILL", oom: true }, {}, { state: "failed", cause: "out_of_memory" }],
    [
      "its lease, whatever it gave",
      { exit_code: 0, cause: "lease_expired", reason: "in any words" },
      {},
      { state: "failed", cause: "lease_expired", reason: "in any words" },
    ],
    ["itself", { exit_code: 0, reason: "words alone do not decide" }, {}, { state: "succeeded", reason: null }],
  ];
  for (const [what, exit, record, end] of cases) {
    test(`it was ${what}`, () =>
      expect(turn({ now_ms: 9_000, process: over(8_000, exit), record })).toMatchObject({ do: "end", end }));
  }
});
