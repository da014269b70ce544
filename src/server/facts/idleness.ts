// For how long the cards of tasks have been idle, as the readings of their nodes show it. In memory only: after a start
// of the server all of it counts anew, so that nothing is taken on the word of a time when nobody looked.

import type { Reading } from "../../core/model/device";
import type { IdleFact } from "../../core/pass/snapshot";
import type { State } from "../../core/model/rows-state";
import type { TaskRow } from "../../core/model/rows-task";
import type { Ms } from "../../core/units";
import type { IdleSettings } from "../../core/model/workload";

export interface Idleness {
  /** Takes in what a node's cards show now. */
  take(state: State, node_id: string, readings: readonly Reading[]): void;
  /** By task uid; who is missing uses its cards, or nobody can say. */
  facts(): ReadonlyMap<string, IdleFact>;
  /** The owners of these were told of this spell. */
  told(uids: readonly string[]): void;
}

interface Spell {
  readonly since_ms: Ms;
  seen_ms: Ms;
  told: boolean;
}

/** `monotonic` is a clock that never jumps; a spell that was not seen for `fresh_ms` is over. */
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

/** What cannot be read, or could not be read again, counts as used. */
function isIdle(task: TaskRow, { gpu_below_percent }: IdleSettings, readings: ReadonlyMap<string, Reading>): boolean {
  if (task.observed.state !== "running" || task.desired !== "run") return false;
  return task.promised.devices.every(({ id }) => {
    const reading = readings.get(id);
    if (reading === undefined || reading.stale || reading.utilization_percent === null) return false;
    return reading.utilization_percent < gpu_below_percent;
  });
}
