// What the agent decides by itself: from its records and what it sees, the next action of each task. It is decided anew
// each time and never stored.

import { admit, waitsForTurn, type AdmissionDevice } from "./admit";
import type { Orphan } from "../model/rows-node";
import type { Amounts } from "../model/promised";
import { BLAME_WITHIN_MS } from "../model/findings";
import { endOfExit, endWithoutResult, limitAt, ownLimitOf, stopOf } from "./ending";
import { formatDuration } from "../format";
import type { EndCause, RecordEnd } from "../model/end";
import { successorUid } from "../fresh";
import type { Action, Asked, EndOfClaim, Seen, TaskRecord } from "../model/record";
import { backoffMs } from "../pass/slot";
import { shortId, taskName } from "../model/task";
import { MINUTE_MS, SECOND_MS, type BootMs, type Ms } from "../units";

/** An accepted task that finds no room within this time is rejected. */
export const ADMISSION_DEADLINE_MS = MINUTE_MS;

/** An accepted task that cannot be begun, or whose record cannot be written, is turned away after this time. */
export const BLOCKED_DEADLINE_MS = 20 * SECOND_MS;

/** How long a task may live after the first SIGKILL before it is shown as unkillable. */
export const UNKILLABLE_AFTER_MS = MINUTE_MS;

/** An exclusive task starts only if its lease holds this long beyond the task's stop grace. */
export const LEASE_START_MARGIN_MS = 5 * SECOND_MS;

export interface AgentView {
  readonly records: ReadonlyMap<string, TaskRecord>;
  readonly seen: ReadonlyMap<string, Seen>;
  /** Tasks with an action under way. Nothing more is decided about them until it is done. */
  readonly busy: ReadonlySet<string>;
  /** The stop signals that this agent process has sent, by uid of the task. */
  readonly signalled: ReadonlyMap<string, Asked>;
  readonly reserved: ReadonlySet<string>;
  readonly boot_id: string;
  readonly now_ms: BootMs;
  /** When this agent process began. */
  readonly begun_ms: BootMs;
  readonly capacity: Amounts;
  readonly devices: readonly AdmissionDevice[];
  readonly unreadable: readonly Orphan[];
  /** The accepted tasks that cannot be begun, each with why, and since when. */
  readonly blocked: ReadonlyMap<string, BlockedStart>;
  /** The accepted tasks whose standard input is not whole here yet, each with what it waits for. */
  readonly fetching: ReadonlyMap<string, string>;
  /** What tasks did to their cards, by uid of the task. */
  readonly blames: ReadonlyMap<string, { readonly why: string; readonly at_ms: BootMs }>;
  /**
   * When the newest answered heartbeat was sent; null before the first. Exclusive tasks start only under a valid lease.
   */
  readonly heard_ms: BootMs | null;
}

/** Why an accepted task cannot be begun now. */
export interface BlockedStart {
  readonly why: string;
  readonly since_ms: Ms;
  /**
   * `kept`: its record is not on disk, so it must not begin. `start`: its start failed, and is tried again. `stdin`:
   * its standard input cannot be written here.
   */
  readonly at: "kept" | "stdin" | "start";
}

export interface Step {
  readonly actions: readonly Action[];
  readonly reserved: ReadonlySet<string>;
  /** What each accepted task that cannot start lacks, by uid. */
  readonly lacking: ReadonlyMap<string, string>;
  /** When time alone changes the answer, or null for never. */
  readonly wake_at_ms: BootMs | null;
}

/** Decides the next action of every task of this agent. */
export function step(view: AgentView): Step {
  const { admitted, lacking } = admit(view);
  const actions: Action[] = [];
  let wake: BootMs | null = null;
  const wakeAt = (at_ms: BootMs): void => {
    if (at_ms > view.now_ms && (wake === null || at_ms < wake)) wake = at_ms;
  };
  for (const record of view.records.values()) {
    if (view.busy.has(record.assignment.uid)) continue;
    const action =
      record.end === null ? stepOne(view, record, admitted, lacking, wakeAt) : stepEnded(view, record, wakeAt);
    if (action !== null) actions.push(action);
  }
  return { actions, reserved: admitted, lacking, wake_at_ms: wake };
}

