// Which events somebody who names a thing wants to hear of: those of the thing, of its parts, and of a node by the
// field that names it, never by what the event says.

import { expect, test } from "bun:test";
import { isAbout } from "../../../src/core/plan/events";
import { plan } from "../../../src/core/plan/plan";
import { buildNode, buildSnapshot, buildState, buildWorkload } from "../../support/build";

test("an event says in a field which node it concerns", () => {
  const node = buildNode("box1");
  const state = buildState({ nodes: [node], workloads: [buildWorkload("recs", "api", "s")] });
  const { changes } = plan(buildSnapshot(state));
  const events = changes.flatMap((change) => (change.table === "events" ? [change.row] : []));
  expect(events.map(({ verb, node_id }) => [verb, node_id])).toEqual([["placed", node.id]]);
});

test("a node is meant by its name in the field, not in another thing's", () => {
  const event = { object: "recs.api.0", project: "lab", node: "box1", run: null };
  expect(isAbout(event, "box1")).toBe(true);
  expect(isAbout({ ...event, node: "box2" }, "box1")).toBe(false);
  expect(isAbout({ ...event, node: null }, "recs")).toBe(true);
  expect(isAbout(event, "lab/box1")).toBe(false);
});

test("a run is meant by its number in the field: its own events, and those of its tasks", () => {
  const event = { object: "recs.train.0", project: "lab", node: "box1", run: 7 };
  expect(isAbout(event, "lab/7", 7)).toBe(true);
  expect(isAbout({ ...event, run: 8 }, "lab/7", 7)).toBe(false);
  // Events of earlier releases have no number.
  expect(isAbout({ ...event, object: "7#2", run: null }, "lab/7", 7)).toBe(true);
});
