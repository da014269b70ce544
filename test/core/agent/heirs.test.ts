// Heirs on their node: they begin when those before them have their ends in the journal, never beside them, and are
// taken back only while they have not begun.

import { describe, expect, test } from "bun:test";
import { accept } from "../../../src/core/agent/accept";
import { endOfExit, endWithoutResult } from "../../../src/core/agent/ending";
import { reportOf } from "../../../src/core/agent/report";
import { ADMISSION_DEADLINE_MS, step, type AgentView } from "../../../src/core/agent/step";
import type { Seen, TaskRecord, Verb } from "../../../src/core/model/record";
import { assignmentFor, recordFor, viewOf } from "../../support/tasks";

const NOW_MS = 1_000_000;
const promised = { ...assignmentFor("true").promised, cpu_milli: 1_000, memory_bytes: 1 };
const CAPACITY = { cpu_milli: 2_000, memory_bytes: 1e9, disk_bytes: 0, countables: {} };

const first = recordFor(assignmentFor("true", { promised }));
const heir = recordFor(assignmentFor("true", { promised, heir_of: [first.assignment.uid] }));
const second = recordFor(assignmentFor("true", { promised, heir_of: [first.assignment.uid, heir.assignment.uid] }));
const end = endWithoutResult("stopped", null, "it is over", NOW_MS);
const alive: Seen = { claimed: true, process: { is: "alive", handle: { pid: 7 }, started_ms: NOW_MS - 10 } };
const taken = { signal: "TERM", grace_ms: 1_000, why: "its turn has not come", at_ms: NOW_MS, unbegun: true } as const;

const seenOf = (...records: readonly TaskRecord[]): ReadonlyMap<string, Seen> =>
  new Map(records.map(({ assignment }) => [assignment.uid, alive]));

const look = (records: readonly TaskRecord[], over: Partial<AgentView> = {}): AgentView =>
  viewOf(records, { now_ms: NOW_MS, capacity: CAPACITY, heard_ms: NOW_MS, ...over });

const startsOf = (view: AgentView): string[] =>
  step(view).actions.flatMap((action) => (action.do === "start" ? action.uid : []));

describe("an heir", () => {
  const uids = [heir, second].map(({ assignment }) => assignment.uid);

  test.each([
    ["while the one before it lives, although there is room", [first, heir, second], seenOf(first), []],
    ["while its record has no end, although nothing lives", [first, heir], new Map(), [first.assignment.uid]],
    ["from its end on, before the one behind it", [{ ...first, end }, heir, second], new Map(), uids.slice(0, 1)],
    ["not while the heir before it runs", [{ ...first, end }, heir, second], seenOf(heir), []],
    ["when all before it have ended", [{ ...first, end }, { ...heir, end }, second], new Map(), uids.slice(1)],
    ["when those before it are not known here", [heir], new Map(), uids.slice(0, 1)],
  ] as const)("begins %s", (_what, records, seen, expected) => {
    expect(startsOf(look(records, { seen }))).toEqual([...expected]);
  });

  test("waits for its turn as long as it takes, and then for room as long as any other", () => {
    const old = { ...heir, accepted_ms: NOW_MS - 2 * ADMISSION_DEADLINE_MS };
    const small = { ...CAPACITY, cpu_milli: 500 };
    expect(step(look([first, old], { seen: seenOf(first), capacity: small }))).toMatchObject({
      actions: [],
      lacking: new Map(),
      wake_at_ms: null,
    });
    const turned = look([{ ...first, end }, old], { capacity: small });
    expect(step(turned)).toMatchObject({ actions: [], wake_at_ms: NOW_MS + ADMISSION_DEADLINE_MS });
    const [late] = step({ ...turned, now_ms: NOW_MS + ADMISSION_DEADLINE_MS }).actions;
    expect(late).toMatchObject({ do: "claim", end: { cause: "no_room" } });
  });
});

describe("an order to take an heir back", () => {
  const back = { ...heir, stop: taken };

  test("ends one that has not begun", () => {
    const [action] = step(look([first, back], { seen: seenOf(first) })).actions;
    expect(action).toMatchObject({ do: "claim", end: { state: "stopped", started_ms: null } });
  });

  test("is void for one that has: it runs on, ends by itself, and is told as if there were no order", () => {
    expect(step(look([back], { seen: seenOf(back) })).actions).toEqual([]);
    const context = { now_ms: NOW_MS, reserved: new Set<string>(), lacking: new Map(), blocked: new Map() };
    const told = { ...context, fetching: new Map(), records: new Map(), tail: () => null };
    expect(reportOf(back, alive, told).reported).toMatchObject({ state: "running" });
    expect(reportOf(back, undefined, told).reported).toMatchObject({ state: "preparing" });
    const exit = { started_ms: NOW_MS - 10, ended_ms: NOW_MS + 10, exit_code: 0, signal: null, oom: false, left: 0 };
    const said = endOfExit(back, { ...exit, peak_memory_bytes: null, reason: null }, null, {
      asked: null,
      begun_ms: 0,
    });
    expect(said.state).toBe("succeeded");
  });

  test("gives way to one to stop in any case, and not the other way round", () => {
    const { uid, identity } = heir.assignment;
    const order = {
      verb: "stop",
      uid,
      attempt: identity.attempt,
      assigned_revision: 1,
      signal: "INT",
      grace_ms: 5,
    } as const;
    const stop: Verb = { ...order, why: "cancelled" };
    const stamp = {
      cluster_id: "c",
      timeline: "t",
      epoch: 1,
      session: 1,
      revision: 5,
      signature: "",
    };
    const fence = {
      cluster_id: "c",
      timeline: "t",
      epoch: 1,
      session: 1,
      applied_n: 0,
      revision: 5,
      since: 0,
      passed: null,
    };
    const recordsAfter = (record: TaskRecord, verb: Verb) =>
      accept(
        {
          fence,
          records: new Map([[uid, record]]),
          boot_id: heir.boot_id,
          now_ms: NOW_MS,
          claimed: () => false,
          begun: () => "no",
        },
        stamp,
        1,
        [verb],
      )?.records;
    const stopped = { ...heir, stop: { signal: "INT", grace_ms: 5, why: "cancelled", at_ms: NOW_MS } };
    expect(recordsAfter(back, stop)).toEqual([stopped]);
    expect(recordsAfter(heir, { ...stop, unbegun: true })).toMatchObject([{ stop: { unbegun: true } }]);
    expect(recordsAfter(stopped, { ...stop, unbegun: true })).toEqual([]);
  });
});
