// What an agent makes of a stop: it reaches whatever the agent has made of the attempt, with or without records.

import { describe, expect, test } from "bun:test";
import { accept, type Accepted } from "../../../src/core/agent/accept";
import { endWithoutResult } from "../../../src/core/agent/ending";
import type { Fence } from "../../../src/core/agent/fence";
import { successorUid } from "../../../src/core/fresh";
import type { Stamp, TaskRecord, Verb } from "../../../src/core/model/record";
import { assignmentFor, FENCE as NO_FENCE, recordFor } from "../../support/tasks";

const FENCE: Fence & Stamp = { ...NO_FENCE, revision: 5 };
const FIRST = "f".repeat(32);
const SECOND = successorUid(FIRST, 2);
const THIRD = successorUid(SECOND, 3);
const STOP: Verb = {
  verb: "stop",
  uid: FIRST,
  attempt: 1,
  assigned_revision: 3,
  signal: "TERM",
  grace_ms: 1_000,
  why: "scaled to 0",
};

function stopped(
  begun: Readonly<Record<string, "alive" | "over">>,
  records: readonly TaskRecord[] = [],
  over: Partial<Fence> = {},
  claimed: readonly string[] = [],
): Accepted {
  const accepted = accept(
    {
      fence: { ...FENCE, revision: 0, ...over },
      records: new Map(records.map((record) => [record.assignment.uid, record])),
      claimed: (uid) => uid in begun || claimed.includes(uid),
      begun: (uid) => begun[uid] ?? "no",
      boot_id: "b",
      now_ms: 1,
    },
    FENCE,
    1,
    [STOP],
  );
  if (accepted === null) throw new Error("it was dropped");
  return accepted;
}

const reported = ({ reports }: Accepted): readonly (readonly [string, string])[] =>
  reports.map(({ uid, reported: { state } }) => [uid, state]);

test("a stop reaches a successor that a crash has left beside an attempt without an end", () => {
  const grant = { grant_until: 4 };
  const first = recordFor(assignmentFor("true", { ...grant, uid: FIRST }));
  const { identity } = first.assignment;
  const second = recordFor(assignmentFor("true", { ...grant, uid: SECOND, identity: { ...identity, attempt: 2 } }));
  const { records } = stopped({ [FIRST]: "over" }, [first, second]);
  expect(records.map(({ assignment, stop }) => [assignment.uid, stop?.why])).toEqual([
    [FIRST, "scaled to 0"],
    [SECOND, "scaled to 0"],
  ]);
});

describe("a stop for an attempt without a record", () => {
  test("that never was here claims it", () => {
    const accepted = stopped({});
    expect(accepted.claims).toEqual([FIRST]);
    expect(reported(accepted)).toEqual([[FIRST, "stopped"]]);
  });

  test("that was assigned before this disk was new is unknown, and no claim says that it never began", () => {
    for (const since of [3, 4]) {
      const accepted = stopped({}, [], { since });
      expect(accepted.claims).toEqual([]);
      expect(reported(accepted)).toEqual([[FIRST, "unknown"]]);
      expect(accepted.reports[0]?.reported).toMatchObject({ cause: "no_record" });
    }
    expect(reported(stopped({}, [], { since: 2 }))).toEqual([[FIRST, "stopped"]]);
  });

  test("that had come is unknown, unless it was stopped before it came", () => {
    for (const revision of [3, 4]) {
      const accepted = stopped({}, [], { revision });
      expect(accepted.claims).toEqual([]);
      expect(reported(accepted)).toEqual([[FIRST, "unknown"]]);
      expect(reported(stopped({}, [], { revision }, [FIRST]))).toEqual([[FIRST, "stopped"]]);
    }
    expect(reported(stopped({}, [], { revision: 2 }))).toEqual([[FIRST, "stopped"]]);
  });

  test("ends what lives of it also on a newer disk", () => {
    const accepted = stopped({ [FIRST]: "alive" }, [], { since: 4 });
    expect(accepted.strays).toMatchObject([{ uid: FIRST, of: FIRST }]);
    expect(reported(accepted)).toEqual([]);
  });

  test("ends what lives of it, and tells its end later", () => {
    const accepted = stopped({ [FIRST]: "alive" });
    expect(accepted.strays).toMatchObject([{ uid: FIRST, of: FIRST }]);
    expect(reported(accepted)).toEqual([]);
  });

  test("ends a later attempt that lives without a record, too", () => {
    const accepted = stopped({ [SECOND]: "over", [THIRD]: "alive" });
    expect(accepted.strays).toMatchObject([{ uid: THIRD, of: FIRST }]);
    expect(accepted.claims).toEqual([FIRST]);
    expect(reported(accepted)).toEqual([]);
  });

  test("stops a later attempt by its record", () => {
    const accepted = stopped({ [SECOND]: "alive" }, [recordFor(assignmentFor("true", { uid: SECOND }))]);
    expect(accepted.records).toMatchObject([{ assignment: { uid: SECOND }, stop: { why: "scaled to 0" } }]);
    expect(accepted.strays).toMatchObject([{ uid: SECOND, of: FIRST }]);
  });

  test("tells no end of what nobody can say how it went", () => {
    expect(reported(stopped({ [SECOND]: "over" }))).toEqual([[FIRST, "unknown"]]);
  });
});

