// What the server decides: from everything that is known, the operations that bring the cluster to what is wanted, and
// why the rest must wait. It is pure: the same snapshot gives the same plan, whatever the order of its rows.

import { compareText } from "../canonical";
import { withinBound } from "./bounded";
import { changesOfAll } from "./changes";
import { begin } from "../pass/begin";
import { earlier, type Demand, type Findings, type Pass } from "../pass/pass";
import { eventsOf } from "./events";
import { reclaimIdle } from "./idle";
import { quarantineOverdue } from "./overdue";
import { queue } from "../place/queue";
import { archiveRuns, reconcile, removeEmpty } from "./reconcile";
import { schedule } from "../schedule/schedule";
import type { Blocked, Op, Plan, Snapshot } from "../pass/snapshot";
import { isFinal } from "../model/lifecycle";
import { slotKey, taskName } from "../model/task";
import { SECOND_MS, type Ms } from "../units";

/**
 * Makes one pass over the whole state. Applying its changes and planning again at the same time gives no operation,
 * unless the pass reached its bound on work. Notices of idle cards are in no change: the snapshot has to say that they
 * were given (`told`).
 */
export function plan(snapshot: Snapshot): Plan {
  if (snapshot.state.cluster.recovering !== null) return recovering(snapshot, snapshot.state.cluster.recovering);
  const begun = begin(snapshot);
  const { pass } = begun;
  const overdue = quarantineOverdue(pass);
  const reconciled = reconcile(pass);
  const rested = freePorts(pass);
  const placed = schedule(pass, queue(reconciled.demands), reconciled);
  const reclaimed = reclaimIdle(pass, placed);
  const archived = archiveRuns(pass, reclaimed);
  const { ops, cut } = withinBound([
    ...sorted([...begun.ops, ...overdue.ops, ...reconciled.ops, ...rested.ops]),
    ...placed.ops,
    ...reclaimed.ops,
    ...runOps(reclaimed),
    ...archived,
    ...removeEmpty(pass, archived),
  ]);
  // A pass that reached its bound and found out nothing would only repeat itself, so the next one comes later.
  const again_ms = placed.more === "later" ? pass.now_ms + SECOND_MS : null;
  const wakes = [begun, overdue, reconciled, rested, placed, reclaimed].map(({ wake_at_ms }) => wake_at_ms);
  return {
    ops,
    changes: [...changesOfAll(ops, snapshot.state, pass.now_ms), ...eventsOf(ops, pass, placed.placed.length)],
    blocked: [...placed.blocked, ...[...reconciled.waits].sort(byName)],
    queue: queuedSlots(placed.waiting, reclaimed),
    wake_at_ms: [...wakes, again_ms].reduce((wake, at_ms) => earlier(pass.now_ms, wake, at_ms), null),
    more: cut || placed.more === "at once",
    notices: begun.notices,
    tried: placed.tried,
    needs: placed.needs,
  };
}

const runOps = ({ runs }: Pick<Findings, "runs">): Op[] =>
  [...runs.values()].sort((a, b) => a.run.run - b.run.run).map(({ run, why }) => ({ op: "run", run, why }));

/** Returns the slots that wait for room, for their first attempt or for another, in the order of their examination. */
const queuedSlots = (waiting: readonly Demand[], { runs }: Pick<Findings, "runs">): string[] =>
  waiting.flatMap(({ owner, slot }) => {
    const run = "run" in owner ? (runs.get(owner.uid)?.run ?? owner) : null;
    return run === null || (!isFinal(run.state) && run.cancel === null) ? [slotKey(owner.uid, slot)] : [];
  });

/** Plans nothing while a restored database waits until every node has reported its tasks. */
function recovering(snapshot: Snapshot, awaited: readonly string[]): Plan {
  const names = awaited.map((id) => snapshot.state.nodes.get(id)?.name ?? id).sort();
  const have = names.length === 1 ? "has" : "have";
  return {
    ops: [],
    changes: [],
    blocked: [],
    queue: [],
    wake_at_ms: null,
    more: false,
    tried: null,
    needs: [],
    notices: [
      `recovering: nothing is placed or stopped until ${names.join(", ")} ${have} said what ` +
        "runs there; to give one up: orch node forget NODE",
    ],
  };
}

/** Returns the released ports that have rested, and when the next one will have. */
function freePorts({ state, now_ms }: Pass): { readonly ops: readonly Op[]; readonly wake_at_ms: Ms | null } {
  const ops: Op[] = [];
  let wake_at_ms: Ms | null = null;
  for (const port of state.ports.values()) {
    if (port.until_ms <= now_ms) ops.push({ op: "port", key: port.key, why: "it has rested" });
    else wake_at_ms = earlier(now_ms, wake_at_ms, port.until_ms);
  }
  return { ops, wake_at_ms };
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
  elements: 6,
  notify: 7,
  run: 7,
  archive: 8,
  remove: 9,
} as const;

/**
 * Sorts operations independently of the order of rows. Lost tasks keep their order, since they write their slots one by
 * one.
 */
function sorted(ops: readonly Op[]): Op[] {
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
