// Orphans that an exclusive slot has to wait for: an orphan of the slot's name may hold what only one task may hold.
// The name counts where a server has signed it, or on a node that had an attempt of the slot: another node's word alone
// must hold nobody up.

import { exclusiveSilence, type NodeFact } from "../pass/contact";
import type { RunRow, WorkloadRow } from "../model/rows-work";
import type { Orphan } from "../model/rows-node";
import { slotOf, tasksOf, waitOf, workloadNameOf, type Pass } from "../pass/pass";
import type { Blocked } from "../pass/snapshot";
import { parseName, shortId } from "../model/task";

/** Returns why an exclusive slot has to wait for an orphan of its name, and what people can do, or null. */
export function orphanWait(pass: Pass, owner: WorkloadRow | RunRow, slot: number): Blocked | null {
  const found = orphanOf(pass, owner, slot);
  if (found === null) return null;
  const { orphan, fact } = found;
  const ref = `${fact.node.name}/${shortId(orphan.uid)}`;
  const summary = `waits for ${orphan.name} on ${fact.node.name}, which lives there and which no server knows`;
  return waitOf(owner, slot, summary, [`orch stop ${ref} ends it`, `orch adopt ${ref} takes it on`]);
}

function orphanOf(
  pass: Pass,
  owner: WorkloadRow | RunRow,
  slot: number,
): { readonly orphan: Orphan; readonly fact: NodeFact } | null {
  let found: { orphan: Orphan; fact: NodeFact } | null = null;
  for (const fact of pass.nodes.values()) {
    // After so long a silence, the orphan's own lease has ended it.
    if (fact.silence_ms >= exclusiveSilence(pass.limits)) continue;
    for (const orphan of fact.node.orphans) {
      // A known task counts as a task, even if its record cannot be read.
      if (pass.state.tasks.has(orphan.uid) || !isNamed(orphan, owner, slot)) continue;
      if (orphan.project === undefined && !hadAttempt(pass, owner, slot, fact.node.id)) continue;
      if (found === null || orphan.uid < found.orphan.uid) found = { orphan, fact };
    }
  }
  return found;
}

/**
 * Returns whether an orphan has the name of an attempt of the slot: `shop.db.0#2` and the member `shop.db.0.1` belong
 * to `shop.db.0`.
 */
function isNamed({ name, project }: Orphan, owner: WorkloadRow | RunRow, slot: number): boolean {
  const parsed = parseName(name);
  if (parsed === null || (project !== undefined && project !== owner.project)) return false;
  if (parsed.is === "run") return "run" in owner && owner.app === null && parsed.run === owner.run;
  return parsed.app === owner.app && parsed.workload === workloadNameOf(owner) && parsed.slot === slot;
}

/** Returns whether the slot had an attempt on a node, as far as the server knows. */
const hadAttempt = (pass: Pass, { uid }: WorkloadRow | RunRow, slot: number, node_id: string): boolean =>
  [...tasksOf(pass, uid).filter((task) => task.slot === slot), ...(slotOf(pass, uid, slot)?.ends ?? [])].some(
    (attempt) => attempt.node_id === node_id,
  );
