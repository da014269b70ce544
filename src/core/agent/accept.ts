// What follows from a message of the server for an agent's records: what is written, claimed, ended and answered.

import { canonicalJson } from "../canonical";
import { HOUSE_LIMITS } from "../limits";
import { successorUid } from "../fresh";
import { endWithoutResult } from "./ending";
import { isCurrent, neverCame, passedOf, type Fence } from "./fence";
import { UNTOLD, withoutRecord } from "./report";
import type { Stamp, TaskRecord, TaskReport, Verb } from "../model/record";
import type { BootMs } from "../units";

/**
 * Returns whether a record's task has neither begun nor ended. Such a record is dropped when the server's timeline
 * changes.
 */
export const notBegun = (record: TaskRecord, claimed: boolean): boolean => record.end === null && !claimed;

export interface Accepted {
  readonly fence: Fence;
  /** The new and changed records. They are written before anything follows from them. */
  readonly records: readonly TaskRecord[];
  /**
   * Uids without a record here. They are claimed as stopped, so that an assignment that comes late cannot start them.
   */
  readonly claims: readonly string[];
  /**
   * Processes that live on without a record, of attempts that shall stop. `uid` is ended, and its end is then reported
   * as the end of `of`.
   */
  readonly strays: readonly { readonly uid: string; readonly of: string; readonly why: string }[];
  /** Reports for stopped uids without a record that never began here, that are over, or of which nobody knows. */
  readonly reports: readonly TaskReport[];
}

export interface AcceptContext {
  readonly fence: Fence;
  readonly records: ReadonlyMap<string, TaskRecord>;
  readonly claimed: (uid: string) => boolean;
  /**
   * Returns whether a process of the uid is or was here, also when its record is gone. If so, the agent must not make
   * up the end of that task. `untold`: it was here, and nothing is left that could tell how it ended.
   */
  readonly begun: (uid: string) => "no" | "alive" | "over" | "untold";
  readonly boot_id: string;
  readonly now_ms: BootMs;
}

/** Returns what follows from message `n` of the session, or null if the message is to be dropped. */
export function accept(context: AcceptContext, stamp: Stamp, n: number, verbs: readonly Verb[]): Accepted | null {
  const { fence } = context;
  if (!isCurrent(fence, stamp) || n !== fence.applied_n + 1) return null;
  const changed = new Map<string, TaskRecord>();
  const claims: string[] = [];
  const strays: { uid: string; of: string; why: string }[] = [];
  const reports: TaskReport[] = [];
  const current = (uid: string): TaskRecord | undefined => changed.get(uid) ?? context.records.get(uid);
  for (const verb of verbs) {
    if (verb.verb === "assign") {
      const record = assign(context, current(verb.task.uid), verb);
      if (record !== null) changed.set(verb.task.uid, record);
    } else if (verb.verb === "go") {
      const record = current(verb.uid);
      if (record !== undefined && record.end === null) changed.set(verb.uid, { ...record, go: true });
    } else if (verb.verb === "set") {
      for (const record of withSettings(verb, current, context.now_ms)) changed.set(record.assignment.uid, record);
    } else if (current(verb.uid) === undefined) {
      const { uid, why } = verb;
      const begun = context.begun(uid);
      // The claim says to a later agent that the task never began, so it is made only where this is certain.
      const isUnbegun = begun === "no" && (context.claimed(uid) || neverCame(fence, verb.assigned_revision));
      if (isUnbegun) claims.push(uid);
      const successors = successorsOf(verb).filter((one) => current(one) !== undefined || context.begun(one) !== "no");
      for (const one of successors) {
        for (const record of stopped({ ...verb, uid: one }, current, context.now_ms)) changed.set(one, record);
      }
      const living = [uid, ...successors].filter((one) => context.begun(one) === "alive").at(-1);
      if (living !== undefined) strays.push({ uid: living, of: uid, why });
      else if (begun !== "no" || successors.length > 0) reports.push(withoutRecord(uid, why, "over"));
      else reports.push(withoutRecord(uid, why, isUnbegun ? "no" : "unknown"));
    } else {
      for (const record of stopped(verb, current, context.now_ms)) changed.set(record.assignment.uid, record);
    }
  }
  return {
    fence: {
      ...fence,
      applied_n: n,
      revision: Math.max(fence.revision, stamp.revision),
      // A message that tells only a part of the newest changes has the stamp of an earlier revision.
      passed: (fence.passed?.revision ?? 0) > stamp.revision ? fence.passed : passedOf(stamp),
    },
    records: [...changed.values()],
    claims,
    strays,
    reports,
  };
}

