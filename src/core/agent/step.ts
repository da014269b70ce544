// The agent's brain: from its records and what it sees, the next action of each task. Decided afresh each time, never
// stored.

import { admit, type AdmissionDevice } from "./admit";
import type { Orphan } from "../model/rows-node";
import type { Amounts } from "../model/promised";
import { BLAME_WITHIN_MS } from "../model/findings";
import { formatBytes, formatDuration } from "../format";
import { successorUid } from "../fresh";
import type { Action, RecordEnd, Seen, TaskRecord } from "../model/record";
import { backoffMs } from "../pass/slot";
import { shortId, taskName } from "../model/task";
import { MINUTE_MS, SECOND_MS, type Bytes, type Ms } from "../units";

/** An accepted task that finds no room within this time is rejected. */
export const ADMISSION_DEADLINE_MS = MINUTE_MS;

/** From the first SIGKILL, how long a task may take to end before it is shown as unkillable. */
export const UNKILLABLE_AFTER_MS = MINUTE_MS;

/** A lease must still hold this long beyond the grace for an exclusive task to be started. */
export const LEASE_START_MARGIN_MS = 5 * SECOND_MS;
const STABLE_MS = MINUTE_MS;

export interface AgentView {
  readonly records: ReadonlyMap<string, TaskRecord>;
  readonly seen: ReadonlyMap<string, Seen>;
  /** Tasks with an action under way: nothing more is decided about them until it is done. */
  readonly busy: ReadonlySet<string>;
  /** Tasks whose stop signal was already sent by this agent process. */
  readonly signalled: ReadonlySet<string>;
  readonly reserved: ReadonlySet<string>;
  readonly boot_id: string;
  readonly now_ms: Ms;
  readonly capacity: Amounts;
  readonly devices: readonly AdmissionDevice[];
  readonly unreadable: readonly Orphan[];
  /** What tasks did to themselves on their cards, by uid. */
  readonly blames: ReadonlyMap<string, { readonly why: string; readonly at_ms: Ms }>;
  /** When the newest answered heartbeat was sent; `null`: none yet. Exclusive tasks start only under a valid lease. */
  readonly heard_ms: Ms | null;
}

export interface Step {
  readonly actions: readonly Action[];
  readonly reserved: ReadonlySet<string>;
  /** What accepted tasks lack that cannot start, by uid. */
  readonly lacking: ReadonlyMap<string, string>;
  /** When time alone changes the answer; `null`: never. */
  readonly wake_at_ms: Ms | null;
}

/** One decision over all tasks of this agent. */
export function step(view: AgentView): Step {
  const { admitted, lacking } = admit(view);
  const actions: Action[] = [];
  let wake: Ms | null = null;
  const wakeAt = (at_ms: Ms): void => {
    if (at_ms > view.now_ms && (wake === null || at_ms < wake)) wake = at_ms;
  };
  for (const record of view.records.values()) {
    if (record.end !== null || view.busy.has(record.assignment.uid)) continue;
    const action = stepOne(view, record, admitted, lacking, wakeAt);
    if (action !== null) actions.push(action);
  }
  return { actions, reserved: admitted, lacking, wake_at_ms: wake };
}

type Wake = (at_ms: Ms) => void;

function stepOne(
  view: AgentView,
  record: TaskRecord,
  admitted: ReadonlySet<string>,
  lacking: ReadonlyMap<string, string>,
  wakeAt: Wake,
): Action | null {
  const { uid } = record.assignment;
  const seen = view.seen.get(uid);
  if (seen?.claimed !== true) {
    return record.stop !== null ? { do: "claim", uid } : stepWaiting(view, record, admitted, lacking, wakeAt);
  }
  switch (seen.process.is) {
    case "alive":
      return stepAlive(view, record, seen.process.started_ms, wakeAt);
    case "beginning":
      return null;
    case "ended":
      return ended(view, record, seen.process);
    case "vanished":
      return end(view, record, { ...NO_RESULT, state: "gone", finished_ms: view.now_ms, reason: seen.process.why }, 0);
    case "none":
      return end(
        view,
        record,
        {
          ...NO_RESULT,
          state: "stopped",
          finished_ms: view.now_ms,
          reason: record.stop?.why ?? "stopped before it began",
        },
        0,
      );
  }
}

