// Tests that do not end: a node whose agent is heard and gives no result in time is quarantined, so that nobody waits
// for it for ever.

import { overdue } from "../nodes/judge";
import { testsWithin, withTests } from "../nodes/tests";
import { draftAfter, wakeAt, type Findings, type Pass } from "../pass/pass";
import type { NodeFact } from "../pass/contact";
import type { Ms } from "../units";

/** The listening clock moves in steps, so a nearly reached threshold is not examined more often than this. */
const LOOK_AGAIN_MS = 250;

/** Quarantines the nodes whose tests are overdue, and asks for a pass when the next ones will be. */
export function quarantineOverdue(pass: Pass): Pick<Findings, "ops" | "wake_at_ms"> {
  const draft = draftAfter(pass, null);
  for (const fact of pass.nodes.values()) {
    const { testing } = fact.node;
    if (testing === null || fact.node.admission !== "testing") continue;
    const within_ms = testsWithin(testing, pass.limits.test_deadline_ms);
    const due_ms = dueAt(pass, fact, testing.at_ms, within_ms);
    if (due_ms === null) continue;
    if (due_ms > pass.now_ms) {
      wakeAt(draft, due_ms);
      continue;
    }
    const tests = overdue(fact.node, testing, pass.now_ms, within_ms);
    const node = withTests(fact.node, tests);
    draft.ops.push({ op: "quarantine", node, tests, why: tests.reason ?? "" });
  }
  return draft;
}

/**
 * Returns when a node's tests are overdue; null while its agent is not heard, since the agent is asked again when it
 * returns. The time counts from the order, from the agent's return, or from the start of the server, whichever is the
 * latest.
 */
function dueAt({ snapshot, now_ms }: Pass, { node, heard }: NodeFact, at_ms: Ms, within_ms: Ms): Ms | null {
  if (!heard) return null;
  const unheard_ms = within_ms - snapshot.listening_ms;
  const due_ms = Math.max(at_ms, node.contact_ms) + within_ms;
  return unheard_ms <= 0 ? due_ms : Math.max(due_ms, now_ms + Math.max(unheard_ms, LOOK_AGAIN_MS));
}
