// A node's row before and after its tests, and why it gets no work between the two.

import type { NodeTesting, NodeTests } from "../model/node-tests";
import type { NodeRow } from "../model/rows-node";
import type { Ms } from "../units";

/** The node with an order: nothing new is placed until it is judged, and what runs goes on. */
export const withOrder = (node: NodeRow, testing: NodeTesting): NodeRow => ({ ...node, admission: "testing", testing });

/** The node after its tests were judged. */
export const withTests = (node: NodeRow, tests: NodeTests): NodeRow => ({
  ...node,
  admission: tests.verdict === "passed" ? "ready" : "quarantined",
  testing: null,
  tests,
});

/** How long an order may take: what is built in, and every command to its end. */
export const testsWithin = ({ commands }: NodeTesting, own_ms: Ms): Ms =>
  commands.reduce((sum, { timeout_ms }) => sum + timeout_ms, own_ms);

/** Returns why nothing is placed on a node that waits for an operator's word. */
export const waitsForApproval = (name: string): string => `waits for approval: orch node approve ${name}`;

/**
 * Why a node gets no new work: it waits for approval, `is being tested`, `is quarantined` and the reason; `null`: its
 * tests are behind it.
 */
export function admissionReason({ name, admission, testing, tests, pending }: NodeRow): string | null {
  if (admission === "joining") return waitsForApproval(name);
  if (pending !== null) return `another key asks to be ${name}: orch node show ${name}, orch node approve ${name}`;
  if (admission === "testing") return testing === null ? "being tested" : `being tested: ${testing.why}`;
  return admission === "quarantined" ? (tests?.reason ?? "its tests failed") : null;
}