test("a part of the newest changes takes back neither the revision nor the newest stamp", () => {
  const passed = { timeline: "t", epoch: 1, revision: 9, signature: "newest" };
  const { fence } = stopped({}, [], { revision: 7, passed });
  expect([fence.applied_n, fence.revision, fence.passed]).toEqual([1, 7, passed]);
  expect(stopped({}, [], { revision: 3, passed: { ...passed, revision: 4 } }).fence.passed?.revision).toBe(5);
});

describe("changed settings", () => {
  const settings = {
    stop: { signal: "INT", grace_ms: 3_000 },
    restart: { backoff_min_ms: 2_000, backoff_max_ms: 9_000, attempts: 4 },
    time_limit_ms: 60_000,
  };
  const set = (records: readonly TaskRecord[]): readonly TaskRecord[] =>
    accept(
      {
        fence: { ...FENCE, revision: 0 },
        records: new Map(records.map((record) => [record.assignment.uid, record])),
        claimed: () => true,
        begun: () => "alive",
        boot_id: "b",
        now_ms: 7,
      },
      FENCE,
      1,
      [{ verb: "set", uid: FIRST, settings }],
    )?.records ?? [];

  test("reach an attempt and what the agent has made of it, and nothing that has ended", () => {
    const first = recordFor(assignmentFor("true", { uid: FIRST }));
    const second = recordFor(
      assignmentFor("true", { uid: SECOND, identity: { ...first.assignment.identity, attempt: 2 } }),
    );
    const changed = set([first, second]);
    expect(changed.map(({ assignment, limit_ms }) => [assignment.uid, assignment.stop.signal, limit_ms])).toEqual([
      [FIRST, "INT", 7],
      [SECOND, "INT", 7],
    ]);
    // What the node was granted with the attempt stays.
    expect(changed[0]?.assignment.restart).toEqual({ ...first.assignment.restart, ...settings.restart });
    const end = endWithoutResult("stopped", null, "", 1);
    expect(set([{ ...first, end }])).toEqual([]);
    expect(set([])).toEqual([]);
  });

  test("that are the same are not written again, and a limit that stays counts as before", () => {
    const first = recordFor(assignmentFor("true", { uid: FIRST }));
    const [changed] = set([first]);
    expect(changed === undefined ? null : set([changed])).toEqual([]);
    const limited = recordFor(assignmentFor("true", { uid: FIRST, time_limit_ms: 60_000 }));
    expect(set([limited])[0]).not.toHaveProperty("limit_ms");
  });
});
