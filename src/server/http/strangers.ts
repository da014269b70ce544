// The connections of agents that have yet to prove who they are. Anybody can open such a connection and say nothing, so
// the oldest of them makes way when there are too many: a real agent proves within moments who it is.

import { RefusedError } from "../refused";
import type { Quotas } from "./quotas";

/** A connection that is counted until it has been greeted. */
export interface Stranger {
  readonly source: string;
  /** Ends the count. */
  readonly leave: () => void;
  /** Cuts the connection off; null as long as it is only being opened. */
  cut: (() => void) | null;
}

export interface Strangers {
  /** Counts a connection of an address. Throws RefusedError if too many are counted, and none of them makes way. */
  admit(source: string): Stranger;
  /** Notes that a connection has proven who it is: it stays counted, and makes way for nobody. */
  proven(stranger: Stranger): void;
}

export function createStrangers(quotas: Quotas): Strangers {
  // A set keeps the order in which its members came.
  const waiting = new Set<Stranger>();

  /** Ends the oldest connection of an address, or else of any. Returns whether there was one. */
  function makeWay(source: string): boolean {
    const open = [...waiting].filter(({ cut }) => cut !== null);
    const oldest = open.find((one) => one.source === source) ?? open[0];
    if (oldest === undefined) return false;
    oldest.leave();
    oldest.cut?.();
    return true;
  }

  function taken(source: string): () => void {
    try {
      return quotas.take("greetings", null, source);
    } catch (error) {
      if (!(error instanceof RefusedError) || !makeWay(source)) throw error;
      return quotas.take("greetings", null, source);
    }
  }

  return {
    admit(source) {
      const release = taken(source);
      const stranger: Stranger = {
        source,
        cut: null,
        leave() {
          waiting.delete(stranger);
          release();
        },
      };
      waiting.add(stranger);
      return stranger;
    },
    proven(stranger) {
      waiting.delete(stranger);
    },
  };
}
