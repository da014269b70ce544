// What an end means for the exit code, of jobs, of refusals, of an apply that is waited for.

import { describe, expect, test } from "bun:test";
import { CliError, EXIT_OF_CODE } from "../../../src/cli/failure";
import { exitOfRun, outcomeLine } from "../../../src/cli/follow/outcome";
import { describe as describeError } from "../../../src/cli/print/complain";
import { progressOf, type SeenApp } from "../../../src/cli/follow/progress";
import { ERROR_STATUS, type ErrorCode } from "../../../src/wire/api/errors";
import { ApiError, UnreachableError } from "../../../src/wire/client";

describe("a finished run", () => {
  const FAILED = {
    run: 1,
    state: "failed",
    exit_code: null,
    signal: null,
    cause: null,
    time_limit_ms: null,
    cancelled_by: null,
    reason: null,
    unknown: 0,
    array: null,
  } as const;
  const CANCELLED = { ...FAILED, state: "cancelled", cancelled_by: "alice", reason: "cancelled by alice" } as const;
  const ARRAY = { total: 9, succeeded: 8, failed: 1, stopped: 0, unknown: 0, again: 0, running: 0, elements: "0-8" };
  const ENDS: readonly (readonly [
    what: string,
    end: Parameters<typeof exitOfRun>[0],
    code: number,
    line: string | null,
  ])[] = [
    ["succeeded", { ...FAILED, state: "succeeded", exit_code: 0 }, 0, null],
    ["succeeded with all elements", { ...FAILED, state: "succeeded", array: ARRAY }, 0, null],
    ["failed with an element", { ...FAILED, exit_code: 7, array: ARRAY }, 1, null],
    [
      "was cancelled with its elements",
      { ...CANCELLED, signal: "TERM", array: ARRAY },
      130,
      "run 1 cancelled by alice, killed by TERM",
    ],
    [
      "waits for a person",
      { ...FAILED, state: "running", unknown: 1, reason: "waits for a person: nobody knows how it ended on n1" },
      123,
      "run 1 waits for a person: nobody knows how it ended on n1",
    ],
    [
      "failed, since nobody knows how it ended",
      { ...FAILED, cause: "result_unknown", reason: "nobody knows how it ended" },
      123,
      "run 1 failed: nobody knows how it ended",
    ],
    ["failed with a code", { ...FAILED, exit_code: 3 }, 3, null],
    ["ended by a real-time signal", { ...FAILED, signal: "40" }, 168, "run 1 failed, killed by 40"],
    [
      "could not start",
      { ...FAILED, exit_code: 127, cause: "start_failed", reason: "nope: not found" },
      127,
      "run 1 failed, exit 127: nope: not found",
    ],
    [
      "could not start for a reason of its node's",
      { ...FAILED, cause: "start_failed", reason: "could not start: no account" },
      125,
      "run 1 failed: could not start: no account",
    ],
    [
      "was killed",
      { ...FAILED, signal: "KILL", cause: "out_of_memory", reason: "out of memory" },
      137,
      "run 1 failed, killed by KILL: out of memory",
    ],
    [
      "ran out of memory in one of its processes",
      { ...FAILED, exit_code: 1, cause: "out_of_memory", reason: "out of memory" },
      137,
      "run 1 failed, exit 1: out of memory",
    ],
    [
      "reached its time limit",
      { ...FAILED, signal: "TERM", cause: "time_limit", reason: "time limit reached" },
      124,
      "run 1 failed, killed by TERM: time limit reached",
    ],
    [
      "reached its time limit and returned 0",
      { ...FAILED, exit_code: 0, cause: "time_limit", reason: "time limit reached" },
      124,
      "run 1 failed: time limit reached",
    ],
    [
      "was ended for its card and returned 0",
      { ...FAILED, exit_code: 0, cause: "device_fault", reason: "lost its GPU" },
      1,
      "run 1 failed: lost its GPU",
    ],
    [
      "succeeded, with a note",
      { ...FAILED, state: "succeeded", exit_code: 0, reason: "a process of it was killed: out of memory" },
      0,
      "run 1 succeeded: a process of it was killed: out of memory",
    ],
    [
      "was killed by a signal with its long name",
      { ...FAILED, signal: "SIGSEGV" },
      139,
      "run 1 failed, killed by SIGSEGV",
    ],
    [
      "was lost",
      { ...FAILED, cause: "node_forgotten", reason: "its node was forgotten" },
      125,
      "run 1 failed: its node was forgotten",
    ],
    ["was cancelled before it began", CANCELLED, 130, "run 1 cancelled by alice"],
    ["was cancelled", { ...CANCELLED, signal: "TERM" }, 143, "run 1 cancelled by alice, killed by TERM"],
    [
      "was cancelled by nobody, since its job went",
      { ...CANCELLED, cancelled_by: null, reason: "recs.prep is being removed" },
      130,
      "run 1 cancelled: recs.prep is being removed",
    ],
  ];
  for (const [what, end, code, line] of ENDS) {
    test(`that ${what} gives ${code}`, () => expect([exitOfRun(end), outcomeLine(end)]).toEqual([code, line]));
  }
});

