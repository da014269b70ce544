// What a message of the server makes of an agent's records: what is written, claimed, ended and answered.

import { HOUSE_LIMITS } from "../limits";
import { successorUid } from "../fresh";
import { endWithoutResult } from "./ending";
import { isCurrent, type Fence } from "./fence";
import { withoutRecord } from "./report";
import type { Stamp, TaskRecord, TaskReport, Verb } from "../model/record";
import type { Ms } from "../units";

/** What is neither begun nor over, and so is dropped when the server's timeline changes. */
export const notBegun = (record: TaskRecord, claimed: boolean): boolean => record.end === null && !claimed;

export interface Accepted {
  readonly fence: Fence;
  /** Records that are new or changed, to be written before anything follows from them. */
  readonly records: readonly TaskRecord[];
  /** Uids never heard of that must be claimed as stopped, so that a late assignment cannot start them. */
  readonly claims: readonly string[];
  /** What lives on of a uid without a record: it is ended, and the uid's end is told when its own has come. */
  readonly strays: readonly { readonly uid: string; readonly of: string; readonly why: string }[];
  /** What to answer for uids that never began here, or are over without a record. */
  readonly reports: readonly TaskReport[];
}

export interface AcceptContext {
  readonly fence: Fence;
  readonly records: ReadonlyMap<string, TaskRecord>;
  readonly claimed: (uid: string) => boolean;
  /** Whether a process of it is or was here, also when its record is gone: its end is not ours to make up then. */
  readonly begun: (uid: string) => "no" | "alive" | "over";
  readonly boot_id: string;
  readonly now_ms: Ms;
}

/** Takes in message `n` of the session, or returns `null` when it is to be dropped. */
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
    } else if (current(verb.uid) === undefined) {
      const { uid, why } = verb;
      const begun = context.begun(uid);
      if (begun === "no") claims.push(uid);
      const heirs = heirsOf(verb).filter((heir) => current(heir) !== undefined || context.begun(heir) !== "no");
      for (const heir of heirs) {
        for (const record of stopped({ ...verb, uid: heir }, current, context.now_ms)) changed.set(heir, record);
      }
      const living = [uid, ...heirs].filter((one) => context.begun(one) === "alive").at(-1);
      if (living !== undefined) strays.push({ uid: living, of: uid, why });
      else reports.push(withoutRecord(uid, why, begun === "no" && heirs.length === 0 ? "no" : "over"));
    } else {
      for (const record of stopped(verb, current, context.now_ms)) changed.set(record.assignment.uid, record);
    }
  }
  return {
    fence: { ...fence, applied_n: n, revision: Math.max(fence.revision, stamp.revision) },
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
  // What ran here and lost its record has it back, and is judged by what is seen of it; it is never executed again.
  if (context.begun(task.uid) !== "no") return record;
  if (context.claimed(task.uid))
    return { ...record, end: endWithoutResult("stopped", null, "it was stopped before it came", context.now_ms) };
  if (task.boot_id !== context.boot_id) {
    const why = "it was meant for this machine before its last reboot";
    return { ...record, end: endWithoutResult("rejected", "node_rebooted", why, context.now_ms) };
  }
  return record;
}

/** The attempts that this agent may have made, one after the other, of one whose record is gone. */
function heirsOf({ uid, attempt }: Extract<Verb, { verb: "stop" }>): string[] {
  const heirs: string[] = [];
  let last = uid;
  for (let n = 1; n <= HOUSE_LIMITS.grant_attempts; n++) heirs.push((last = successorUid(last, attempt + n)));
  return heirs;
}

/**
 * A stop holds for the attempt and for every successor that the agent made of it under its grant, also for one whose
 * predecessor's end was not written down before a crash.
 */
function stopped(
  verb: Extract<Verb, { verb: "stop" }>,
  current: (uid: string) => TaskRecord | undefined,
  now_ms: Ms,
): TaskRecord[] {
  const { signal, grace_ms, why } = verb;
  const records: TaskRecord[] = [];
  let record = current(verb.uid);
  while (record !== undefined) {
    const { uid, identity } = record.assignment;
    if (record.end === null && record.stop === null)
      records.push({ ...record, stop: { signal, grace_ms, why, at_ms: now_ms } });
    record = current(successorUid(uid, identity.attempt + 1));
  }
  return records;
}
