// How much of what a node says is read. To read a message and to take it in costs the server's one loop, so each node
// has a budget of text: what is beyond it waits unread, in its order, for the node's next heartbeats.

import { MIB, SECOND_MS } from "../../core/units";
import { type Hub, refuse, type Session } from "./hub";

/**
 * The text of one node that is read: 28,000 ends or states of tasks in 5 seconds, or 900 ends with the longest last
 * output. An agent has less than that on its way at once, so what waits of it is read with the next heartbeat.
 */
const TEXT = { chars: 8 * MIB, within_ms: 5 * SECOND_MS };

/** How many messages of a session wait unread at most. */
const HELD = 10_000;

/** What a message costs beyond its text. */
const MESSAGE_CHARS = 200;

const HEARTBEAT_CHARS = 1_000;

/** Returns whether a message is a heartbeat. It is read whatever the budget says, since a node that is slow lives. */
export const isHeartbeat = (data: string): boolean =>
  data.length <= HEARTBEAT_CHARS && data.startsWith('{"type":"heartbeat"');

/** Returns whether the budget of a connected node lets so much text be read now, and counts it. */
function mayRead(hub: Hub, { phase }: Session, chars: number): boolean {
  if (phase.is !== "live") return true;
  const now_ms = hub.clock();
  const known = hub.read.get(phase.node_id);
  const before = known !== undefined && now_ms - known.since_ms < TEXT.within_ms ? known : null;
  const count = before?.count ?? 0;
  if (count >= TEXT.chars) return false;
  hub.read.set(phase.node_id, { since_ms: before?.since_ms ?? now_ms, count: count + chars + MESSAGE_CHARS });
  return true;
}

/** Reads a message, or lets it wait unread behind others if it is beyond the budget. */
export function readOrHold(hub: Hub, session: Session, chars: number, read: () => void): void {
  const { held } = session;
  if (held.length === 0 && mayRead(hub, session, chars)) read();
  else if (held.length < HELD) held.push({ chars, read });
  else refuse(session, { code: "too_much", message: "it sent more messages than the server lets wait", hint: null });
}

/** Reads the messages that wait, one in each turn of the loop, as far as the budget goes by now. */
export function readHeld(hub: Hub, session: Session): void {
  const [next] = session.held;
  if (next === undefined || !mayRead(hub, session, next.chars)) return;
  session.held.shift();
  next.read();
  if (session.held.length > 0) setImmediate(() => readHeld(hub, session));
}
