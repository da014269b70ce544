// What a node says of its work over its session: reports, which are committed before they are acknowledged, and
// heartbeats.

import { observe } from "../../core/intake/observe";
import type { ToServer } from "../../wire/agent";
import { intakeContext } from "../nodes/intake-context";
import { atOnce, type Handlers, whileLive } from "./handlers";
import { actorOf, doubt, type Hub, send, type Session, stamp } from "./hub";
import { takeLateFacts } from "./machine";
import { push, takeApplied } from "./orders";
import { ask } from "./testing";

type Report = Extract<ToServer, { type: "report" }>;
type Heartbeat = Extract<ToServer, { type: "heartbeat" }>;

/** Reports do not wait for each other's commits: the store's queue keeps their order, and task states only rise. */
export const WORK: Handlers<"report" | "heartbeat"> = {
  report: atOnce(whileLive(takeReport)),
  heartbeat: atOnce(whileLive(takeHeartbeat)),
};

async function takeReport(hub: Hub, session: Session, { seq, entries }: Report, node_id: string): Promise<void> {
  const { value } = await hub.store.commit(actorOf(hub, node_id), (draft) => {
    const { changes, verbs: told, doubts } = observe(draft.state, node_id, entries, intakeContext(hub, draft));
    draft.put(changes);
    return { verbs: told, doubts };
  });
  const { verbs, doubts } = value;
  for (const detail of doubts) doubt(hub, node_id, detail);
  for (const entry of entries) if (!session.orders.told.has(entry.uid)) session.orders.told.set(entry.uid, "run");
  // An acknowledgement covers all reports up to its number. So this report is not acknowledged while an earlier one is
  // not.
  if (seq > session.acked_seq + 1) return;
  session.acked_seq = Math.max(session.acked_seq, seq);
  send(session, { type: "ack", stamp: stamp(hub, session), seq });
  const node = hub.store.state.nodes.get(node_id);
  if (node !== undefined && verbs.length > 0) push(hub, session, node, [], verbs);
}

async function takeHeartbeat(hub: Hub, session: Session, beat: Heartbeat, node_id: string): Promise<void> {
  answerHeartbeat(hub, session, beat, node_id);
  await takeLateFacts(hub, session, node_id);
}

function answerHeartbeat(hub: Hub, session: Session, beat: Heartbeat, node_id: string): void {
  hub.loop.heard(node_id, hub.clock());
  hub.loop.skewed(node_id, beat.skew_ms);
  const node = hub.store.state.nodes.get(node_id);
  if (node !== undefined) ask(hub, session, node);
  send(session, {
    type: "beat",
    stamp: stamp(hub, session),
    sent_ms: beat.sent_ms,
    acked_seq: session.acked_seq,
    wall_ms: hub.wall(),
  });
  if (node !== undefined) takeApplied(hub, session, node, beat.applied_n);
}
