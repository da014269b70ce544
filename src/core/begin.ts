// The start of a pass: who is heard, which tasks belong to whom, and nothing decided yet.

import { contact } from "./contact";
import type { State, TaskRow } from "./model";
import { wakeAt, type Pass } from "./pass";
import type { Snapshot } from "./snapshot";

export function begin(snapshot: Snapshot): Pass {
  const { state, limits, now_ms } = snapshot;
  const { nodes, ops, mass_silence, notices, next_in_ms } = contact(snapshot);
  const pass: Pass = {
    snapshot,
    state,
    limits,
    now_ms,
    nodes,
    mass_silence,
    tasks: byOwner(state),
    slots: new Map(),
    runs: new Map(),
    ops: [...ops],
    stopped: new Set(),
    demands: [],
    waits: [],
    notices: [...notices],
    nodes_with_work: null,
    apart: null,
    checks: 0,
    made: 0,
    wake_at_ms: null,
  };
  if (next_in_ms !== null) wakeAt(pass, now_ms + next_in_ms);
  return pass;
}

function byOwner(state: State): Map<string, TaskRow[]> {
  const tasks = new Map<string, TaskRow[]>();
  for (const task of state.tasks.values()) {
    const known = tasks.get(task.owner_uid);
    if (known === undefined) tasks.set(task.owner_uid, [task]);
    else known.push(task);
  }
  return tasks;
}
