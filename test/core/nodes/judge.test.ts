// Verdicts on tests as a table: what fails a node, what is only said of it, what it is compared with, in which words.

import { describe, expect, test } from "bun:test";
import {
  comparedAgain,
  judge,
  overdue,
  saidOfTwins,
  slowerBy,
  twinsOf,
  type Judging,
} from "../../../src/core/nodes/judge";
import type { NodeRow } from "../../../src/core/model/rows-node";
import type { NodeTesting, NodeTests, TestResult } from "../../../src/core/model/node-tests";
import { buildDevice, buildNode, NOW_MS } from "../../support/build";

const order: NodeTesting = { id: "o", why: "it joined", by: "server", at_ms: NOW_MS, commands: [] };
const result = (name: string, part: Partial<TestResult> = {}): TestResult => ({
  name,
  verdict: "passed",
  required: true,
  detail: "",
  value: null,
  unit: null,
  took_ms: 1,
  ...part,
});
const rate = (name: string, value: number): TestResult => result(name, { value, unit: "MB/s" });
const time = (name: string, value: number): TestResult => result(name, { value, unit: "ms" });
const judged = (results: readonly TestResult[], part: Partial<Judging> = {}): NodeTests =>
  judge({ node: buildNode("n1"), order, results, at_ms: NOW_MS, past: [], twins: [], busy: 0, ...part });
const twin = (name: string, ...results: readonly TestResult[]): NodeRow =>
  buildNode(name, { tests: { ...judged(results), node_id: name } });
const past = (...values: readonly number[]): NodeTests[] => values.map((value) => judged([rate("disk_write", value)]));

describe("a verdict", () => {
  const failed: Partial<TestResult> = { verdict: "failed", detail: "it is broken" };
  const cases: readonly (readonly [string, readonly TestResult[], NodeTests["verdict"], string | null])[] = [
    ["all is well", [result("cpu"), result("memory")], "passed", null],
    ["something required failed", [result("cpu"), result("disk_write", failed)], "failed", "it is broken"],
    ["a command failed", [result("dcgm", failed)], "failed", "dcgm: it is broken"],
    ["something advisory failed", [result("gpu G", { ...failed, required: false })], "passed", "G: it is broken"],
    ["something is worth a look", [result("clock", { verdict: "warned", detail: "2s ahead" })], "passed", "2s ahead"],
    ["something was skipped", [result("network", { verdict: "skipped", detail: "lost" })], "passed", null],
    [
      "what failed is said first",
      [result("clock", { verdict: "warned", detail: "b" }), result("cpu", failed)],
      "failed",
      "it is broken; b",
    ],
    ["only the first line is said", [result("dcgm", { verdict: "failed", detail: "one\ntwo" })], "failed", "dcgm: one"],
    ["there are no results", [], "failed", "its agent gave no results"],
  ];
  test.each(cases)("%s", (_what, results, verdict, reason) => {
    expect(judged(results)).toMatchObject({ id: "o", node_id: "n1", fingerprint: "machine-n1", verdict, reason });
  });

  test("names its first reasons and counts the rest, cards by what tells them apart", () => {
    const cards = [1, 2, 3, 4, 5].map((n) => `gpu GPU-0000000${n}-1111-2222-3333-444444444444`);
    const gone = cards.map((name) => ({ ...result(name), verdict: "warned" as const, detail: "it is gone" }));
    expect(judged(gone).reason).toBe(
      "GPU-00000001: it is gone; GPU-00000002: it is gone; GPU-00000003: it is gone; 2 more",
    );
  });

  test("demands every command that was ordered", () => {
    const commands = [
      { name: "must", argv: ["true"], timeout_ms: 1, required: true },
      { name: "may", argv: ["true"], timeout_ms: 1, required: false },
    ];
    const { verdict, reason } = judged([result("cpu")], { order: { ...order, commands } });
    expect([verdict, reason]).toEqual(["failed", "must: its agent gave no result; may: its agent gave no result"]);
  });

  test("on tests that did not end says how long they had", () => {
    expect(overdue(buildNode("n1"), order, NOW_MS, 600_000)).toMatchObject({
      verdict: "failed",
      reason: "its tests did not end within 10m",
      results: [],
    });
  });
});

