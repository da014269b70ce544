// The newest readings of every node's cards. They are kept in memory only: people look at them, and the plan does not
// use them.

import type { Reading } from "../../core/model/device";
import type { Ms } from "../../core/units";

export interface Readings {
  take(node_id: string, readings: readonly Reading[]): void;
  /** Returns a node's readings by device id, with ages as of now; empty for a node that sent none. */
  of(node_id: string): ReadonlyMap<string, Reading>;
  forget(node_id: string): void;
}

/** Makes the record of readings. `monotonic` is a clock that never jumps. */
export function createReadings(monotonic: () => Ms): Readings {
  const byNode = new Map<string, { readonly at_ms: Ms; readonly readings: readonly Reading[] }>();
  return {
    take(node_id, readings) {
      byNode.set(node_id, { at_ms: monotonic(), readings });
    },
    of(node_id) {
      const told = byNode.get(node_id);
      if (told === undefined) return new Map();
      const passed_ms = Math.max(0, Math.round(monotonic() - told.at_ms));
      return new Map(told.readings.map((one) => [one.id, { ...one, age_ms: one.age_ms + passed_ms }]));
    },
    forget(node_id) {
      byNode.delete(node_id);
    },
  };
}
