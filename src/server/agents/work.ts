// Handles heartbeats: the node is heard, how far it is counts, and what waited for that is sent.

import type { ToServer } from "../../wire/agent";
import { atOnce, type Handlers, whileLive } from "./handlers";
import { type Hub, send, type Session, stamp } from "./hub";
import { takeLateFacts } from "./machine";
import { takeApplied } from "./orders";
import { ask } from "./testing";

type Heartbeat = Extract<ToServer, { type: "heartbeat" }>;

export const WORK: Handlers<"heartbeat"> = { heartbeat: atOnce(whileLive(takeHeartbeat)) };

async function takeHeartbeat(hub: Hub, session: Session, beat: Heartbeat, node_id: string): Promise<void> {
  answerHeartbeat(hub, session, beat, node_id);
  await takeLateFacts(hub, session, node_id);
}

function answerHeartbeat(hub: Hub, session: Session, beat: Heartbeat, node_id: string): void {
  hub.loop.heard(node_id, hub.clock());
  hub.loop.skewed(node_id, beat.skew_ms);
  const node = hub.store.state.nodes.get(node_id);
  if (node !== undefined) ask(hub, session, node);
  hub.presences.again(node_id);
  send(session, {
    type: "beat",
    stamp: stamp(hub, session),
    sent_ms: beat.sent_ms,
    acked_seq: session.acked_seq,
    wall_ms: hub.wall(),
  });
  if (node !== undefined) takeApplied(hub, session, node, beat.applied_n);
}
