// A task that is told as ended never lives: what waits is claimed before its end is told, and what lives all the same
// is killed and holds its room until it is gone.

import { describe, expect, test } from "bun:test";
import { admit } from "../../../src/core/agent/admit";
import { endWithoutResult } from "../../../src/core/agent/ending";
import { ADMISSION_DEADLINE_MS, BLOCKED_DEADLINE_MS, step, type AgentView } from "../../../src/core/agent/step";
import type { Seen, TaskRecord } from "../../../src/core/model/record";
import { assignmentFor, recordFor, viewOf } from "../../support/tasks";

const NOW_MS = 1_000_000;
const CAPACITY = { cpu_milli: 1_000, memory_bytes: 1e9, disk_bytes: 0, countables: {} };

const view = (record: TaskRecord, over: Partial<AgentView> = {}): AgentView => {
  const reserved = new Set([record.assignment.uid]);
  return viewOf([record], { reserved, now_ms: NOW_MS, capacity: CAPACITY, heard_ms: NOW_MS, ...over });
};

describe("a start that may have been ordered is claimed before its end is told", () => {
  const { promised } = assignmentFor("true");
  const card = recordFor(assignmentFor("true", { promised: { ...promised, devices: [{ id: "gpu0", bytes: null }] } }));
  const late = { ...card, accepted_ms: NOW_MS - ADMISSION_DEADLINE_MS };
  const since_ms = NOW_MS - BLOCKED_DEADLINE_MS;
  const sick = [{ id: "gpu0", memory_bytes: 1, blocked: "is missing" }];
  const blockedAt = (record: TaskRecord, at: "kept" | "start") =>
    new Map([[record.assignment.uid, { why: "it hangs", since_ms, at }]]);
  const plain = recordFor(assignmentFor("true"));
  const lease = { lease_ms: 60_000, stop: { signal: "TERM", grace_ms: 60_000 } };
  const stop = { signal: "TERM", grace_ms: 1, why: "it is not wanted", at_ms: 0 };
  const { uid } = card.assignment;

  test.each([
    ["by an agent that has not looked at its cards yet", view(late), "no_room"],
    [
      "while its card is blocked, before it has failed for long",
      view(late, { devices: sick, blocked: new Map([[uid, { why: "it hangs", since_ms: NOW_MS, at: "start" }]]) }),
      "no_room",
    ],
    ["that fails for long", view(plain, { blocked: blockedAt(plain, "start") }), "node_unable"],
    ["whose record is owed", view(plain, { blocked: blockedAt(plain, "kept") }), "node_unable"],
    ["whose lease is too short", view(recordFor(assignmentFor("true", lease))), "lease_too_short"],
    ["that was stopped", view({ ...plain, stop }), undefined],
  ] as const)("one %s", (_what, seen, cause) => {
    const [action] = step(seen).actions;
    const state = cause === undefined ? "stopped" : "rejected";
    expect(action).toMatchObject({ do: "claim", end: { state } });
    expect(action?.do === "claim" && action.end.cause).toBe(cause as never);
  });
});

describe("what lives although its end was told", () => {
  const end = endWithoutResult("rejected", "no_room", "no room", 0);
  const record = { ...recordFor(assignmentFor("true")), end };
  const { uid } = record.assignment;
  const seenAs = (process: Seen["process"]) => new Map([[uid, { claimed: true, process }]]);
  const alive: Seen["process"] = { is: "alive", handle: { pid: 7 }, started_ms: 0 };
  const gone: Seen["process"] = { is: "vanished", rebooted: false, why: "" };

  test("is killed, again and again", () => {
    const { actions, wake_at_ms } = step(view(record, { seen: seenAs(alive) }));
    expect(actions).toEqual([{ do: "kill", uid }]);
    expect(wake_at_ms).toBeGreaterThan(NOW_MS);
  });

  test.each([
    ["is alive", alive, []],
    ["is about to begin", { is: "beginning" } as const, []],
    ["is gone", gone, ["next"]],
  ] as const)("and %s has its room accordingly", (_what, process, admitted) => {
    const { promised } = record.assignment;
    const next = recordFor(assignmentFor("true", { uid: "next" }));
    const { cpu_milli } = promised;
    const found = admit({
      ...view(record, { seen: seenAs(process), capacity: { ...CAPACITY, cpu_milli }, reserved: new Set() }),
      records: new Map([record, next].map((one) => [one.assignment.uid, one])),
    });
    expect([...found.admitted]).toEqual([...admitted]);
  });

  test("but nothing is done to one that is gone", () => {
    expect(step(view(record, { seen: seenAs(gone) })).actions).toEqual([]);
  });
});
