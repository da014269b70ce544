// Arrays as they are typed, their elements by number and index, and lists of elements as ranges.

import { describe, expect, test } from "bun:test";
import {
  countOf,
  indexOf,
  isElementEnd,
  isIn,
  joined,
  labelOf,
  numberAt,
  parseArray,
  partsOf,
  sayArray,
  sizeOf,
  split,
} from "../../../src/core/model/array";

describe("an array", () => {
  test.each([
    ["0-99", { first: 0, last: 99, step: 1, limit: null }, 100],
    ["1-9:2", { first: 1, last: 9, step: 2, limit: null }, 5],
    ["0-10:4%8", { first: 0, last: 10, step: 4, limit: 8 }, 3],
    ["7-7", { first: 7, last: 7, step: 1, limit: null }, 1],
  ])("%s is read, counted and written again", (text, array, count) => {
    expect(parseArray(text)).toEqual(array);
    expect(countOf(array)).toBe(count);
    expect(sayArray(array)).toBe(text);
  });

  test.each([
    ["9-0", "ends before it begins: 0 is below 9"],
    ["0-9:0", "steps by 0, so that nothing would run"],
    ["0-9%0", "runs by 0, so that nothing would run"],
    ["0-1000000", "has 1000001 elements: 1000000 are the most"],
    ["0-999999999", "has 1000000000 elements: 1000000 are the most"],
    ["2147483646-2147483647", "goes beyond 9999999, the highest number"],
    ["0-9%99999999", "goes beyond 9999999, the highest number"],
    ["1,2,3", "is none of 0-99, 0-99%8 (8 at once), 0-99:2 and 0-99:2%8"],
    ["-1-4", "is none of 0-99, 0-99%8 (8 at once), 0-99:2 and 0-99:2%8"],
  ])("%s is refused", (text, wrong) => {
    expect(parseArray(text)).toEqual({ wrong });
  });

  test("has elements with numbers", () => {
    const array = { first: 5, last: 14, step: 3, limit: null };
    expect([0, 1, 2, 3].map((index) => numberAt(array, index))).toEqual([5, 8, 11, 14]);
    expect([5, 14, 6, 2, 17].map((number) => indexOf(array, number))).toEqual([0, 3, null, null, null]);
    expect(labelOf(array, [[0, 0]])).toBe("5");
    expect(labelOf(array, [[0, 3]])).toBe("5-14:3");
    const numbers = { first: 0, step: 1 };
    const many = [2, 4, 6, 8].map((index) => [index, index] as const);
    expect(labelOf(numbers, [[0, 99]])).toBe("0-99");
    expect(labelOf(numbers, many)).toBe("2,4,6,…");
  });
});

describe("elements as ranges", () => {
  test("are made of indices, joined and split", () => {
    const parts = partsOf([7, 1, 2, 3, 9, 8]);
    expect(parts).toEqual([
      [1, 3],
      [7, 9],
    ]);
    expect(sizeOf(parts)).toBe(6);
    expect([0, 1, 3, 4, 9].map((index) => isIn(parts, index))).toEqual([false, true, true, false, true]);
    expect(joined(parts, [[4, 5]])).toEqual([
      [1, 5],
      [7, 9],
    ]);
    expect(joined(parts, [[4, 6]])).toEqual([[1, 9]]);
    expect(split(parts, 4)).toEqual([
      [
        [1, 3],
        [7, 7],
      ],
      [[8, 9]],
    ]);
    expect(split(parts, 0)).toEqual([[], parts]);
    expect(split(parts, 10)).toEqual([parts, []]);
  });
});

test("the ends of elements are codes, signals and three words", () => {
  expect([0, 255, "KILL", "RTMIN+3", "unknown", "lost", "stopped"].every(isElementEnd)).toBe(true);
  expect([256, -1, 1.5, "", "kill", "SIG KILL", "gone", "+1.0.0", "-"].some(isElementEnd)).toBe(false);
});
