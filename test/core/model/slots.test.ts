// Which numbers the replicas of a service have.

import { expect, test } from "bun:test";
import { saySlots, slotsEnd, slotsOf, withoutOf } from "../../../src/core/model/slots";

test.each([
  [0, null, []],
  [3, null, [0, 1, 2]],
  [3, [1], [0, 2, 3]],
  [1, [0, 1, 2], [3]],
  [2, [0, 2], [1, 3]],
])("%d replicas without %p are %p, and the numbers that are missing say so", (replicas, without, slots) => {
  const workload = { settings: { replicas }, without };
  expect(slotsOf(workload)).toEqual(slots);
  expect(slotsEnd(workload)).toBe((slots.at(-1) ?? -1) + 1);
  expect(withoutOf(slots)).toEqual(without);
});

test.each([
  [[], ""],
  [[2], "2"],
  [[0, 1, 2], "0 to 2"],
  [[0, 2, 3, 4, 7], "0, 2 to 4 and 7"],
  [Array.from({ length: 13 }, (_, n) => 2 * n), "0, 2, 4, 6, 8, 10, 12, 14, 16, 18 and 3 ranges more"],
])("%p is said %p", (slots, said) => {
  expect(saySlots(slots)).toBe(said);
});
