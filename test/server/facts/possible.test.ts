// What was found possible is known for a moment, and not beyond a change of the nodes or of people.

import { expect, test } from "bun:test";
import type { Change } from "../../../src/core/model/rows-state";
import { createPossible } from "../../../src/server/facts/possible";
import { buildNode } from "../../support/build";
import { buildUser } from "../../support/users";
import { port } from "../../store/scratch";

function made() {
  const clock = { at_ms: 0 };
  let told: (revision: number, changes: readonly Change[]) => void = () => undefined;
  const onCommit = (listener: typeof told) => {
    told = listener;
    return () => undefined;
  };
  const possible = createPossible({ onCommit }, () => clock.at_ms);
  return { clock, possible, commit: (change: Change) => told(1, [change]) };
}

test("a request is known for a second, and no other is", () => {
  const { clock, possible } = made();
  possible.note("a");
  expect([possible.isKnown("a"), possible.isKnown("b")]).toEqual([true, false]);
  clock.at_ms = 999;
  expect(possible.isKnown("a")).toBe(true);
  clock.at_ms = 1_000;
  expect(possible.isKnown("a")).toBe(false);
});

test("a change of a node or of a person ends it, and no other change does", () => {
  const { possible, commit } = made();
  const node = buildNode("n1");
  const user = buildUser("bob");
  const ends: readonly (readonly [Change, boolean])[] = [
    [port("p"), true],
    [{ table: "nodes", key: node.id, row: node }, false],
    [{ table: "nodes", key: node.id, row: null }, false],
    [{ table: "users", key: user.name, row: user }, false],
  ];
  for (const [change, stays] of ends) {
    possible.note("a");
    commit(change);
    expect([change.table, possible.isKnown("a")]).toEqual([change.table, stays]);
  }
});
