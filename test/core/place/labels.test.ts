// Labels that nodes have by themselves, and what is said of a request whose conditions on labels no node meets.

import { expect, test } from "bun:test";
import { labelOf } from "../../../src/core/place/labels";
import { plan } from "../../../src/core/plan/plan";
import type { LabelCheck, Place } from "../../../src/core/model/workload";
import { buildNode, buildRun, buildSnapshot, buildSpec, buildState } from "../../support/build";

const check = (op: LabelCheck["op"], key: string, ...values: string[]): LabelCheck => ({ key, op, values });

test("a node's name is its label `node`, whatever the machine is called", () => {
  expect(labelOf(buildNode("box1"), "node")).toBe("box1");
});

function waiting(place: Partial<Place>) {
  const spec = buildSpec({ origin: "run" });
  const specs = { s: { ...spec, place: { ...spec.place, ...place } } };
  const state = buildState({ nodes: [buildNode("box1")], runs: [buildRun(1, "s", { user: "alice" })] });
  const [blocked] = plan(buildSnapshot(state, { specs })).blocked;
  return [blocked?.summary, blocked?.smallest_change];
}

test("what keeps work away is said in words that fit the spec and the flags of orch run", () => {
  expect(waiting({ labels: [check("not_in", "node", "box1")] })).toEqual([
    "cannot run on any node: 0 of 1 node fits: 1 is excluded by node!=box1",
    "drop the condition node!=box1 (runs now)",
  ]);
  expect(waiting({ labels: [check("in", "zone", "a")] })).toEqual([
    "cannot run on any node: 0 of 1 node fits: 1 lacks zone=a",
    "drop the condition zone=a (runs now)",
  ]);
  expect(waiting({ hosts: ["box2"] })).toEqual([
    "cannot run on any node: 0 of 1 node fits: 1 is not among its hosts",
    "allow any host (runs now)",
  ]);
});
