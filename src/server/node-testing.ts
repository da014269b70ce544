// Orders to test nodes and what comes of them: made in the commit that gives the reason, judged in the one that takes
// the result in.

import { comparedAgain, judge, saidOfTwins, twinsOf } from "../core/judge";
import type { NodeRow, TaskRow } from "../core/model";
import { withOrder, withTests, type NodeTesting, type NodeTests, type TestResult } from "../core/node-tests";
import { whyTested, whyTestedNow } from "../core/retest";
import type { Draft } from "../store/store";
import type { ToServer } from "../wire/agent";
import type { Context } from "./context";
import { send, stamp, type Hub, type Session } from "./hub";
import { putNode, resumed, untested } from "./node-changes";

/** Earlier tests that a new one is compared with; only those of the same machine count among them. */
const PAST_READ = 20;
/** What agents say of single results is kept within this, so that a commit holds it. */
const DETAIL_CHARS = 16_384;
/** Twins whose comparison changes by one node's tests; others follow with the next. */
const TWINS_REJUDGED = 8;

/** An order or its answer that was lost on the way is repeated; who is at it goes on, who has ended says so again. */
const ASK_AGAIN_MS = 15_000;

type Orders = Pick<Context, "seed" | "node_tests">;

/** A new order, with the operators' commands for that pool. */
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

/** The row of a node with a new order, and the event that says so. */
export function orderTests(orders: Orders, draft: Draft, node: NodeRow, why: string, by: string): NodeRow {
  draft.event({ verb: "testing", object: node.name, project: null, detail: why });
  return withOrder(node, newOrder(orders, node.pool, { why, by, at_ms: draft.now_ms }));
}

/** Lets a node take work again: by its tests, or as it is on the word of who asks. */
export function resumeNode(orders: Orders, draft: Draft, node: NodeRow, by: string, skip_tests: boolean): NodeRow {
  if (skip_tests && node.admission !== "ready") {
    const was = `${node.admission}${node.tests?.reason ? `: ${node.tests.reason}` : ""}`;
    return putNode(draft, node, untested(resumed(node)), "resumed_untested", `tests skipped by ${by}; it was ${was}`);
  }
  const row = putNode(draft, node, resumed(node), "resumed", "");
  if (node.admission !== "quarantined") return row;
  const again = orderTests(orders, draft, row, `resumed by ${by}`, by);
  draft.put([{ table: "nodes", key: again.id, row: again }]);
  return again;
}

/**
 * The row as it is, or with an order when the machine is not the one that was tested. One that is to be tested anyway
 * when its agent says hello will be as it is then.
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

/** Judges what an agent found. What answers another order than the newest is of the past, and dropped. */
export async function takeTested(
  { store }: Pick<Context, "store">,
  node_id: string,
  id: string,
  results: readonly TestResult[],
): Promise<void> {
  await store.commit(`node ${store.state.nodes.get(node_id)?.name ?? node_id}`, (draft) => {
    const node = draft.state.nodes.get(node_id);
    if (node === undefined || node.testing?.id !== id) return;
    const tests = judge({
      node,
      order: node.testing,
      results: clipped(results),
      at_ms: draft.now_ms,
      past: store.history.nodeTests(node_id, PAST_READ),
      twins: twinsOf(draft.state.nodes.values(), node),
      busy: draft.state.tasks.values().reduce((sum, task) => sum + (runsOn(task, node_id) ? 1 : 0), 0),
    });
    put(draft, withTests(node, tests), tests);
    const passed = tests.verdict === "passed";
    const detail = passed ? ["passed", tests.reason].filter((part) => part !== null).join(": ") : (tests.reason ?? "");
    draft.event({ verb: passed ? "tested" : "quarantined", object: node.name, project: null, detail });
    compareTwins(draft, node);
  });
}

const runsOn = ({ node_id, observed }: TaskRow, id: string): boolean =>
  node_id === id && (observed.state === "running" || observed.state === "stopping");

/** Sends an echo back, while the node is being tested: that is what it is for. */
export function answerEcho(hub: Hub, session: Session, { n, data }: Extract<ToServer, { type: "echo" }>): void {
  if (session.phase.is !== "live") return;
  const testing = hub.store.state.nodes.get(session.phase.node_id)?.testing ?? null;
  if (testing !== null) send(session, { type: "echo", n, wall_ms: hub.wall(), data });
}

/** Has the node tested when there is an order that this session has not sent, or sent a while ago. */
export function ask(hub: Hub, session: Session, { testing }: NodeRow): void {
  const { asked } = session;
  const at_ms = hub.clock();
  if (testing === null || (asked?.id === testing.id && at_ms - asked.at_ms < ASK_AGAIN_MS)) return;
  const { id, commands } = testing;
  session.asked = { id, at_ms };
  send(session, { type: "test", stamp: stamp(hub, session), id, commands });
}

function put(draft: Draft, node: NodeRow, tests: NodeTests): void {
  draft.put([
    { table: "nodes", key: node.id, row: node },
    { table: "node_tests", key: tests.id, row: tests },
  ]);
}

/** Whoever was tested first had nobody to be compared with. */
function compareTwins(draft: Draft, node: NodeRow): void {
  const { state } = draft;
  let left = TWINS_REJUDGED;
  for (const twin of twinsOf(state.nodes.values(), node)) {
    if (twin.tests === null || left === 0) continue;
    const again = comparedAgain(twin.tests, twinsOf(state.nodes.values(), twin));
    if (saidOfTwins(again) === saidOfTwins(twin.tests)) continue;
    left--;
    put(draft, { ...twin, tests: again }, again);
  }
}

/** The same results with details that fit together into a row. */
function clipped(results: readonly TestResult[]): TestResult[] {
  const each = Math.max(100, Math.floor(DETAIL_CHARS / Math.max(results.length, 8)));
  return results.map((result) => ({ ...result, detail: result.detail.slice(0, each) }));
}