const NO_RESULT = { started_ms: null, exit_code: null, signal: null, peak_memory_bytes: null, next_uid: null } as const;

/**
 * Accepted, not claimed: start it when it may and there is room; turn it away when it waited too long or its boot
 * is over.
 */
function stepWaiting(
  view: AgentView,
  record: TaskRecord,
  admitted: ReadonlySet<string>,
  lacking: ReadonlyMap<string, string>,
  wakeAt: Wake,
): Action | null {
  const { uid } = record.assignment;
  if (record.boot_id !== view.boot_id) {
    return end(
      view,
      record,
      { ...NO_RESULT, state: "gone", finished_ms: view.now_ms, reason: "the node rebooted before it began" },
      0,
    );
  }
  if (!admitted.has(uid)) {
    const deadline = Math.max(record.accepted_ms, record.not_before_ms) + ADMISSION_DEADLINE_MS;
    wakeAt(deadline);
    if (view.now_ms < deadline) return null;
    return end(
      view,
      record,
      {
        ...NO_RESULT,
        state: "rejected",
        finished_ms: view.now_ms,
        reason: `no room on the node: ${lacking.get(uid) ?? "its capacity is still held by other tasks"}`,
      },
      0,
    );
  }
  if (!record.go) return null;
  if (view.now_ms < record.not_before_ms) {
    wakeAt(record.not_before_ms);
    return null;
  }
  if (neverHasLease(record)) return turnAway(view, record);
  if (!hasLease(view, record)) return null;
  return { do: "start", uid };
}

/** Its end would have to begin before it has begun: no lease that may come is long enough. */
const neverHasLease = ({ assignment: { lease_ms, stop } }: TaskRecord): boolean =>
  lease_ms !== null && !leavesLease(lease_ms, stop.grace_ms);

/** Whether a lease is long enough to start something under it that takes so long to stop. */
export const leavesLease = (lease_ms: Ms, grace_ms: Ms): boolean => lease_ms - grace_ms - LEASE_START_MARGIN_MS > 0;

function turnAway(view: AgentView, record: TaskRecord): Action {
  const { lease_ms, stop } = record.assignment;
  const reason =
    `its stop grace of ${formatDuration(stop.grace_ms)} leaves nothing of the lease of ` +
    `${formatDuration(lease_ms ?? 0)} that an exclusive task has`;
  return end(view, record, { ...NO_RESULT, state: "rejected", finished_ms: view.now_ms, reason }, 0);
}

function hasLease(view: AgentView, record: TaskRecord): boolean {
  const { lease_ms, stop } = record.assignment;
  if (lease_ms === null) return true;
  return view.heard_ms !== null && view.heard_ms + lease_ms - stop.grace_ms - LEASE_START_MARGIN_MS > view.now_ms;
}

/** Signal once, then kill when the grace is over; the task's own time limit is a stop like any other. */
function stepAlive(view: AgentView, record: TaskRecord, started_ms: Ms, wakeAt: Wake): Action | null {
  const { uid } = record.assignment;
  const stop = stopOf(record, started_ms, view.now_ms);
  if (stop === null) {
    if (record.assignment.time_limit_ms !== null) wakeAt(started_ms + record.assignment.time_limit_ms);
    return null;
  }
  const killAt = stop.at_ms + stop.grace_ms;
  if (view.now_ms >= killAt) {
    wakeAt(view.now_ms + SECOND_MS);
    return { do: "kill", uid };
  }
  wakeAt(killAt);
  return view.signalled.has(uid) ? null : { do: "signal", uid, signal: stop.signal };
}

interface Stop {
  readonly signal: string;
  readonly grace_ms: Ms;
  readonly at_ms: Ms;
  /** Why it is a failure of the task; `null`: it was ordered. */
  readonly failure: string | null;
}

/** The stop that is in force: the one ordered, or an earlier one of the task's time limit or of a verdict over it. */
function stopOf(record: TaskRecord, started_ms: Ms, now_ms: Ms): Stop | null {
  const { assignment, verdict } = record;
  const limit = assignment.time_limit_ms;
  const own: Stop[] = [];
  if (limit !== null) own.push({ ...assignment.stop, at_ms: started_ms + limit, failure: "time limit reached" });
  if (verdict !== null) own.push({ ...assignment.stop, at_ms: verdict.at_ms, failure: verdict.why });
  const first = own.filter(({ at_ms }) => at_ms <= now_ms).sort((a, b) => a.at_ms - b.at_ms)[0] ?? null;
  if (record.stop === null || (first !== null && first.at_ms < record.stop.at_ms)) return first;
  return { ...record.stop, failure: null };
}

