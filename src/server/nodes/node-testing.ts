// Orders to test nodes. An order is written in the same commit as the change that is its reason.

import type { NodeRow } from "../../core/model/rows-node";
import type { NodeTesting } from "../../core/model/node-tests";
import { withOrder } from "../../core/nodes/tests";
import { whyTested, whyTestedNow } from "../../core/nodes/retest";
import type { Draft } from "../../store/store";
import type { Context } from "../context";
import { RefusedError } from "../refused";
import { putNode, resumed, untested } from "./node-changes";

type Orders = Pick<Context, "seed" | "node_tests">;

/** Returns a new order with the operators' commands for the pool. */
export const newOrder = (
  { seed, node_tests }: Orders,
  pool: string,
  { why, by, at_ms }: Pick<NodeTesting, "why" | "by" | "at_ms">,
): NodeTesting => ({
  id: seed(),
  why,
  by,
  at_ms,
  commands: node_tests
    .filter((one) => one.pool === null || one.pool === pool)
    .map(({ pool: _pool, ...command }) => command),
});

/** Returns the node with a new order, and writes the event of the order. */
export function orderTests(orders: Orders, draft: Draft, node: NodeRow, why: string, by: string): NodeRow {
  requireApproved(node);
  draft.event({ verb: "testing", object: node.name, project: null, node_id: node.id, detail: why });
  return withOrder(node, newOrder(orders, node.pool, { why, by, at_ms: draft.now_ms }));
}

/**
 * Resumes a node. A quarantined node is tested first. With `skip_tests`, any node that is not ready becomes ready
 * without tests.
 */
export function resumeNode(orders: Orders, draft: Draft, node: NodeRow, by: string, skip_tests: boolean): NodeRow {
  requireApproved(node);
  if (skip_tests && node.admission !== "ready") {
    const was = `${node.admission}${node.tests?.reason ? `: ${node.tests.reason}` : ""}`;
    return putNode(
      draft,
      node,
      untested(resumed(node, draft.now_ms)),
      "resumed_untested",
      `tests skipped by ${by}; it was ${was}`,
    );
  }
  const row = putNode(draft, node, resumed(node, draft.now_ms), "resumed", "");
  if (node.admission !== "quarantined") return row;
  const again = orderTests(orders, draft, row, `resumed by ${by}`, by);
  draft.put([{ table: "nodes", key: again.id, row: again }]);
  return again;
}

/**
 * Returns the row, with a new order if the machine differs from the one that was tested. At a hello, an order that is
 * still open is kept, since its tests run on the machine as it is now.
 */
export function testedAgain(
  orders: Orders,
  draft: Draft,
  before: NodeRow,
  row: NodeRow,
  at: "hello" | "facts",
): NodeRow {
  const why = at === "facts" ? whyTestedNow(before, row) : before.testing === null ? whyTested(before, row) : null;
  return why === null ? row : orderTests(orders, draft, row, why, "server");
}

/** Throws RefusedError for a node that waits for approval: nothing else lets it in. */
function requireApproved({ name, admission }: NodeRow): void {
  if (admission !== "joining") return;
  throw new RefusedError("conflict", `${name} waits for approval`, `First: orch node approve ${name}`);
}
