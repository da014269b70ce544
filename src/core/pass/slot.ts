// What a slot remembers of its attempts: how each end counts, and when the next attempt may come.

import { jitterOf } from "../fresh";
import { isStartTrouble, type EndCause, type TaskFinal } from "../model/end";
import type { Crash, LeftOut, SlotRow, TaskEnd } from "../model/rows-work";
import type { TaskRow } from "../model/rows-task";
import type { PlanLimits } from "./snapshot";
import { slotEndOf, slotKey } from "../model/task";
import { unknownEnds } from "../model/unknown";
import type { Ms } from "../units";
import type { RestartSettings, Settings } from "../model/workload";

const JITTER = 0.2;

/** After this many doublings the back-off has reached its maximum, whatever its minimum. */
const MAX_DOUBLINGS = 40;

/**
 * Returns the wait before the attempt that follows crash number `streak` in a row: none after the first, then the
 * minimum, doubled each time up to the maximum. The wait is up to 20 % longer or shorter, depending on the ended
 * attempt's uid.
 */
export function backoffMs(restart: RestartSettings, streak: number, uid: string): Ms {
  if (streak <= 1) return 0;
  const doubled = restart.backoff_min_ms * 2 ** Math.min(streak - 2, MAX_DOUBLINGS);
  const capped = Math.min(doubled, restart.backoff_max_ms);
  return Math.round(capped * (1 - JITTER + 2 * JITTER * jitterOf(uid)));
}

/** Returns the longest wait before a next attempt. */
export const longestBackOffMs = ({ backoff_max_ms }: RestartSettings): Ms => Math.round(backoff_max_ms * (1 + JITTER));

/** Returns a slot to which nothing has happened yet. */
export const emptySlot = (owner_uid: string, slot: number): SlotRow => ({
  key: slotKey(owner_uid, slot),
  owner_uid,
  slot,
  attempts: 0,
  streak: 0,
  failed: 0,
  rejected: 0,
  lost: 0,
  not_before_ms: 0,
  avoid: [],
  ends: [],
});

/**
 * Returns the slot after an attempt of `version` was placed in it. A new version starts without streak and back-off.
 */
export function slotAfterPlace(slot: SlotRow, version: number, attempts: number): SlotRow {
  if (endedVersion(slot) === version) return { ...slot, attempts };
  return { ...slot, streak: 0, not_before_ms: 0, ends: [], avoid: [], attempts };
}

/**
 * Returns the slot of a run whose attempt is written off with a silent node. The attempt counts as lost at once, since
 * its node may never report its end. If an end is reported after all, only a success still counts.
 */
export const slotAfterGivenUp = (slot: SlotRow): SlotRow => ({ ...slot, lost: slot.lost + 1 });

/** Returns the version that the slot's streak and back-off belong to, or null. */
export const endedVersion = (slot: SlotRow): number | null => slot.ends[0]?.version ?? null;

/** Returns how often a slot has crashed in a row under this version. */
export const crashesIn = (slot: SlotRow | undefined, version: number): number =>
  slot !== undefined && endedVersion(slot) === version ? slot.streak : 0;

/**
 * Returns how the last crash of a slot's streak ended; null if there is none. A service that ends by itself crashes,
 * with whatever exit code.
 */
export function lastCrash({ ends, streak }: SlotRow): Crash | null {
  if (streak === 0) return null;
  return ends.find(({ state }) => isCrash(state)) ?? ends.find(({ crash }) => crash !== undefined)?.crash ?? null;
}

const isCrash = (state: TaskEnd["state"]): boolean => state === "failed" || state === "succeeded";

/** Returns the end of a service's or a daemon's attempt with the crash before it, unless it is a crash itself. */
function withCrash(end: TaskEnd, slot: SlotRow, kind: TaskRow["kind"]): TaskEnd {
  const crash = kind === "job" || isCrash(end.state) || endedVersion(slot) !== end.version ? null : lastCrash(slot);
  if (crash === null) return end;
  const { state, exit_code, signal, reason } = crash;
  return { ...end, crash: { state, exit_code, signal, reason } };
}

/**
 * Returns the slot after `task` ended. Once a newer attempt was placed, an end changes nothing, except for a job's
 * success: the first success wins. After a reported end, `attempts` is the number of the ended attempt, since the agent
 * has said that it uses no more of the granted numbers. After a loss, `attempts` includes the granted numbers, since
 * the agent has not said so. `living` are the slot's other tasks that have not ended.
 */
