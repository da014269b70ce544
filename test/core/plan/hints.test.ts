// What a person is told to do about a node that is silent.

import { expect, test } from "bun:test";
import type { NodeRow } from "../../../src/core/model/rows-node";
import { forgetHint } from "../../../src/core/plan/replicas";
import type { NodeFact } from "../../../src/core/pass/contact";
import { buildNode } from "../../support/build";

const hintFor = (part: Partial<NodeRow>): string =>
  forgetHint({ node: { ...buildNode("box2"), ...part }, silence_ms: 90_000 } as NodeFact);

test("a silent node is forgotten if it is off", () => {
  expect(hintFor({})).toBe("orch node forget box2 --fenced, if it is off");
});
test("a node whose machine came back with another key is approved, and never told to be forgotten", () => {
  const pending = {
    public_key: "key",
    fingerprint: "machine-box2",
    boot_id: "boot",
    hostname: "box2",
    address: "10.0.0.2",
    token_id: "0123456789",
    asked_ms: 1,
  };
  expect(hintFor({ pending })).toContain("orch node approve box2");
  expect(hintFor({ pending })).not.toContain("forget");
});
