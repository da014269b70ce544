// What the agent reports of the tasks that it has records of: all of them in an inventory, and every change from then
// on. An attempt that the agent made by itself is reported only once the end that it follows is on disk.

import { RESULTS_PAGE, resultBytes } from "../../core/agent/results";
import type { BlockedStart } from "../../core/agent/step";
import { reportOf } from "../../core/agent/report";
import { successorUid } from "../../core/fresh";
import type { Assignment, Reported, Seen, TaskRecord, TaskReport } from "../../core/model/record";
import { MIB, type BootMs, type Bytes } from "../../core/units";
import type { Driver } from "../drivers/driver";
import type { TaskStore } from "../tasks/store";
import { createBatchReports } from "./batch-reports";

/** The results of batches in a whole inventory. What does not fit follows in reports. */
const INVENTORY_RESULTS: Bytes = 2 * MIB;

/** The facts that a report is made of, beside the records. */
export interface Situation {
  readonly now_ms: BootMs;
  readonly seen: ReadonlyMap<string, Seen>;
  /** Uids of the accepted tasks with a reservation, among them the prepared members of gangs. */
  readonly reserved: ReadonlySet<string>;
  /** What each accepted task that has no room lacks, in words. */
  readonly lacking: ReadonlyMap<string, string>;
  /** Why accepted tasks cannot be begun. */
  readonly blocked: ReadonlyMap<string, BlockedStart>;
  /** What tasks wait for whose standard input is not whole here. */
  readonly fetching: ReadonlyMap<string, string>;
}

export interface TaskReports {
  /** Holds back the reports of a successor whose record is written before the end that made it. */
  ahead(uid: string): void;
  /** Releases the reports of this attempt's successor: the attempt's end is on disk, or will never be. */
  caughtUp(assignment: Assignment): void;
  /**
   * Returns the reports of tasks whose state differs from the last report. `busy` are tasks with an action under way.
   */
  changed(situation: Situation, busy: ReadonlySet<string>): readonly TaskReport[];
  /** Returns the reports of all tasks, for an inventory. */
  all(situation: Situation): readonly TaskReport[];
  /** When the results of batches are the next news by time alone, or null. */
  due_ms(): BootMs | null;
  /** Notes how many results of batches the server has, by uid. */
  hasResults(counts: ReadonlyMap<string, number>): void;
  of(record: TaskRecord, situation: Situation): TaskReport;
  drop(uid: string): void;
  /** Forgets what was reported, since another timeline has heard nothing of it. */
  newTimeline(): void;
}

const nextUid = ({ uid, identity }: Assignment): string => successorUid(uid, identity.attempt + 1);

/**
 * Returns a text that changes when a report is news: with its state, pid, readiness and reason, but not with its ages.
 */
function markOf(reported: Reported): string {
  const { state } = reported;
  const pid = "pid" in reported ? reported.pid : null;
  const prepared = "prepared" in reported && reported.prepared;
  return JSON.stringify([state, pid, prepared, "reason" in reported ? reported.reason : null]);
}

/** What was reported of a task last, and of what it was made. */
interface Told {
  readonly mark: string;
  readonly record: TaskRecord;
  readonly seen: Seen | undefined;
}

/** Returns whether the mark of a report is made of the record and of what is seen of its task, and of nothing else. */
const isPlain = ({ assignment, end }: TaskRecord, seen: Seen | undefined): boolean =>
  assignment.batch === undefined && (end !== null || seen?.process.is === "alive");

/** Returns the entries of an inventory. `of` gives one whose results take at most so much room. */
function withinInventory(
  records: readonly TaskRecord[],
  of: (record: TaskRecord, room: Bytes) => TaskReport,
): TaskReport[] {
  let left = INVENTORY_RESULTS;
  return records.map((record) => {
    const entry = of(record, Math.min(left, RESULTS_PAGE));
    left -= resultBytes(entry.results?.results ?? []);
    return entry;
  });
}

/** Returns the successors of attempts whose end is not on disk. The server would not know whose such a successor is. */
function successorsIn(records: Iterable<TaskRecord>): Set<string> {
  const early = new Set<string>();
  // An agent may have died between writing a successor and writing the end before it.
  for (const { end, assignment } of records) {
    if (end === null && assignment.identity.attempt < assignment.grant_until) early.add(nextUid(assignment));
  }
  return early;
}

export function createReports(
  records: ReadonlyMap<string, TaskRecord>,
  store: Pick<TaskStore, "tail">,
  driver: Pick<Driver, "batch">,
): TaskReports {
  const batches = createBatchReports(driver);
  const told = new Map<string, Told>();
  const early = successorsIn(records.values());
  const of = (record: TaskRecord, { seen, ...context }: Situation, room?: Bytes): TaskReport =>
    reportOf(
      record,
      seen.get(record.assignment.uid),
      { ...context, records, tail: (uid) => store.tail(uid) },
      batches.contextOf(record, room),
    );

  return {
    ahead(uid) {
      early.add(uid);
    },
    caughtUp(assignment) {
      early.delete(nextUid(assignment));
    },
    changed(situation, busy) {
      const entries: TaskReport[] = [];
      const { now_ms } = situation;
      batches.begin();
      for (const record of records.values()) {
        const { uid } = record.assignment;
        if (early.has(uid)) continue;
        const beginning = busy.has(uid) && situation.seen.get(uid) === undefined && record.end === null;
        if (beginning && !situation.blocked.has(uid)) continue;
        const seen = situation.seen.get(uid);
        const before = told.get(uid);
        if (before !== undefined && before.record === record && before.seen === seen && isPlain(record, seen)) continue;
        const entry = of(record, situation);
        const { reported, results } = entry;
        const mark = markOf(reported);
        const isSame = before?.mark === mark;
        told.set(uid, { mark, record, seen });
        if (isSame && (results === undefined || !batches.isDue(record, results, now_ms))) continue;
        if (results !== undefined) batches.sent(uid, results, now_ms);
        entries.push(entry);
      }
      // The end that made a successor comes before the successor, also if the two are sent in different messages.
      return entries.toSorted((a, b) => (a.identity?.attempt ?? 0) - (b.identity?.attempt ?? 0));
    },
    all(situation) {
      const all = [...records.values()].filter(({ assignment }) => !early.has(assignment.uid));
      const entries = withinInventory(all, (record, room) => of(record, situation, room));
      for (const { uid, results } of entries) if (results !== undefined) batches.sent(uid, results, situation.now_ms);
      return entries;
    },
    due_ms: () => batches.due_ms,
    hasResults(counts) {
      for (const [uid, count] of counts) if (records.has(uid)) batches.acknowledged(uid, count);
    },
    of,
    drop(uid) {
      told.delete(uid);
      batches.drop(uid);
    },
    newTimeline() {
      told.clear();
      batches.newTimeline();
    },
  };
}
