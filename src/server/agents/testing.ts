// Tests of a node over its agent's connection. An order is sent until it is answered. The result is judged in the
// commit that stores it.

import type { NodeRow } from "../../core/model/rows-node";
import type { NodeTests, TestResult } from "../../core/model/node-tests";
import type { TaskRow } from "../../core/model/rows-task";
import type { Draft } from "../../store/store";
import { twinsOf, comparedAgain, saidOfTwins, judge } from "../../core/nodes/judge";
import { withTests } from "../../core/nodes/tests";
import type { ToServer } from "../../wire/agent";
import { atOnce, type Handlers, inTurn, whileLive } from "./handlers";
import { actorOf, type Hub, type Session, send, stamp } from "./hub";

type Tested = Extract<ToServer, { type: "tested" }>;
type Testing = Extract<ToServer, { type: "testing" }>;
type Echo = Extract<ToServer, { type: "echo" }>;

/** An echo measures the time to the server and back, so it is answered without waiting for other messages. */
export const TESTS: Handlers<"tested" | "testing" | "echo"> = {
  tested: inTurn(whileLive(takeTested)),
  testing: inTurn((_hub, session, message: Testing) => {
    session.step = message;
  }),
  echo: atOnce(whileLive(answerEcho)),
};

/** How many earlier tests of the node are read for comparison. Only those of the same machine are compared. */
const PAST_READ = 20;

/** The most characters of detail for all results of one test together, so that the row stays small. */
const DETAIL_CHARS = 16_384;

/**
 * The most twins whose changed comparison is stored after one node's test. The comparison of further twins changes
 * after a later test.
 */
const TWINS_REJUDGED = 8;

/**
 * How long an order stays unanswered before it is sent again. An agent that is testing ignores the repetition; an agent
 * that has finished sends its results again.
 */
const ASK_AGAIN_MS = 15_000;

const runsOn = ({ node_id, observed }: TaskRow, id: string): boolean =>
  node_id === id && (observed.state === "running" || observed.state === "stopping");
function put(draft: Draft, node: NodeRow, tests: NodeTests): void {
  draft.put([
    { table: "nodes", key: node.id, row: node },
    { table: "node_tests", key: tests.id, row: tests },
  ]);
}

/** Compares each twin of the node again. A twin that was tested before this node could not be compared with it. */
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

/** Returns the results with each detail cut, so that all details together fit into a row. */
function clipped(results: readonly TestResult[]): TestResult[] {
  const each = Math.max(100, Math.floor(DETAIL_CHARS / Math.max(results.length, 8)));
  return results.map((result) => ({ ...result, detail: result.detail.slice(0, each) }));
}

/** Judges the results of a test and stores them. Results of another order than the node's newest are dropped. */
async function takeTested(hub: Hub, session: Session, { id, results }: Tested, node_id: string): Promise<void> {
  const { store } = hub;
  await store.commit(actorOf(hub, node_id), (draft) => {
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
    draft.event({ verb: passed ? "tested" : "quarantined", object: node.name, project: null, node_id, detail });
    compareTwins(draft, node);
  });
}

/** Sends an echo back while the node is being tested. Outside of tests echoes are not answered. */
function answerEcho(hub: Hub, session: Session, { n, data }: Echo, node_id: string): void {
  const testing = hub.store.state.nodes.get(node_id)?.testing ?? null;
  if (testing !== null) send(session, { type: "echo", n, wall_ms: hub.wall(), data });
}

/** Sends the node's open test order, if there is one that this session has not sent within `ASK_AGAIN_MS`. */
export function ask(hub: Hub, session: Session, { testing }: NodeRow): void {
  const { asked } = session;
  const at_ms = hub.clock();
  if (testing === null || (asked?.id === testing.id && at_ms - asked.at_ms < ASK_AGAIN_MS)) return;
  const { id, commands } = testing;
  session.asked = { id, at_ms };
  send(session, { type: "test", stamp: stamp(hub, session), id, commands });
}
