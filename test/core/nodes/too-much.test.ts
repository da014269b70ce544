// What is said of a node that gives away more than its machine has.

import { expect, test } from "bun:test";
import { tooMuch } from "../../../src/core/nodes/too-much";
import { GIB } from "../../../src/core/units";

test("a node that gives away more cores or memory than there are is told of each", () => {
  expect(tooMuch({ cpu_milli: 400_000, memory_bytes: 64 * GIB }, { cores: 2, memory_bytes: 8 * GIB })).toEqual([
    "400 cores are given away, and the machine has 2",
    "64GiB of memory are given away, and the machine has 8GiB",
  ]);
});

test("a share, and a machine that says nothing of itself, are no matter", () => {
  expect(tooMuch({ cpu_milli: 2_000, memory_bytes: 8 * GIB }, { cores: 2, memory_bytes: 8 * GIB })).toEqual([]);
  expect(tooMuch({ cpu_milli: 400_000, memory_bytes: 64 * GIB }, {})).toEqual([]);
});