/** The verdict over an ended process: whose doing its end was, in this order: an order, a limit, memory, itself. */
function ended(view: AgentView, record: TaskRecord, process: Extract<Seen["process"], { is: "ended" }>): Action | null {
  const stop = stopOf(record, process.started_ms, process.ended_ms);
  const base = {
    started_ms: process.started_ms,
    finished_ms: process.ended_ms,
    exit_code: process.exit_code,
    signal: process.signal,
    peak_memory_bytes: process.peak_memory_bytes,
    next_uid: null,
  };
  const ran = process.ended_ms - process.started_ms;
  if (stop !== null && stop.failure === null && process.ended_ms >= stop.at_ms) {
    return end(view, record, { ...base, state: "stopped", reason: record.stop?.why ?? null }, ran);
  }
  if (stop !== null && stop.failure !== null) {
    return end(view, record, { ...base, state: "failed", reason: stop.failure }, ran);
  }
  if (process.oom) {
    return end(view, record, { ...base, state: "failed", reason: outOfMemory(record, process.peak_memory_bytes) }, ran);
  }
  if (process.exit_code === 0 && process.reason === null) {
    return end(view, record, { ...base, state: "succeeded", reason: null }, ran);
  }
  return end(view, record, { ...base, state: "failed", reason: failureOf(view, record, process) }, ran);
}

/** What the task did to itself on a card, as its kernel said shortly before, and what its supervisor knows. */
function failureOf(
  view: AgentView,
  { assignment }: TaskRecord,
  process: Extract<Seen["process"], { is: "ended" }>,
): string | null {
  const blame = view.blames.get(assignment.uid);
  const isRecent = blame !== undefined && Math.abs(process.ended_ms - blame.at_ms) <= BLAME_WITHIN_MS;
  const whys = [...(isRecent ? [blame.why] : []), ...(process.reason === null ? [] : [process.reason])];
  return whys.length === 0 ? null : whys.join("; ");
}

function outOfMemory(record: TaskRecord, peak_bytes: Bytes | null): string {
  const { memory_bytes, memory_limited } = record.assignment.promised;
  const limit = memory_limited ? `limit ${formatBytes(memory_bytes)}` : "the machine had no more";
  return `out of memory: ${limit}, peak ${peak_bytes === null ? "unknown" : formatBytes(peak_bytes)}`;
}

/** Ends the attempt, and makes its successor where the grant and the workload's bounds allow one. */
function end(view: AgentView, record: TaskRecord, result: RecordEnd, ran_ms: Ms): Action {
  const { uid } = record.assignment;
  const next = successorOf(view, record, result, ran_ms);
  const next_uid = next === null ? null : next.assignment.uid;
  return { do: "end", uid, end: { ...result, next_uid }, next };
}

function successorOf(view: AgentView, record: TaskRecord, result: RecordEnd, ran_ms: Ms): TaskRecord | null {
  const { assignment } = record;
  const { attempt } = assignment.identity;
  const crashed = result.state === "failed" || result.state === "succeeded" || result.state === "gone";
  if (!crashed || record.stop !== null || !assignment.restart.offline || attempt >= assignment.grant_until) return null;
  const streak = ran_ms >= STABLE_MS ? 1 : assignment.streak + 1;
  if (assignment.restart.attempts !== null && streak > assignment.restart.attempts) return null;
  const uid = successorUid(assignment.uid, attempt + 1);
  const identity = { ...assignment.identity, attempt: attempt + 1 };
  return {
    assignment: {
      ...assignment,
      uid,
      identity,
      name: taskName(identity),
      boot_id: view.boot_id,
      streak,
      env: { ...assignment.env, ORCH_ATTEMPT: String(attempt + 1), ORCH_TASK: shortId(uid) },
    },
    boot_id: view.boot_id,
    accepted_ms: view.now_ms,
    go: true,
    stop: null,
    end: null,
    not_before_ms: view.now_ms + backoffMs(assignment.restart, streak, uid),
    verdict: null,
  };
}