describe("slower", () => {
  test.each([
    ["a rate, by its share", { value: 60, unit: "MB/s" }, 100, 0.4],
    ["a faster rate, by nothing", { value: 160, unit: "MB/s" }, 100, 0],
    ["a time, by its speed", { value: 50, unit: "ms" }, 20, 0.6],
    ["a time that hardly differs, by nothing", { value: 4, unit: "ms" }, 0.5, 0],
    ["a mere yes, by nothing", { value: null, unit: null }, 100, 0],
  ] as const)("%s", (_what, one, other, share) => expect(slowerBy(one, other)).toBeCloseTo(share, 6));
});

describe("the past", () => {
  const reasonOf = (value: number, earlier: readonly NodeTests[]): string | null =>
    judged([rate("disk_write", value)], { past: earlier }).reason;

  test("is the median of the last tests of the same machine", () => {
    expect(reasonOf(60, past(100, 90, 110))).toBe("writes 40 % slower than it was in its last 3 tests");
    expect(reasonOf(80, past(100, 90, 110))).toBeNull();
    expect(judged([rate("disk_write", 80)], { past: past(100, 90) }).results[0]?.past).toEqual({ value: 95, count: 2 });
  });
  test("needs more than one", () => expect(reasonOf(10, past(100))).toBeNull());
  test("of another machine does not count", () => {
    const others = past(100, 100, 100).map((tests) => ({ ...tests, fingerprint: "another" }));
    expect(reasonOf(10, others)).toBeNull();
  });
  test("does not hold what failed", () => {
    const broken = past(100, 100).map((tests) => ({
      ...tests,
      results: tests.results.map((one) => ({ ...one, verdict: "failed" as const })),
    }));
    expect(reasonOf(10, broken)).toBeNull();
  });
  test("is not compared with what was measured beside tasks, which is none for later either", () => {
    const busy = judged([rate("disk_write", 10)], { past: past(100, 100), busy: 2 });
    expect(busy.reason).toBeNull();
    expect(busy.results[0]).toMatchObject({ value: null, detail: "10 MB/s beside 2 tasks, not compared" });
    expect(reasonOf(60, [busy, ...past(100, 100)])).toBe("writes 40 % slower than it was in its last 2 tests");
  });
});

describe("twins", () => {
  const twins = [twin("n2", rate("disk_write", 100)), twin("n3", rate("disk_write", 110))];

  test("that are faster are named", () => {
    expect(judged([rate("disk_write", 63)], { twins }).reason).toBe("writes 40 % slower than n2 and n3");
    const five = ["a", "b", "c", "d", "e"].map((name) => twin(name, rate("cpu", 100)));
    expect(judged([rate("cpu", 50)], { twins: five }).reason).toBe("computes 50 % slower than a, b, c and 2 more");
  });
  test("times are compared, too", () => {
    const quick = [twin("n2", time("disk_sync", 4))];
    expect(judged([time("disk_sync", 16)], { twins: quick }).reason).toBe("syncs 75 % slower than n2");
  });
  test("that are as slow are no reason", () => {
    expect(judged([rate("disk_write", 90)], { twins }).reason).toBeNull();
  });
  test("are of the same make, the oldest first", () => {
    const card = buildDevice("G", { model: "A100" });
    const tested = twin("x", rate("cpu", 1)).tests;
    const machine = (name: string, part: Parameters<typeof buildNode>[1]): NodeRow =>
      buildNode(name, { boot_id: `boot of ${name}`, tests: tested, devices: [card], ...part });
    const nodes = [
      machine("same", { ordinal: 2 }),
      machine("older", { ordinal: 1, devices: [buildDevice("H", { model: "A100" })] }),
      machine("another-cpu", { facts: { cpu_model: "else" } }),
      machine("another-card", { devices: [buildDevice("I", { model: "H100" })] }),
      machine("untested", { tests: null }),
      machine("beside", { boot_id: "boot of own" }),
    ];
    const own = machine("own", {});
    expect(twinsOf([own, ...nodes], own).map(({ name }) => name)).toEqual(["older", "same"]);
  });
  test("that come later change what was said", () => {
    const first = judged([rate("disk_write", 60)]);
    expect([first.reason, saidOfTwins(first)]).toEqual([null, ""]);
    const again = comparedAgain(first, twins);
    expect(again.reason).toBe("writes 43 % slower than n2 and n3");
    expect(saidOfTwins(again)).not.toBe(saidOfTwins(first));
    expect(saidOfTwins(comparedAgain(again, twins))).toBe(saidOfTwins(again));
    expect(saidOfTwins(comparedAgain(again, twins.slice(0, 1)))).not.toBe(saidOfTwins(again));
    expect(again.verdict).toBe("passed");
  });
});
