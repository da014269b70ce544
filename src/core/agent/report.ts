// What an agent reports of a task: a function of its record and of what the agent sees. Times are ages.

import { heldBy } from "./admit";
import { endWithoutResult, ownEnd } from "./ending";
import { endOfPage, pageOf, type BatchSoFar } from "./results";
import type { TaskExit, RecordEnd, ReportedEnd, Tail } from "../model/end";
import { bareReport, type Reported, type Seen, type TaskRecord, type TaskReport } from "../model/record";
import type { BootMs, Bytes, Ms } from "../units";

export interface ReportContext {
  readonly now_ms: BootMs;
  readonly reserved: ReadonlySet<string>;
  readonly lacking: ReadonlyMap<string, string>;
  readonly blocked: ReadonlyMap<string, { readonly why: string }>;
  readonly fetching: ReadonlyMap<string, string>;
  readonly records: ReadonlyMap<string, TaskRecord>;
  readonly tail: (uid: string) => Tail | null;
}

/** What is told of a batch with its state: results from number `from` on, in so many bytes. */
export interface ResultsToTell {
  readonly so_far: BatchSoFar;
  readonly from: number;
  readonly room?: Bytes | undefined;
}

/**
 * Returns the entry of a report or inventory for one record. The end of a batch is told with the last of its results:
 * until then it is told as one that still runs.
 */
export function reportOf(
  record: TaskRecord,
  seen: Seen | undefined,
  context: ReportContext,
  batch: ResultsToTell | null = null,
): TaskReport {
  const { uid, name, identity, grant_until, lease_ms, unix_user, seal } = record.assignment;
  const results = batch === null ? null : pageOf(batch.so_far, batch.from, batch.room);
  const lacks = batch !== null && results !== null && endOfPage(results) < batch.so_far.results.length;
  return {
    uid,
    name,
    identity,
    grant_until,
    held: heldBy(record.assignment, seen),
    exclusive: lease_ms !== null,
    unix_user,
    ...(seal === undefined ? {} : { seal }),
    reported: lacks && record.end !== null ? untilAllIsTold(record, context) : reportedOf(record, seen, context),
    ...(results === null ? {} : { results }),
  };
}

/** Returns the state of a batch that is over, as it is told while the server lacks some of its results. */
function untilAllIsTold({ stop, end, accepted_ms }: TaskRecord, { now_ms }: ReportContext): Reported {
  const started_age_ms = Math.max(0, Math.round(now_ms - (end?.started_ms ?? accepted_ms)));
  return stop === null
    ? { state: "running", pid: 0, started_age_ms }
    : { state: "stopping", pid: null, started_age_ms };
}

function reportedOf(record: TaskRecord, seen: Seen | undefined, context: ReportContext): Reported {
  const { uid } = record.assignment;
  const age = (at_ms: BootMs | null): Ms | null =>
    at_ms === null ? null : Math.max(0, Math.round(context.now_ms - at_ms));
  if (record.end !== null) {
    const { next_uid } = record.end;
    const next = next_uid === null ? undefined : context.records.get(next_uid);
    const starts_in_ms = Math.max(0, Math.round((next?.not_before_ms ?? 0) - context.now_ms));
    return reportedEnd(record.end, context.now_ms, context.tail(uid), starts_in_ms);
  }
  const process = seen?.process;
  const alive = process?.is === "alive" ? process : null;
  // One that is to stop only if it has not begun is told with its end, or runs on.
  if (record.stop !== null && record.stop.unbegun !== true) {
    return { state: "stopping", pid: alive?.handle.pid ?? null, started_age_ms: age(alive?.started_ms ?? null) };
  }
  if (alive !== null)
    return { state: "running", pid: alive.handle.pid ?? 0, started_age_ms: age(alive.started_ms) ?? 0 };
  // An attempt that was claimed as stopped has not begun, and its end follows.
  if (seen?.claimed === true && seen.process.is !== "none") return { state: "starting" };
  const prepared = !record.go && context.reserved.has(uid) && !context.fetching.has(uid);
  return { state: "preparing", prepared, reason: waitReason(record, context) };
}

function waitReason(record: TaskRecord, context: ReportContext): string | null {
  const blocked = context.blocked.get(record.assignment.uid);
  if (blocked !== undefined) return `its node cannot begin it: ${blocked.why}`;
  const what = context.lacking.get(record.assignment.uid);
  if (what !== undefined) return `waits for room on its node: ${what}`;
  const fetching = context.fetching.get(record.assignment.uid);
  if (fetching !== undefined) return fetching;
  if (record.assignment.lease_ms !== null && record.go) return "waits for a valid lease";
  return null;
}

/**
 * Returns an end as it is sent. `starts_in_ms` is how long it takes until the successor is due, if the agent made one.
 */
function reportedEnd(end: RecordEnd, now_ms: BootMs, tail: Tail | null, starts_in_ms: Ms): ReportedEnd {
  const { started_ms, finished_ms, next_uid, ...facts } = end;
  const age = (at_ms: BootMs): Ms => Math.max(0, Math.round(now_ms - at_ms));
  return {
    ...facts,
    started_age_ms: started_ms === null ? null : age(started_ms),
    finished_age_ms: age(finished_ms),
    tail,
    next: next_uid === null ? null : { uid: next_uid, starts_in_ms },
  };
}

export const UNTOLD = "it is over, and the record of how it ended is lost";

/**
 * Returns the report of a task without a record here: it never began, its result is not known any more, or (`unknown`)
 * the record of whether it began may be lost.
 */
export const withoutRecord = (uid: string, why: string, begun: "no" | "over" | "rebooted" | "unknown"): TaskReport =>
  bareReport(uid, reportedEnd(endWithoutRecordOf(why, begun), 0, null, 0));

function endWithoutRecordOf(why: string, begun: "no" | "over" | "rebooted" | "unknown"): RecordEnd {
  switch (begun) {
    case "no":
      return endWithoutResult("stopped", null, `${why}; it never began here`, 0);
    case "over":
      return endWithoutResult("unknown", "result_unknown", UNTOLD, 0);
    case "rebooted":
      return endWithoutResult("gone", "node_rebooted", "the machine was restarted while it ran", 0);
    case "unknown":
      return endWithoutResult("unknown", "no_record", "its agent has no record of it, and may have had one", 0);
  }
}

/** Returns the report of a task that outlived its record, with its exit as its supervisor saw it. */
export const endWithoutRecord = (uid: string, exit: TaskExit, now_ms: BootMs, tail: Tail | null): TaskReport =>
  bareReport(uid, reportedEnd(ownEnd(exit), now_ms, tail, 0));

/** Returns the report of a task whose order this agent cannot read. It never begins here. */
export const rejectedUnread = (uid: string, why: string): TaskReport =>
  bareReport(uid, reportedEnd(endWithoutResult("rejected", null, why, 0), 0, null, 0));
