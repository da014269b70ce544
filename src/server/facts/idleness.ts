// How long the cards of each task have been idle, as the readings of their nodes show it. The times are kept in memory
// only and start anew with the server, so that no task is stopped for a time in which nobody looked.

import type { Reading } from "../../core/model/device";
import type { IdleFact } from "../../core/pass/snapshot";
import type { State } from "../../core/model/rows-state";
import type { TaskRow } from "../../core/model/rows-task";
import type { Ms } from "../../core/units";
import type { IdleSettings } from "../../core/model/workload";

export interface Idleness {
  /** Takes in the newest readings of a node's cards. */
  take(state: State, node_id: string, readings: readonly Reading[]): void;
  /** Returns the idle time by task uid. A missing task uses its cards, or nothing is known of it. */
  facts(): ReadonlyMap<string, IdleFact>;
  /** Records that the owners of these tasks were notified of this idle spell. */
  told(uids: readonly string[]): void;
}

interface Spell {
  readonly since_ms: Ms;
  seen_ms: Ms;
  told: boolean;
}

/**
 * Makes the record of idle times. `monotonic` is a clock that never jumps. A spell that no reading confirmed for
 * `fresh_ms` is over.
 */
export function createIdleness(monotonic: () => Ms, fresh_ms: Ms): Idleness {
  const spells = new Map<string, Spell>();
  return {
    take(state, node_id, readings) {
      const byId = new Map(readings.map((reading) => [reading.id, reading]));
      const now_ms = monotonic();
      for (const task of state.tasks.values()) {
        if (task.node_id !== node_id || task.promised.devices.length === 0) continue;
        const settings = idleSettings(state, task);
        if (settings === undefined || !isIdle(task, settings, byId)) spells.delete(task.uid);
        else note(task.uid, now_ms);
      }
    },
    facts() {
      const now_ms = monotonic();
      const facts = new Map<string, IdleFact>();
      for (const [uid, { since_ms, seen_ms, told }] of spells) {
        if (now_ms - seen_ms > fresh_ms) spells.delete(uid);
        else facts.set(uid, { idle_ms: now_ms - since_ms, told });
      }
      return facts;
    },
    told(uids) {
      for (const uid of uids) {
        const spell = spells.get(uid);
        if (spell !== undefined) spell.told = true;
      }
    },
  };

  function note(uid: string, now_ms: Ms): void {
    const known = spells.get(uid);
    if (known !== undefined && now_ms - known.seen_ms <= fresh_ms) known.seen_ms = now_ms;
    else spells.set(uid, { since_ms: now_ms, seen_ms: now_ms, told: false });
  }
}

const idleSettings = (state: State, { owner_uid }: TaskRow): IdleSettings | undefined =>
  (state.runs.get(owner_uid) ?? state.workloads.get(owner_uid))?.settings.idle;

/**
 * Returns whether the task's cards are idle. A card that cannot be read, or was not read again in time, counts as used.
 */
function isIdle(task: TaskRow, { gpu_below_percent }: IdleSettings, readings: ReadonlyMap<string, Reading>): boolean {
  if (task.observed.state !== "running" || task.desired !== "run") return false;
  return task.promised.devices.every(({ id }) => {
    const reading = readings.get(id);
    if (reading === undefined || reading.stale || reading.utilization_percent === null) return false;
    return reading.utilization_percent < gpu_below_percent;
  });
}
