// What an agent starts beside what lives on it: a card in question is given to nobody, and the one who waits says why.

import { describe, expect, test } from "bun:test";
import { admit, type AdmissionDevice } from "../../../src/core/agent/admit";
import { reportOf } from "../../../src/core/agent/report";
import { ADMISSION_DEADLINE_MS, step } from "../../../src/core/agent/step";
import type { Seen, TaskRecord } from "../../../src/core/model/record";
import { GIB } from "../../../src/core/units";
import { assignmentFor, recordFor, viewOf } from "../../support/tasks";

const CAPACITY = { cpu_milli: 10_000, memory_bytes: 64 * GIB, disk_bytes: 0, countables: {} };
const WHY = "is checked before it is used again after 12";

function wanting(id: string, bytes: number | null, accepted_ms = 0): TaskRecord {
  const { promised } = assignmentFor("true");
  const record = recordFor(assignmentFor("true", { promised: { ...promised, devices: [{ id, bytes }] } }));
  return { ...record, accepted_ms };
}

const card = (id: string, blocked: string | null = null): AdmissionDevice => ({ id, memory_bytes: 24 * GIB, blocked });
const alive: Seen = { claimed: true, process: { is: "alive", handle: { pid: 7 }, started_ms: 0 } };

function lacking(
  devices: readonly AdmissionDevice[],
  record: TaskRecord,
  living: readonly TaskRecord[] = [],
): string | null {
  const all = [...living, record];
  const { lacking: found } = admit({
    records: new Map(all.map((one) => [one.assignment.uid, one])),
    seen: new Map(living.map((one) => [one.assignment.uid, alive])),
    capacity: CAPACITY,
    devices,
    unreadable: [],
    busy: new Set(),
    reserved: new Set(),
  });
  return found.get(record.assignment.uid) ?? null;
}

const [WHOLE, PART] = [wanting("a", null), wanting("a", 16 * GIB)];

const cases: readonly (readonly [string, string | null, string | null])[] = [
  ["a free card", lacking([card("a")], wanting("a", null)), null],
  ["a card that is not here", lacking([card("a")], wanting("b", null)), "device b is not here"],
  ["a card in question", lacking([card("a", WHY)], wanting("a", null)), `device a ${WHY}`],
  ["a share of a card in question", lacking([card("a", WHY)], wanting("a", GIB)), `device a ${WHY}`],
  ["another card than the one in question", lacking([card("a", WHY), card("b")], wanting("b", null)), null],
  [
    "a card that somebody has",
    lacking([card("a")], wanting("a", GIB), [WHOLE]),
    `device a is still held by ${WHOLE.assignment.name}`,
  ],
  ["a share beside another", lacking([card("a")], wanting("a", 8 * GIB), [wanting("a", 16 * GIB)]), null],
  [
    "a share that is too much beside another",
    lacking([card("a")], wanting("a", 9 * GIB), [PART]),
    `device a is still held by ${PART.assignment.name}`,
  ],
];

describe("admission of", () => {
  for (const [what, found, expected] of cases) {
    test(`${what}: ${expected ?? "yes"}`, () => expect(found).toBe(expected));
  }
});

describe("a machine's room", () => {
  const room = (records: readonly TaskRecord[], seen: ReadonlyMap<string, Seen>, busy: readonly TaskRecord[]) =>
    admit({
      records: new Map(records.map((one) => [one.assignment.uid, one])),
      seen,
      capacity: CAPACITY,
      devices: [card("a")],
      unreadable: [],
      busy: new Set(busy.map(({ assignment }) => assignment.uid)),
      reserved: new Set(busy.map(({ assignment }) => assignment.uid)),
    }).admitted;
  const stop = { signal: "TERM", grace_ms: 1_000, why: "it is not wanted", at_ms: 1 };

  test("is still a task's whose start was ordered, also when a stop has come since", () => {
    const [starting, next] = [{ ...wanting("a", null), stop }, wanting("a", null, 1)];
    expect([...room([starting, next], new Map(), [starting])]).toEqual([starting.assignment.uid]);
  });

  test("is no task's that was stopped before it began", () => {
    const [stopped, next] = [{ ...wanting("a", null), stop }, wanting("a", null, 1)];
    const claimed: Seen = { claimed: true, process: { is: "none" } };
    const seen = new Map([[stopped.assignment.uid, claimed]]);
    expect([...room([stopped, next], seen, [])]).toEqual([next.assignment.uid]);
  });
});

test("a task says what its card waits for, and is turned away with it when that takes too long", () => {
  const record = wanting("a", null, 1_000);
  const { uid } = record.assignment;
  const at = (now_ms: number) => step(viewOf([record], { now_ms, capacity: CAPACITY, devices: [card("a", WHY)] }));
  const first = at(2_000);
  expect(first.actions).toEqual([]);
  const context = {
    now_ms: 2_000,
    reserved: first.reserved,
    lacking: first.lacking,
    blocked: new Map(),
    fetching: new Map(),
    records: new Map([[uid, record]]),
    tail: () => null,
  };
  expect(reportOf(record, undefined, context).reported).toMatchObject({
    state: "preparing",
    reason: `waits for room on its node: device a ${WHY}`,
  });
  expect(at(1_000 + ADMISSION_DEADLINE_MS).actions).toMatchObject([
    { do: "claim", end: { state: "rejected", reason: `no room on the node: device a ${WHY}` } },
  ]);
});
