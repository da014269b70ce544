// What an agent says of a task: a function of its record and of what it sees, with times as ages.

import { withoutRecord } from "./accept";
import type { TaskFinal } from "../model/rows-task";
import type { Reported, Seen, TaskRecord, TaskReport } from "../model/record";
import type { Ms } from "../units";

export interface ReportContext {
  readonly now_ms: Ms;
  readonly reserved: ReadonlySet<string>;
  readonly lacking: ReadonlyMap<string, string>;
  readonly records: ReadonlyMap<string, TaskRecord>;
  readonly tail: (uid: string) => TaskFinal["tail"];
}

/** The line of a report or inventory for one record. */
export function reportOf(record: TaskRecord, seen: Seen | undefined, context: ReportContext): TaskReport {
  const { uid, name, identity, grant_until, promised, lease_ms, unix_user } = record.assignment;
  return {
    uid,
    name,
    identity,
    grant_until,
    held: promised,
    exclusive: lease_ms !== null,
    unix_user,
    reported: reportedOf(record, seen, context),
  };
}

function reportedOf(record: TaskRecord, seen: Seen | undefined, context: ReportContext): Reported {
  const { uid } = record.assignment;
  const age = (at_ms: Ms | null): Ms | null =>
    at_ms === null ? null : Math.max(0, Math.round(context.now_ms - at_ms));
  if (record.end !== null) {
    const { state, started_ms, finished_ms, exit_code, signal, reason, peak_memory_bytes, next_uid } = record.end;
    const next = next_uid === null ? undefined : context.records.get(next_uid);
    return {
      state,
      started_age_ms: age(started_ms),
      finished_age_ms: age(finished_ms) ?? 0,
      exit_code,
      signal,
      reason,
      peak_memory_bytes,
      tail: context.tail(uid),
      next:
        next_uid === null
          ? null
          : { uid: next_uid, starts_in_ms: Math.max(0, Math.round((next?.not_before_ms ?? 0) - context.now_ms)) },
    };
  }
  const process = seen?.process;
  const alive = process?.is === "alive" ? process : null;
  if (record.stop !== null) {
    return { state: "stopping", pid: alive?.pid ?? null, started_age_ms: age(alive?.started_ms ?? null) };
  }
  if (alive !== null) return { state: "running", pid: alive.pid, started_age_ms: age(alive.started_ms) ?? 0 };
  if (seen?.claimed === true) return { state: "starting" };
  const reason = waitReason(record, context);
  return { state: "preparing", prepared: !record.go && context.reserved.has(uid), reason };
}

function waitReason(record: TaskRecord, context: ReportContext): string | null {
  const what = context.lacking.get(record.assignment.uid);
  if (what !== undefined) return `waits for room on its node: ${what}`;
  if (record.not_before_ms > context.now_ms) return "waits for its restart back-off";
  if (record.assignment.lease_ms !== null && record.go) return "waits for a valid lease";
  return null;
}

/** The end of what outlived its record, as its supervisor saw it: whose it was, the server knows. */
export function endWithoutRecord(
  uid: string,
  process: Extract<Seen["process"], { is: "ended" }>,
  now_ms: Ms,
  tail: TaskFinal["tail"],
): TaskReport {
  const { started_ms, ended_ms, exit_code, signal, peak_memory_bytes, oom, reason } = process;
  const succeeded = exit_code === 0 && reason === null && !oom;
  const age = (at_ms: Ms): Ms => Math.max(0, Math.round(now_ms - at_ms));
  return {
    ...withoutRecord(uid, "", "over"),
    reported: {
      state: succeeded ? "succeeded" : "failed",
      started_age_ms: age(started_ms),
      finished_age_ms: age(ended_ms),
      exit_code,
      signal,
      reason: succeeded ? null : oom ? "out of memory" : reason,
      peak_memory_bytes,
      tail,
      next: null,
    },
  };
}
