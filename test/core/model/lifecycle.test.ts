// The laws of the state tables: every move rises, every state that is not final has an owner and can be reached, and
// final is final.

import { describe, expect, test } from "bun:test";
import { isFinal, mayMove, nodeState, RUN, TASK, type TaskState } from "../../../src/core/model/lifecycle";

interface Rule {
  readonly rank: number;
  readonly owner: string | null;
  readonly to: readonly string[];
}
type Rules = Readonly<Record<string, Rule>>;

const TABLES: readonly (readonly [string, Rules, first: readonly string[]])[] = [
  ["task", TASK, ["assigned"]],
  ["run", RUN, ["waiting", "queued"]],
];

/** Every state that can come of these, in any number of moves. */
function reachedFrom(rules: Rules, first: readonly string[]): string[] {
  const reached = new Set(first);
  for (const state of reached) for (const next of rules[state]?.to ?? []) reached.add(next);
  return [...reached].toSorted();
}

describe.each(TABLES)("a %s", (_name, rules, first) => {
  test("only rises in rank", () => {
    const falls = Object.entries(rules).flatMap(([from, { rank, to }]) =>
      to.filter((next) => (rules[next]?.rank ?? -1) <= rank).map((next) => `${from} to ${next}`),
    );
    expect(falls).toEqual([]);
  });
  test("has one owner until it is over, and then no way out", () => {
    const odd = Object.entries(rules).filter(([, { owner, to }]) => (owner === null) !== (to.length === 0));
    expect(odd.map(([state]) => state)).toEqual([]);
  });
  test("can come to every state, and from every state to an end", () => {
    expect(reachedFrom(rules, first)).toEqual(Object.keys(rules).toSorted());
    const stuck = Object.keys(rules).filter(
      (state) => !reachedFrom(rules, [state]).some((next) => rules[next]?.to.length === 0),
    );
    expect(stuck).toEqual([]);
  });
});

test("reports may skip states, and never go back", () => {
  const states = Object.keys(TASK) as TaskState[];
  for (const from of states) {
    for (const to of states) expect(mayMove(from, to)).toBe(TASK[to].rank > TASK[from].rank);
    expect(isFinal(from)).toBe(TASK[from].rank === TASK.lost.rank);
  }
});

test("a node shows its contact first, then its tests, then what people want of it", () => {
  expect(nodeState("quarantined", "draining", "lost", true)).toBe("lost");
  expect(nodeState("quarantined", "draining", "connected", true)).toBe("quarantined");
  expect(nodeState("ready", "draining", "connected", true)).toBe("draining");
  expect(nodeState("ready", "draining", "connected", false)).toBe("drained");
  expect(nodeState("ready", "schedulable", "connected", true)).toBe("ready");
});
