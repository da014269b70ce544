// How far this machine's wall clock is from the server's, measured by heartbeats and their answers.

import type { BootMs, Ms, WallMs } from "../../core/units";

/** The round trips that count. The quickest of them says most, since the least of it is uncertain. */
const ROUND_TRIPS = 8;

interface RoundTrip {
  readonly took_ms: Ms;
  /** The server's wall clock less this machine's boot clock, which no correction moves. */
  readonly ahead_ms: Ms;
}

export interface Skew {
  /** Notes an answer that came now: when its question was sent, and what the server's clock said in between. */
  answered(sent_ms: BootMs, server_ms: WallMs, now_ms: BootMs): void;
  /** Returns how far this machine's wall clock is ahead of the server's; null while that is not known. */
  get(now_ms: BootMs, wall_ms: WallMs): Ms | null;
}

export function createSkew(): Skew {
  let trips: RoundTrip[] = [];
  return {
    answered(sent_ms, server_ms, now_ms) {
      const took_ms = now_ms - sent_ms;
      trips = [...trips, { took_ms, ahead_ms: server_ms - (sent_ms + took_ms / 2) }].slice(-ROUND_TRIPS);
    },
    get(now_ms, wall_ms) {
      const [first, ...rest] = trips;
      if (first === undefined) return null;
      const { ahead_ms } = rest.reduce((best, one) => (one.took_ms < best.took_ms ? one : best), first);
      return Math.round(wall_ms - (now_ms + ahead_ms));
    },
  };
}
