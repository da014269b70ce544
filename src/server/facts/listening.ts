// When each agent was last heard, on the listening clock, which advances only while the server really reads its
// sockets.

import type { ContactFact } from "../../core/pass/snapshot";
import type { Ms } from "../../core/units";

/** What the heartbeats of a node tell beside that it is there. Null: none came since the server started. */
export interface HeardNode {
  readonly last_seen_ms: Ms | null;
  /** How far the node's wall clock is ahead of this server's. */
  readonly clock_skew_ms: Ms | null;
}

export interface Listening {
  contacts(): ReadonlyMap<string, ContactFact>;
  listening_ms(): Ms;
  /** Returns the wall time of the newest heartbeat, or null if none came since the server started. */
  lastSeen(node_id: string): Ms | null;
  heardOf(node_id: string): HeardNode;
  /** Notes how far the node's clock is ahead, as its newest heartbeat says. */
  skewed(node_id: string, clock_skew_ms: Ms | null): void;
  /** Notes a message of the node. Returns whether the node was not connected before. */
  heard(node_id: string, now_ms: Ms): boolean;
  /** Notes that the node's connection has ended. Returns whether the node was connected. */
  gone(node_id: string): boolean;
  stop(): void;
}

/** The most that one turn of the loop adds to a silence. After a stall of the server, agents get their time anew. */
const TURN_LIMIT_MS = 1_000;
const TICK_MS = 500;

interface Heard {
  readonly listening_ms: Ms;
  readonly at_ms: Ms;
  readonly connected: boolean;
  /** When the node's last long silence began, on the listening clock; null if there was none. */
  readonly fell: Ms | null;
}

/** `unreachable_after_ms`: a silence that is at least so long makes its node unreachable. */
export function createListening(monotonic: () => Ms, unreachable_after_ms: Ms): Listening {
  const heardAt = new Map<string, Heard>();
  const skews = new Map<string, Ms | null>();
  let listening = 0;
  let turned = monotonic();
  const tick = setInterval(() => {
    const now = monotonic();
    listening += Math.min(now - turned, TURN_LIMIT_MS);
    turned = now;
  }, TICK_MS);
  return {
    contacts: () =>
      new Map(
        [...heardAt].map(([id, heard]) => [
          id,
          {
            connected: heard.connected,
            silent_ms: Math.max(0, listening - heard.listening_ms),
            ...(heard.fell === null ? {} : { fell_ms: listening - heard.fell }),
          },
        ]),
      ),
    listening_ms: () => listening,
    heardOf: (node_id) => ({
      last_seen_ms: heardAt.get(node_id)?.at_ms ?? null,
      clock_skew_ms: skews.get(node_id) ?? null,
    }),
    skewed(node_id, clock_skew_ms) {
      skews.set(node_id, clock_skew_ms);
    },
    lastSeen: (node_id) => heardAt.get(node_id)?.at_ms ?? null,
    heard(node_id, now_ms) {
      const before = heardAt.get(node_id);
      const wasLong = before !== undefined && listening - before.listening_ms >= unreachable_after_ms;
      const fell = wasLong ? before.listening_ms : (before?.fell ?? null);
      heardAt.set(node_id, { listening_ms: listening, at_ms: now_ms, connected: true, fell });
      return before?.connected !== true;
    },
    gone(node_id) {
      const heard = heardAt.get(node_id);
      if (heard !== undefined) heardAt.set(node_id, { ...heard, connected: false });
      return heard !== undefined;
    },
    stop: () => clearInterval(tick),
  };
}