export function slotAfterEnd(
  slot: SlotRow | null,
  task: TaskRow,
  final: TaskFinal,
  settings: Settings,
  limits: PlanLimits,
  living: Iterable<Pick<TaskRow, "member">> = [],
): SlotRow {
  const ran_ms = final.started_ms === null ? 0 : final.finished_ms - final.started_ms;
  const before = slot ?? emptySlot(task.owner_uid, task.slot);
  const end = withCrash(slotEndOf(task, final), before, task.kind);
  if (isOvertaken(before, task)) {
    if (isLateQuestion(before, task, end)) return { ...before, ends: endsWith(before, end) };
    return lateSuccess(before, task, end, living);
  }
  if (isTakenBack(task, final)) return { ...before, attempts: task.attempt };
  const attempts =
    end.state === "lost" || end.state === "unknown" ? Math.max(before.attempts, task.grant_until) : task.attempt;
  const ends = isStillAsked(before, task, end, settings) ? before.ends : endsWith(before, end);
  const others = ends.filter((other) => other.attempt === end.attempt && other.member !== end.member);
  const avoid = avoiding(before, task, end, limits);
  // A gang's attempt counts once, by its first bad end, since the other ends follow from that one.
  const counted = others.some(isBad) ? {} : counts(before, task, end, settings, limits, ran_ms);
  return { ...before, ...counted, attempts, ends, avoid };
}

/** Returns whether an heir was taken back before its turn: nothing has happened, and nothing is to be counted. */
const isTakenBack = ({ stop }: TaskRow, { state, started_ms }: TaskFinal): boolean =>
  stop?.unbegun === true && state === "stopped" && started_ms === null;

/** Returns the ends of the attempt that `end` is of, with it. */
const endsWith = ({ ends }: SlotRow, end: TaskEnd): TaskEnd[] =>
  [...ends.filter((other) => other.attempt === end.attempt && other.member !== end.member), end].sort(
    (a, b) => a.member - b.member,
  );

/**
 * Returns whether an earlier attempt's end is still asked about after this one. Only a restored copy lacks the answer
 * by which the newer attempt was made. That attempt was stopped before it did anything, so it answers nothing.
 */
const isStillAsked = (slot: SlotRow, task: TaskRow, end: TaskEnd, { on_unknown_end }: Settings): boolean =>
  task.kind === "job" &&
  end.state === "stopped" &&
  on_unknown_end !== "retry" &&
  unknownEnds(slot).some(({ attempt }) => attempt < end.attempt);

/**
 * Returns whether an unknown end of an earlier attempt is asked about, although newer ones are known: none of those did
 * anything. A restored copy may hear of the attempts in any order.
 */
const isLateQuestion = ({ ends }: SlotRow, task: TaskRow, end: TaskEnd): boolean =>
  task.kind === "job" &&
  end.state === "unknown" &&
  ends.every(({ attempt, state }) => attempt <= end.attempt || state === "stopped");

const isBad = (end: TaskEnd): boolean => end.state === "failed" || end.state === "rejected" || end.state === "lost";

/** Returns whether a newer attempt was placed, or has even ended. */
const isOvertaken = (slot: SlotRow, task: TaskRow): boolean =>
  slot.attempts > task.grant_until || (slot.ends[0]?.attempt ?? 0) > task.attempt;

/**
 * Counts the late success of a job's task. The ends of one attempt of a gang are kept together, since the run succeeds
 * only when all members have succeeded.
 */
function lateSuccess(slot: SlotRow, task: TaskRow, end: TaskEnd, living: Iterable<Pick<TaskRow, "member">>): SlotRow {
  const wins =
    task.kind === "job" &&
    end.state === "succeeded" &&
    !slot.ends.some((other) => other.state === "succeeded" && other.attempt > end.attempt);
  if (!wins || isAskedAbout(slot, end, living)) return slot;
  return { ...slot, ends: endsWith(slot, end) };
}

/**
 * Returns whether a newer attempt of a gang has an end that a person is asked about. The late success of one member
 * answers nothing then, and would hide the question. Each member of the newer attempt has ended or lives, so one of
 * them shows that it is a gang's.
 */
function isAskedAbout(
  { ends }: SlotRow,
  { attempt, member }: TaskEnd,
  living: Iterable<Pick<TaskRow, "member">>,
): boolean {
  const newer = ends.filter((end) => end.attempt > attempt);
  if (!newer.some(({ state }) => state === "unknown")) return false;
  return [{ member }, ...newer, ...living].some((one) => one.member > 0);
}