function assign(
  context: AcceptContext,
  known: TaskRecord | undefined,
  verb: Extract<Verb, { verb: "assign" }>,
): TaskRecord | null {
  const { task } = verb;
  if (known !== undefined) {
    return known.end === null && !known.go && task.desired === "run" ? { ...known, go: true } : null;
  }
  const record: TaskRecord = {
    assignment: task,
    boot_id: context.boot_id,
    accepted_ms: context.now_ms,
    go: task.desired === "run",
    not_before_ms: 0,
    stop: null,
    verdict: null,
    end: null,
  };
  // A task that ran here and lost its record gets the record back, and is judged by what the agent sees of it. It never
  // executes again.
  const begun = context.begun(task.uid);
  if (begun === "untold")
    return { ...record, end: endWithoutResult("unknown", "result_unknown", UNTOLD, context.now_ms) };
  if (begun !== "no") return record;
  if (context.claimed(task.uid))
    return { ...record, end: endWithoutResult("stopped", null, "it was stopped before it came", context.now_ms) };
  if (task.boot_id !== context.boot_id) {
    const why = "it was meant for this machine before its last reboot";
    return { ...record, end: endWithoutResult("rejected", "node_rebooted", why, context.now_ms) };
  }
  return record;
}

/**
 * Returns the uids of all attempts that this agent may have made, one after the other, under the grant of an attempt
 * whose record is gone.
 */
function successorsOf({ uid, attempt }: Extract<Verb, { verb: "stop" }>): string[] {
  const successors: string[] = [];
  let last = uid;
  for (let n = 1; n <= HOUSE_LIMITS.grant_attempts; n++) successors.push((last = successorUid(last, attempt + n)));
  return successors;
}

/** Returns the records of an attempt and of all successors that the agent made of it under its grant. */
function lineOf(uid: string, current: (uid: string) => TaskRecord | undefined): TaskRecord[] {
  const line: TaskRecord[] = [];
  for (let record = current(uid); record !== undefined;) {
    line.push(record);
    const { assignment } = record;
    record = current(successorUid(assignment.uid, assignment.identity.attempt + 1));
  }
  return line;
}

/** Returns the records that other settings change. A task that was told them before is left as it is. */
function withSettings(
  { uid, settings }: Extract<Verb, { verb: "set" }>,
  current: (uid: string) => TaskRecord | undefined,
  now_ms: BootMs,
): TaskRecord[] {
  const { stop, restart, time_limit_ms } = settings;
  return lineOf(uid, current).flatMap((record) => {
    const { assignment: before } = record;
    const assignment = { ...before, stop, restart: { ...before.restart, ...restart }, time_limit_ms };
    if (record.end !== null || canonicalJson(assignment) === canonicalJson(before)) return [];
    const since = time_limit_ms === before.time_limit_ms ? {} : { limit_ms: now_ms };
    return [{ ...record, assignment, ...since }];
  });
}

/**
 * Returns the records that a stop changes: the attempt's, and those of all successors that the agent made of it under
 * its grant. That includes a successor whose predecessor's end was not written down before a crash.
 */
function stopped(
  verb: Extract<Verb, { verb: "stop" }>,
  current: (uid: string) => TaskRecord | undefined,
  now_ms: BootMs,
): TaskRecord[] {
  const { signal, grace_ms, why, unbegun } = verb;
  const stop = { signal, grace_ms, why, at_ms: now_ms, ...(unbegun === true ? { unbegun } : {}) };
  const isNews = ({ stop: known }: TaskRecord): boolean =>
    known === null || (known.unbegun === true && unbegun !== true);
  return lineOf(verb.uid, current)
    .filter((record) => record.end === null && isNews(record))
    .map((record) => ({ ...record, stop }));
}
