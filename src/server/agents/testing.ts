// Tests of a node over its agent's connection: asked for until they are answered, judged in the commit that takes the
// result in.

import type { NodeRow } from "../../core/model/rows-node";
import type { NodeTests, TestResult } from "../../core/model/node-tests";
import type { TaskRow } from "../../core/model/rows-task";
import type { Draft } from "../../store/store";
import { twinsOf, comparedAgain, saidOfTwins, judge } from "../../core/nodes/judge";
import { withTests } from "../../core/nodes/tests";
import type { ToServer } from "../../wire/agent";
import { atOnce, type Handlers, inTurn, whileLive } from "./handlers";
import { actorOf, type Hub, isOvertaken, type Session, send, stamp } from "./hub";

type Tested = Extract<ToServer, { type: "tested" }>;
type Testing = Extract<ToServer, { type: "testing" }>;
type Echo = Extract<ToServer, { type: "echo" }>;

/** An echo measures the way to the server, so it waits for nothing. */
export const TESTS: Handlers<"tested" | "testing" | "echo"> = {
  tested: inTurn(whileLive(takeTested)),
  testing: inTurn((_hub, session, message: Testing) => {
    session.step = message;
  }),
  echo: atOnce(whileLive(answerEcho)),
};

/** Earlier tests that a new one is compared with; only those of the same machine count among them. */
const PAST_READ = 20;

/** What agents say of single results is kept within this, so that a commit holds it. */
const DETAIL_CHARS = 16_384;

/** Twins whose comparison changes by one node's tests; others follow with the next. */
const TWINS_REJUDGED = 8;

/** An order or its answer that was lost on the way is repeated; who is at it goes on, who has ended says so again. */
const ASK_AGAIN_MS = 15_000;

const runsOn = ({ node_id, observed }: TaskRow, id: string): boolean =>
  node_id === id && (observed.state === "running" || observed.state === "stopping");
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

/** Judges what an agent found. What answers another order than the newest is of the past, and dropped. */
async function takeTested(hub: Hub, session: Session, { id, results }: Tested, node_id: string): Promise<void> {
  if (isOvertaken(hub, session, node_id)) return;
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

/** Sends an echo back, while the node is being tested: that is what it is for. */
function answerEcho(hub: Hub, session: Session, { n, data }: Echo, node_id: string): void {
  const testing = hub.store.state.nodes.get(node_id)?.testing ?? null;
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
