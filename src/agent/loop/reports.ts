// What the agent tells of the tasks that it has records of: all of them in an inventory, and from then on what has
// changed. An attempt that the agent made by itself is told only once the end that it follows is written down.

import { reportOf } from "../../core/agent/report";
import { successorUid } from "../../core/fresh";
import type { Assignment, Reported, Seen, TaskRecord, TaskReport } from "../../core/model/record";
import type { Ms } from "../../core/units";
import type { TaskStore } from "../tasks/store";

/** What a report is a function of, beside the records. */
export interface Situation {
  readonly now_ms: Ms;
  readonly seen: ReadonlyMap<string, Seen>;
  /** Gang members that have been admitted and wait for the word to begin. */
  readonly reserved: ReadonlySet<string>;
  /** What each waiting task lacks, in words. */
  readonly lacking: ReadonlyMap<string, string>;
}

export interface TaskReports {
  /** A successor is written down before the end that made it. */
  ahead(uid: string): void;
  /** The end that this attempt's successor follows is written down, or will never be. */
  caughtUp(assignment: Assignment): void;
  /** Tasks whose state differs from what was told last; `busy`: something is being done about them. */
  changed(situation: Situation, busy: ReadonlySet<string>): readonly TaskReport[];
  all(situation: Situation): readonly TaskReport[];
  of(record: TaskRecord, situation: Situation): TaskReport;
  drop(uid: string): void;
  /** Another timeline has been told nothing. */
  newTimeline(): void;
}

const nextUid = ({ uid, identity }: Assignment): string => successorUid(uid, identity.attempt + 1);

/** What makes a report news: everything but the ages in it. */
function markOf(reported: Reported): string {
  const { state } = reported;
  const pid = "pid" in reported ? reported.pid : null;
  const prepared = "prepared" in reported && reported.prepared;
  return JSON.stringify([state, pid, prepared, "reason" in reported ? reported.reason : null]);
}

export function createReports(records: ReadonlyMap<string, TaskRecord>, store: TaskStore): TaskReports {
  const told = new Map<string, string>();
  /** Successors of attempts whose end is not written down: a server that heard of one would not know whose it is. */
  const early = new Set<string>();
  // Of an agent that died between writing the successor and writing the end.
  for (const { end, assignment } of records.values()) {
    if (end === null && assignment.identity.attempt < assignment.grant_until) early.add(nextUid(assignment));
  }
  const of = (record: TaskRecord, { now_ms, seen, reserved, lacking }: Situation): TaskReport =>
    reportOf(record, seen.get(record.assignment.uid), {
      now_ms,
      reserved,
      lacking,
      records,
      tail: (uid) => store.tail(uid),
    });

  return {
    ahead(uid) {
      early.add(uid);
    },
    caughtUp(assignment) {
      early.delete(nextUid(assignment));
    },
    changed(situation, busy) {
      const entries: TaskReport[] = [];
      for (const record of records.values()) {
        const { uid } = record.assignment;
        if (early.has(uid)) continue;
        if (busy.has(uid) && situation.seen.get(uid) === undefined && record.end === null) continue;
        const entry = of(record, situation);
        const mark = markOf(entry.reported);
        if (told.get(uid) === mark) continue;
        told.set(uid, mark);
        entries.push(entry);
      }
      // The end that made a successor goes before it, also where they travel apart.
      return entries.toSorted((a, b) => (a.identity?.attempt ?? 0) - (b.identity?.attempt ?? 0));
    },
    all: (situation) =>
      [...records.values()]
        .filter(({ assignment }) => !early.has(assignment.uid))
        .map((record) => of(record, situation)),
    of,
    drop(uid) {
      told.delete(uid);
    },
    newTimeline: () => told.clear(),
  };
}
