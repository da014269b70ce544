// A journal of elements that was cut at any byte, or has any bit of it flipped: nothing of it is invented, what had
// begun never counts as unbegun, and no more is lost than what the damaged lines may have said.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  backLine,
  beganLine,
  ELEMENTS,
  endedLine,
  mayLine,
  onlyLine,
  openLine,
} from "../../../src/agent/tasks/element-journal";
import { ElementReader, journalIn } from "../../../src/agent/tasks/element-reader";
import { endWithoutResult } from "../../../src/core/agent/ending";
import type { ElementResult } from "../../../src/core/model/array";
import type { RecordEnd } from "../../../src/core/model/end";
import { makeScratch, removeScratch } from "../../support/scratch";

const ORDER = { parts: [[10, 19]] as const, places: 2, round: 1, first: 0, step: 1 };
const DIED = endWithoutResult("unknown", "result_unknown", "its keeper died", 1);
const REBOOTED = endWithoutResult("gone", "node_rebooted", "the machine was restarted", 1);
const OVER: RecordEnd = { ...DIED, state: "succeeded", started_ms: 1 };

interface Fact {
  readonly line: string;
  readonly word: "may" | "began" | "ended" | "back" | "only" | "open";
  readonly position: number;
  readonly result?: ElementResult;
}

const fact = (word: Fact["word"], position: number, line: string): Fact => ({ line, word, position });
const began = (position: number, place: number): Fact => fact("began", position, beganLine(position, place, 1_000));
const ended = (position: number, end: number | string, why?: string): Fact => ({
  ...fact("ended", position, endedLine(position, end, 7, why)),
  result: why === undefined ? [10 + position, end, 7] : [10 + position, end, 7, why],
});

/** What a keeper writes, line by line: of the elements 0 to 9 of the order, 0 to 5 begin, and 5 goes back. */
const FACTS: readonly Fact[] = [
  fact("may", 4, mayLine(4)),
  began(0, 0),
  began(1, 1),
  ended(0, 0),
  began(2, 0),
  ended(2, "KILL", "out of memory"),
  fact("may", 8, mayLine(8)),
  began(3, 0),
  ended(1, 111),
  began(4, 1),
  ended(3, "RTMIN+1"),
  began(5, 0),
  fact("only", 6, onlyLine(6)),
  fact("back", 5, backLine(5)),
  fact("open", 1, openLine(1)),
  ended(4, 3),
];
/** Journals that end after each of these lines. */
const JOURNALS = FACTS.map((_, at) => FACTS.slice(0, at + 1));

let dir: string;
beforeAll(() => {
  dir = makeScratch("damage");
});
afterAll(() => removeScratch(dir));

/** Returns what is told of a batch with this journal, by index. */
function told(journal: Uint8Array, end: RecordEnd): Map<number, ElementResult> {
  writeFileSync(join(dir, ELEMENTS), journal);
  const results = new ElementReader(
    ORDER,
    journalIn(() => dir),
  ).resultsAtEnd(end, () => true);
  expect(new Set(results.map(([index]) => index)).size).toBe(results.length);
  return new Map(results.map((result) => [result[0], result]));
}

const bytesOf = (facts: readonly Fact[]): Buffer => Buffer.from(facts.map(({ line }) => line).join(""));
const positionsOf = (facts: readonly Fact[], word: Fact["word"]): number[] =>
  facts.filter((one) => one.word === word).map(({ position }) => position);
const isWithoutEnd = ([, end]: ElementResult): boolean => end === "unknown" || end === "lost";

/** Returns what is wrong with what is told of a journal in which `damaged` lines cannot be read. */
function wrongs(facts: readonly Fact[], damaged: readonly Fact[], journal: Uint8Array, end: RecordEnd): string[] {
  const now = told(journal, end);
  const before = told(bytesOf(facts), end);
  const results = new Map(facts.flatMap(({ result }) => (result === undefined ? [] : [[result[0], result] as const])));
  const invented = [...now.values()].filter(
    (one) => !isWithoutEnd(one) && JSON.stringify(one) !== JSON.stringify(results.get(one[0])),
  );
  const wentBack = positionsOf(facts, "back");
  const unbegun = positionsOf(facts, "began").filter((at) => !wentBack.includes(at) && !now.has(10 + at));
  const changed = [...new Set([...now.keys(), ...before.keys()])].filter(
    (index) => JSON.stringify(now.get(index)) !== JSON.stringify(before.get(index)),
  );
  // After the last line that can be read, a damaged one may say of as many elements that they begin as it has room for.
  const bytes = damaged.reduce((sum, { line }) => sum + line.length, 0);
  const most = damaged.length + Math.floor(bytes / beganLine(0, 0, 0).length);
  // What a line says of how many may begin concerns all that had not begun.
  const isOfMany = end === REBOOTED || damaged.some(({ word }) => word === "only");
  return [
    ...invented.map((one) => `invented: ${JSON.stringify(one)}`),
    ...unbegun.map((at) => `has begun, and counts as unbegun: ${at}`),
    ...(changed.length > most && !isOfMany ? [`lost: ${changed.join()}`] : []),
  ];
}