describe("a refusal", () => {
  test("has an exit code for every code of the API", () => {
    expect(Object.keys(EXIT_OF_CODE).toSorted()).toEqual(Object.keys(ERROR_STATUS).toSorted());
  });
  const CODES: readonly (readonly [ErrorCode, number])[] = [
    ["spec", 2],
    ["bad_request", 2],
    ["unauthenticated", 4],
    ["forbidden", 4],
    ["not_found", 1],
    ["changed_meanwhile", 1],
    ["unsatisfiable", 1],
    ["internal", 1],
    ["unavailable", 3],
  ];
  for (const [code, exit] of CODES) {
    test(`"${code}" ends with ${exit}`, () =>
      expect(describeError(new ApiError(ERROR_STATUS[code], code, "no", null, []))?.exit).toBe(exit));
  }
  test("keeps the server's hint, else has one of its own", () => {
    expect(describeError(new ApiError(401, "unauthenticated", "expired", "ask alice", []))?.hint).toBe("ask alice");
    expect(describeError(new ApiError(401, "unauthenticated", "expired", null, []))?.hint).toContain("orch login");
  });
  test("of nobody ends with 3, ours with its own, a bug is none", () => {
    expect(describeError(new UnreachableError("no server answers", "start it"))?.exit).toBe(3);
    expect(describeError(new CliError(4, "not logged in"))?.exit).toBe(4);
    expect(describeError(new TypeError("x is undefined"))).toBeNull();
  });
});