type Wake = (at_ms: BootMs) => void;

/** Kills what lives of a task although its end was told: another node may have the task now. */
function stepEnded(view: AgentView, { assignment: { uid } }: TaskRecord, wakeAt: Wake): Action | null {
  if (view.seen.get(uid)?.process.is !== "alive") return null;
  wakeAt(view.now_ms + SECOND_MS);
  return { do: "kill", uid };
}

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
    if (record.stop !== null) return claim(view, record, "stopped", null, record.stop.why);
    return stepWaiting(view, record, admitted, lacking, wakeAt);
  }
  switch (seen.process.is) {
    case "alive":
      return stepAlive(view, record, seen.process.started_ms, wakeAt);
    case "beginning":
      return null;
    case "ended": {
      const { started_ms, ended_ms } = seen.process;
      const told = { asked: view.signalled.get(uid) ?? null, begun_ms: view.begun_ms };
      const ended = endOfExit(record, seen.process, blameOf(view, uid, ended_ms), told);
      return end(view, record, ended, ended_ms - started_ms);
    }
    case "vanished":
      return seen.process.rebooted
        ? over(view, record, "gone", "node_rebooted", seen.process.why)
        : over(view, record, "unknown", "result_unknown", seen.process.why);
    case "none":
      if (record.stop !== null) return over(view, record, "stopped", null, record.stop.why);
      return overClaimed(view, record, seen.process.told);
  }
}

/** Ends a task that was claimed so that it never executes, as the agent meant it that has claimed it. */
function overClaimed(view: AgentView, record: TaskRecord, told: EndOfClaim | undefined): Action {
  const { cause = null, reason = null } = told ?? {};
  if (told?.state === "stopped") return over(view, record, "stopped", cause, reason ?? "it was stopped");
  if (told !== undefined && reason !== null) return over(view, record, "rejected", cause, reason);
  return over(view, record, "rejected", "node_unable", blockedWhy(view.blocked.get(record.assignment.uid)));
}

/** Returns what the kernel said shortly before a task's end about what the task did to its card, or null. */
function blameOf(view: AgentView, uid: string, ended_ms: BootMs): string | null {
  const blame = view.blames.get(uid);
  return blame !== undefined && Math.abs(ended_ms - blame.at_ms) <= BLAME_WITHIN_MS ? blame.why : null;
}

/**
 * Handles a task that is accepted and not claimed. It starts when it may and there is room. It ends when it has waited
 * too long or its boot is over.
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
    return over(view, record, "gone", "node_rebooted", "the node rebooted before it began");
  }
  const blocked = view.blocked.get(uid);
  if (blocked !== undefined) {
    const deadline = blocked.since_ms + BLOCKED_DEADLINE_MS;
    wakeAt(deadline);
    if (view.now_ms >= deadline) return claim(view, record, "rejected", "node_unable", blockedWhy(blocked));
    if (blocked.at !== "start") return null;
  }
  if (!admitted.has(uid)) {
    if (waitsForTurn(record, view.records)) return null;
    const deadline = Math.max(record.accepted_ms, record.not_before_ms, turnOf(view, record)) + ADMISSION_DEADLINE_MS;
    wakeAt(deadline);
    if (view.now_ms < deadline) return null;
    const lack = lacking.get(uid) ?? "its capacity is still held by other tasks";
    return claim(view, record, "rejected", "no_room", `no room on the node: ${lack}`);
  }
  // The loop looks again when the input is there.
  if (!record.go || view.fetching.has(uid)) return null;
  if (view.now_ms < record.not_before_ms) {
    wakeAt(record.not_before_ms);
    return null;
  }
  if (neverHasLease(record)) return turnAway(view, record);
  if (!hasLease(view, record)) return null;
  return { do: "start", uid };
}

/** Returns when the turn of an heir has come: at the last end of those whose room it takes over. */
const turnOf = ({ records }: AgentView, { assignment: { heir_of = [] } }: TaskRecord): BootMs =>
  Math.max(0, ...heir_of.map((uid) => records.get(uid)?.end?.finished_ms ?? 0));

const blockedWhy = (blocked: BlockedStart | undefined): string =>
  `its node cannot begin it${blocked === undefined ? "" : `: ${blocked.why}`}`;

