// The server's brain: from everything that is known, the operations that bring the cluster to what is wanted, and why
// the rest must wait. Pure: the same snapshot gives the same plan, whatever the order of its rows.

import { compareText } from "../canonical";
import { changesOfAll } from "./changes";
import { begin, type Pass, wakeAt } from "../pass/pass";
import { eventsOf } from "./events";
import { reclaimIdle } from "./idle";
import { quarantineOverdue } from "./overdue";
import { queue } from "../place/queue";
import { archiveRuns, reconcile, removeEmpty } from "./reconcile";
import { schedule } from "../place/schedule";
import type { Blocked, Op, Plan, Snapshot } from "../pass/snapshot";
import { taskName } from "../model/task";
import { SECOND_MS } from "../units";

/** One pass over the whole state. Applying its changes and planning again at the same time gives no operation. */
export function plan(snapshot: Snapshot): Plan {
  if (snapshot.state.cluster.recovering !== null) return recovering(snapshot, snapshot.state.cluster.recovering);
  const pass = begin(snapshot);
  quarantineOverdue(pass);
  reconcile(pass);
  forgetPorts(pass);
  const early = sorted(pass.ops.splice(0));
  const { blocked, waiting, rooms, more } = schedule(pass, queue(pass.demands));
  reclaimIdle(pass, rooms, waiting);
  for (const { run, why } of [...pass.runs.values()].sort((a, b) => a.run.run - b.run.run))
    pass.ops.push({ op: "run", run, why });
  archiveRuns(pass);
  removeEmpty(pass);
  const ops = [...early, ...pass.ops];
  // A pass that reached its bound without doing anything would only do the same again.
  if (more && ops.length === 0) wakeAt(pass, pass.now_ms + SECOND_MS);
  const changes = [...changesOfAll(ops, snapshot.state, pass.now_ms), ...eventsOf(ops, pass)];
  return {
    ops,
    changes,
    blocked: [...blocked, ...pass.waits.sort(byName)],
    wake_at_ms: pass.wake_at_ms,
    more: more && ops.length > 0,
    notices: pass.notices,
  };
}

/** A restored database is only listened to until every node has said what it has. */
function recovering(snapshot: Snapshot, awaited: readonly string[]): Plan {
  const names = awaited.map((id) => snapshot.state.nodes.get(id)?.name ?? id).sort();
  const have = names.length === 1 ? "has" : "have";
  return {
    ops: [],
    changes: [],
    blocked: [],
    wake_at_ms: null,
    more: false,
    notices: [
      `recovering: nothing is placed or stopped until ${names.join(", ")} ${have} said what ` +
        "runs there; to give one up: orch node forget NODE",
    ],
  };
}

/** Released ports that have rested; asks for a pass when the next one has. */
function forgetPorts(pass: Pass): void {
  for (const port of pass.state.ports.values()) {
    if (port.until_ms <= pass.now_ms) pass.ops.push({ op: "port", key: port.key, why: "it has rested" });
    else wakeAt(pass, port.until_ms);
  }
}

const ORDER = {
  node: 0,
  quarantine: 0,
  lose: 1,
  stop: 2,
  go: 3,
  port: 4,
  place: 5,
  write_off: 6,
  notify: 7,
  run: 7,
  archive: 8,
  remove: 9,
} as const;

/** An order that does not depend on the order of rows. Lost tasks keep theirs: they write their slots one by one. */
function sorted(ops: Op[]): Op[] {
  const keyed = ops.map((op) => ({ op, key: keyOf(op) }));
  keyed.sort((a, b) => ORDER[a.op.op] - ORDER[b.op.op] || compareText(a.key, b.key));
  return keyed.map(({ op }) => op);
}

function keyOf(op: Op): string {
  switch (op.op) {
    case "node":
    case "quarantine":
      return op.node.name;
    case "stop":
    case "go":
      return `${taskName(op.task)} ${op.task.uid}`;
    case "port":
      return op.key;
    default:
      return "";
  }
}

const byName = (a: Blocked, b: Blocked): number =>
  compareText(a.name, b.name) || compareText(a.owner_uid, b.owner_uid) || a.slot - b.slot;
