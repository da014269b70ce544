// The first step of a pass: which nodes are heard, which tasks there are, and which are lost with a forgotten node.

import { compareText } from "../canonical";
import { contact } from "./contact";
import type { State } from "../model/rows-state";
import type { SlotRow } from "../model/rows-work";
import type { TaskRow } from "../model/rows-task";
import { earlier, type Pass } from "./pass";
import { slotAfterEnd } from "./slot";
import type { Op, Snapshot } from "./snapshot";
import { finalWithoutReport, slotKey } from "../model/task";
import type { Ms } from "../units";

export interface Beginning {
  readonly pass: Pass;
  readonly ops: readonly Op[];
  readonly notices: readonly string[];
  readonly wake_at_ms: Ms | null;
}

/**
 * Examines the nodes and the tasks of a snapshot once. Every later step of the pass reads the facts that are made here.
 */
export function begin(snapshot: Snapshot): Beginning {
  const { state, limits, now_ms } = snapshot;
  const { nodes, ops, mass_silence, notices, next_in_ms } = contact(snapshot);
  const { tasks, forgotten } = byOwner(state);
  const lost = lose(snapshot, forgotten);
  return {
    pass: { snapshot, state, limits, now_ms, nodes, mass_silence, tasks, slots: lost.slots },
    ops: [...ops, ...lost.ops],
    notices,
    wake_at_ms: next_in_ms === null ? null : earlier(now_ms, null, now_ms + next_in_ms),
  };
}

/** Returns the live tasks by owner, and the tasks whose node was forgotten. */
function byOwner(state: State): { readonly tasks: ReadonlyMap<string, TaskRow[]>; readonly forgotten: TaskRow[] } {
  const tasks = new Map<string, TaskRow[]>();
  const forgotten: TaskRow[] = [];
  for (const task of state.tasks.values()) {
    if (!state.nodes.has(task.node_id)) forgotten.push(task);
    else {
      const known = tasks.get(task.owner_uid);
      if (known === undefined) tasks.set(task.owner_uid, [task]);
      else known.push(task);
    }
  }
  return { tasks, forgotten };
}

/** Marks the tasks of a forgotten node as lost. The operator who had the node forgotten has vouched for their end. */
function lose(
  { state, limits, now_ms }: Snapshot,
  forgotten: readonly TaskRow[],
): { readonly ops: readonly Op[]; readonly slots: ReadonlyMap<string, SlotRow> } {
  const why = "its node was forgotten";
  const slots = new Map<string, SlotRow>();
  const ops: Op[] = [];
  // The order is fixed, since the members of a gang write one slot one after the other.
  for (const task of [...forgotten].sort((a, b) => a.attempt - b.attempt || compareText(a.uid, b.uid))) {
    const final = finalWithoutReport(task, "lost", "node_forgotten", why, now_ms);
    const settings = (state.runs.get(task.owner_uid) ?? state.workloads.get(task.owner_uid))?.settings;
    let slot: SlotRow | null = null;
    if (settings !== undefined && task.written_off === null) {
      const key = slotKey(task.owner_uid, task.slot);
      const before = slots.get(key) ?? state.slots.get(key) ?? null;
      slot = slotAfterEnd(before, task, final, settings, limits);
      slots.set(key, slot);
    }
    ops.push({ op: "lose", task, final, slot, why });
  }
  return { ops, slots };
}