/** Returns whether no lease is long enough for a task, since its stop would have to begin before its start. */
const neverHasLease = ({ assignment: { lease_ms, stop } }: TaskRecord): boolean =>
  lease_ms !== null && !leavesLease(lease_ms, stop.grace_ms);

/** Returns whether a lease is longer than a stop with this grace and the margin of a start need together. */
export const leavesLease = (lease_ms: Ms, grace_ms: Ms): boolean => lease_ms - grace_ms - LEASE_START_MARGIN_MS > 0;

function turnAway(view: AgentView, record: TaskRecord): Action {
  const { lease_ms, stop } = record.assignment;
  const reason =
    `its stop grace of ${formatDuration(stop.grace_ms)} leaves nothing of the lease of ` +
    `${formatDuration(lease_ms ?? 0)} that an exclusive task has`;
  return claim(view, record, "rejected", "lease_too_short", reason);
}

function hasLease(view: AgentView, record: TaskRecord): boolean {
  const { lease_ms, stop } = record.assignment;
  if (lease_ms === null) return true;
  return view.heard_ms !== null && view.heard_ms + lease_ms - stop.grace_ms - LEASE_START_MARGIN_MS > view.now_ms;
}

/**
 * Handles a living task. A stop is one signal, then kills once the grace is over. The grace begins with the signal, so
 * that a task whose stop came while no agent ran gets all of it. The task's own time limit is a stop like any other; it
 * is carried through although the limit is raised meanwhile.
 */
function stepAlive(view: AgentView, record: TaskRecord, started_ms: BootMs, wakeAt: Wake): Action | null {
  const { uid } = record.assignment;
  const limit = ownLimitOf(record.assignment);
  const asked = view.signalled.get(uid);
  const begun = asked === undefined ? null : { ...record.assignment.stop, ...asked };
  const stop = stopOf(record, started_ms, view.now_ms) ?? begun;
  if (stop === null) {
    if (limit !== null) wakeAt(limitAt(record, started_ms, limit));
    return null;
  }
  const { by, why } = stop;
  if (asked === undefined) return { do: "signal", uid, signal: stop.signal, stop: { by, why } };
  const killAt = Math.max(stop.at_ms, asked.at_ms) + stop.grace_ms;
  if (view.now_ms >= killAt) {
    wakeAt(view.now_ms + SECOND_MS);
    return { do: "kill", uid };
  }
  wakeAt(killAt);
  return null;
}

/**
 * Ends a task that is not claimed. Its start may have been ordered, by this agent or by one before it, and may still
 * happen. So the task is claimed before its end is told, and the claim decides.
 */
const claim = (
  view: AgentView,
  record: TaskRecord,
  state: "stopped" | "rejected",
  cause: EndCause | null,
  reason: string,
): Action => ({ do: "claim", uid: record.assignment.uid, end: endWithoutResult(state, cause, reason, view.now_ms) });

/** Ends a task that never ran, or whose result is not known. */
const over = (
  view: AgentView,
  record: TaskRecord,
  state: "stopped" | "rejected" | "unknown" | "gone",
  cause: EndCause | null,
  reason: string,
): Action => end(view, record, endWithoutResult(state, cause, reason, view.now_ms), 0);

/** Ends an attempt, and makes its successor if the grant and the workload's bounds allow one. */
function end(view: AgentView, record: TaskRecord, result: RecordEnd, ran_ms: Ms): Action {
  const { uid } = record.assignment;
  const next = successorOf(view, record, result, ran_ms);
  const next_uid = next === null ? null : next.assignment.uid;
  return { do: "end", uid, end: { ...result, next_uid }, next };
}

function successorOf(view: AgentView, record: TaskRecord, result: RecordEnd, ran_ms: Ms): TaskRecord | null {
  const { assignment } = record;
  const { attempt } = assignment.identity;
  const crashed = result.state !== "stopped" && result.state !== "rejected";
  // What is to be tried again of a batch is the server's to say.
  const mayFollow = crashed && record.stop === null && assignment.batch === undefined;
  if (!mayFollow || !assignment.restart.offline || attempt >= assignment.grant_until) return null;
  const streak = ran_ms >= assignment.stable_ms ? 1 : assignment.streak + 1;
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