/** Returns the lines of which a byte is one: also the next one where it is the end of a line. */
function linesAt(facts: readonly Fact[], byte: number): Fact[] {
  let from = 0;
  for (const [at, one] of facts.entries()) {
    const to = from + one.line.length;
    if (byte < to) return facts.slice(at, byte === to - 1 ? at + 2 : at + 1);
    from = to;
  }
  return [];
}

function* flipped(facts: readonly Fact[], bits: (byte: number) => readonly number[]) {
  const whole = bytesOf(facts);
  for (let byte = 0; byte < whole.length; byte++)
    for (const bit of bits(byte)) {
      const journal = Buffer.from(whole);
      journal[byte] = journal[byte]! ^ (1 << bit);
      yield { byte, bit, journal, damaged: linesAt(facts, byte) };
    }
}

const ENDS = [
  ["is over", OVER],
  ["died with its keeper", DIED],
  ["died with its machine", REBOOTED],
] as const;

test.each(ENDS)("with any bit flipped it tells nothing false of a batch that %s", (_, end) => {
  const found: string[] = [];
  for (const { byte, bit, journal, damaged } of flipped(FACTS, () => [0, 1, 2, 3, 4, 5, 6, 7]))
    found.push(...wrongs(FACTS, damaged, journal, end).map((why) => `${byte}.${bit}: ${why}`));
  expect(found).toEqual([]);
});

test.each(ENDS.slice(1))("with a bit flipped in any byte, after any of its lines, of a batch that %s", (_, end) => {
  const found: string[] = [];
  for (const facts of JOURNALS)
    for (const { byte, bit, journal, damaged } of flipped(facts, (at) => [at % 8]))
      found.push(...wrongs(facts, damaged, journal, end).map((why) => `${facts.length}: ${byte}.${bit}: ${why}`));
  expect(found).toEqual([]);
});

test("cut at any byte it says what its whole lines say, and a line that lacks its end only is whole", () => {
  const whole = bytesOf(FACTS);
  const ends = JOURNALS.map((facts) => bytesOf(facts).length);
  for (let size = 0; size <= whole.length; size++) {
    const facts = ends.filter((end) => end - 1 <= size).length;
    for (const [, end] of ENDS)
      expect([size, told(whole.subarray(0, size), end)]).toEqual([size, told(bytesOf(FACTS.slice(0, facts)), end)]);
  }
});

test("with a line that has no end and no limit it is read on", () => {
  const noise = Buffer.alloc(600_000, "x");
  const [before, after] = [bytesOf(FACTS.slice(0, 3)), bytesOf(FACTS.slice(3))];
  const journal = Buffer.concat([before, noise, Buffer.from("\n"), after]);
  expect(told(journal, OVER)).toEqual(told(bytesOf(FACTS), OVER));
});

/** A journal as the first release with arrays wrote it: it is read as it was then, whatever release comes. */
const OF_THEN = `27282fec may 64
35331f52 began 0 0 1000
45c2fcff began 1 1 1001
9f3557af ended 0 0 12
9d5dfccc ended 1 KILL 3 "out of memory"
99187903 began 2 0 1002
e9e99aae began 3 1 1003
17e96897 back 3
f0821e73 only 4
3b593960 open 1
`;

test("as the first release wrote it, it says what it said", () => {
  expect([...told(Buffer.from(OF_THEN), DIED).values()]).toEqual([
    [10, 0, 12],
    [11, "KILL", 3, "out of memory"],
    [12, "unknown", 0, "its keeper died while it ran"],
  ]);
});