/**
 * Returns the slot of an array after one of its batches has ended. Only where batches were rejected is remembered: how
 * often, and by which nodes. What became of the elements is kept with them.
 */
export function slotAfterBatch(
  slot: SlotRow,
  task: TaskRow,
  final: TaskFinal,
  settings: Settings,
  limits: PlanLimits,
): SlotRow {
  const end = slotEndOf(task, final);
  const avoid = avoiding(slot, task, end, limits);
  if (end.state !== "rejected") return { ...slot, rejected: 0, avoid };
  const counted = counts(slot, task, end, settings, limits, 0);
  return { ...slot, ...counted, avoid, ends: [end] };
}

/** A node is left out this many times the first time, after the first, the second and each further rejection. */
const LEFT_OUT_TIMES = [1, 6, 30] as const;

/**
 * Returns the nodes to leave out after an end. One that rejects the work again and again is left out for longer; one
 * that has run it is not left out any more. Of a gang's members on one node, only the first rejection counts.
 */
function avoiding(slot: SlotRow, task: TaskRow, end: TaskEnd, { avoid_ms }: PlanLimits): SlotRow["avoid"] {
  const { node_id, version, at_ms, cause = null, reason, exit_code } = end;
  const kept = slot.avoid.filter((entry) => entry.version === version);
  const before = kept.find((entry) => entry.node_id === node_id);
  const others = kept.filter((entry) => entry !== before);
  if (end.state !== "rejected") return end.state === "succeeded" || end.state === "failed" ? others : kept;
  const sibling = slot.ends.some(
    (one) => one.attempt === end.attempt && one.state === "rejected" && one.node_id === node_id,
  );
  if (sibling && before !== undefined) return kept;
  const times = (before?.times ?? 0) + 1;
  const until_ms = at_ms + avoid_ms * (LEFT_OUT_TIMES[times - 1] ?? 30);
  const { unix_user } = task;
  return [...others, { node_id, until_ms, version, unix_user, times, at_ms, cause, reason, exit_code }];
}

/**
 * Returns whether a rejection says something of its node only: it counts for nothing, and the node is left out. A cause
 * that is missing is one of an agent that could not read its order.
 */
const isNodesTrouble = (cause: EndCause | null | undefined): boolean =>
  cause === null || cause === undefined || cause === "no_room" || cause === "node_rebooted" || isStartTrouble(cause);

/**
 * Returns the entry if it still says something of its node: the node has said nothing new since. `until_ms` is not
 * looked at.
 */
export const stillSaid = (entry: LeftOut, node: { readonly renewed_ms: Ms | null }): boolean =>
  entry.at_ms > (node.renewed_ms ?? 0);

function counts(
  slot: SlotRow,
  task: TaskRow,
  end: TaskEnd,
  settings: Settings,
  limits: PlanLimits,
  ran_ms: Ms,
): Partial<SlotRow> {
  const isJob = task.kind === "job";
  const ranLong = ran_ms >= limits.stable_ms;
  const wait = (n: number): Ms => end.at_ms + backoffMs(settings.restart, n, end.uid);
  switch (end.state) {
    case "succeeded":
    case "failed": {
      if (isJob && end.state === "succeeded") return {};
      const streak = ranLong ? 1 : slot.streak + 1;
      const failed = end.state === "failed" ? slot.failed + 1 : slot.failed;
      // An attempt that ran was neither rejected nor lost. A service's counts of both are of ends in a row, since they
      // only lengthen the wait before the next attempt.
      return { streak, failed, not_before_ms: wait(streak), ...(isJob ? {} : { rejected: 0, lost: 0 }) };
    }
    case "rejected":
      if (isNodesTrouble(end.cause)) return {};
      return { rejected: slot.rejected + 1, not_before_ms: wait(slot.rejected + 2) };
    case "unknown":
    case "lost": {
      // Unless the job's own policy is to try again, a person decides about an unknown end, and no bound counts it.
      if (isJob && end.state === "unknown" && settings.on_unknown_end !== "retry") return {};
      const lost = !isJob && ranLong ? 1 : slot.lost + 1;
      return { lost, not_before_ms: ranLong ? 0 : wait(lost) };
    }
    default:
      // A job's task that was withdrawn before it ran, for instance because its gang was not prepared, waits like a
      // rejected one.
      return isJob && ran_ms === 0 ? { not_before_ms: Math.max(slot.not_before_ms, wait(2)) } : {};
  }
}