describe("the progress of an app", () => {
  const workload = {
    name: "api",
    app: "recs",
    project: "p",
    user: "alice",
    kind: "service" as const,
    version: 2,
    replicas: 2,
    removing: false,
    running: 2,
    pending: 0,
    last_run: null,
  };
  const task = {
    id: "a".repeat(32),
    name: "recs.api.0",
    project: "p",
    user: "alice",
    app: "recs",
    workload: "api",
    kind: "service" as const,
    version: 2,
    run: null,
    slot: 0,
    member: 0,
    attempt: 1,
    elements: null,
    batch: null,
    array: null,
    crashes: 0,
    node: "box1",
    desired: "run" as const,
    state: "running" as const,
    reason: null,
    blocked: null,
    health: null,
    pid: 1,
    exit_code: null,
    signal: null,
    cause: null,
    devices: [],
    ports: {},
    peak_memory_bytes: null,
    created_ms: 0,
    started_ms: 0,
    finished_ms: null,
  };
  const pending = {
    ...task,
    id: null,
    name: "recs.api.1",
    slot: 1,
    state: "pending" as const,
    reason: "0 of 1 nodes fit",
    attempt: 0,
  };
  const run = { run: 7, name: "prep", state: "running", reason: null } as unknown as SeenApp["runs"][number];
  const state = (seen: Partial<SeenApp>): string =>
    progressOf({ workloads: [workload], tasks: [], runs: [], blocked: [], now_ms: 100_000, ...seen })
      .map((line) => `${line.state} ${line.detail}`)
      .join("; ");

  const CASES: readonly (readonly [what: string, seen: Partial<SeenApp>, line: string])[] = [
    [
      "is done when every replica of the new version is up",
      { tasks: [task, { ...task, slot: 1 }] },
      "done 2/2 up (each has run for 10s without a crash)",
    ],
    [
      "goes on while an old version is still there",
      { tasks: [task, { ...task, slot: 1 }, { ...task, version: 1 }] },
      "going 2/2 up",
    ],
    ["goes on while a slot waits for room", { tasks: [task, pending] }, "going 1/2 up: 0 of 1 nodes fit"],
    [
      "goes on until each has run for a while",
      { tasks: [task, { ...task, slot: 1, started_ms: 91_000 }] },
      "going 2/2 running (up after 10s)",
    ],
    [
      "goes on with one that has crashed until it is stable, and says so",
      {
        tasks: [
          task,
          { ...task, name: "recs.api.1", started_ms: 45_000, crashes: 1, reason: "crashed 1×, last exit code 1" },
        ],
      },
      "going 2/2 running, not stable yet: recs.api.1 crashed 1×, last exit code 1",
    ],
    ["goes on until it is healthy", { tasks: [task, { ...task, health: "starting" }] }, "going 1/2 up"],
    [
      "is stuck when no node can ever do it",
      {
        tasks: [task, pending],
        blocked: [
          {
            name: "recs.api.1",
            title: null,
            slot: 1,
            kind: "unsatisfiable",
            stuck: true,
            summary: "no card",
            smallest_change: null,
            smallest_changes: [],
            nodes: [],
          },
        ],
      },
      "stuck 1/2 up: no card",
    ],
    [
      "is stuck when its own old task holds the room of the new one",
      {
        tasks: [task, { ...task, slot: 1, version: 1 }, pending],
        blocked: [
          {
            name: "recs.api.1",
            title: null,
            slot: 1,
            kind: "queued",
            stuck: true,
            summary: "its own task holds the room",
            smallest_change: null,
            smallest_changes: [],
            nodes: [],
          },
        ],
      },
      "stuck 1/2 up: its own task holds the room",
    ],
    [
      "is stuck when it keeps failing",
      { tasks: [task, { ...pending, crashes: 3, reason: "waits 4s, exit 1" }] },
      "stuck recs.api.1 waits 4s, exit 1",
    ],
    [
      "goes on with what only the words call a crash, or with too few",
      { tasks: [task, { ...pending, crashes: 2, reason: "9 crashes in a row" }] },
      "going 1/2 up: 9 crashes in a row",
    ],
    [
      "goes on while what it has told to stop, or replaces, keeps failing",
      {
        tasks: [
          task,
          { ...pending, desired: "stop", crashes: 4, reason: "another attempt of the slot is kept: recs.api.1#3" },
          { ...pending, version: 1, crashes: 4, reason: "crashed 4× in a row" },
        ],
      },
      "going 1/2 up",
    ],
    [
      "counts a daemon's nodes once, also those that have the old version yet",
      {
        workloads: [{ ...workload, kind: "daemon" }],
        tasks: [task, { ...task, slot: 2, version: 1 }, { ...pending, slot: 2 }, { ...task, slot: 3, version: 1 }],
      },
      "going 1/3 up: 0 of 1 nodes fit",
    ],
    [
      "goes on while another attempt runs",
      { tasks: [task, { ...task, slot: 1, crashes: 3, health: "starting" }] },
      "going 1/2 up",
    ],
    [
      "goes on after a move, which skips numbers of attempts",
      { tasks: [task, { ...pending, attempt: 7 }] },
      "going 1/2 up: 0 of 1 nodes fit",
    ],
    [
      "is done when nothing of what is removed lives",
      { workloads: [{ ...workload, removing: true }] },
      "done 0 still to end",
    ],
    ["waits for its runs", { workloads: [], runs: [run] }, "going running"],
    [
      "is stuck when no node can run a run of it",
      {
        workloads: [],
        runs: [{ ...run, state: "queued", blocked: "unsatisfiable", reason: "cannot run on any node" }],
      },
      "stuck queued: cannot run on any node",
    ],
    [
      "is stuck when a run failed",
      { workloads: [], runs: [{ ...run, state: "failed", reason: "exit 2" }] },
      "stuck failed: exit 2",
    ],
  ];
  for (const [what, seen, line] of CASES) test(what, () => expect(state(seen)).toBe(line));
});
