// What a run waits for: results of other runs, and services that are up. Each answer is yes, no, or not yet.

import { isFinal, type RunState } from "../model/lifecycle";
import type { RunAfter, RunRow } from "../model/rows-work";
import { waitFor, type ReconcileDraft } from "./draft";
import { runOf, setRun, slotOf, tasksOf } from "../pass/pass";
import { askedEnds } from "../model/unknown";
import { isServiceUp } from "./services";

/**
 * Resolves all waiting runs: `queued` once everything is met, `failed` when something can never be met. A run that
 * fails here may decide others, so the loop goes on until nothing changes.
 */
export function resolveWaiting(draft: ReconcileDraft, waiting: readonly RunRow[]): void {
  let open = [...waiting].sort((a, b) => a.run - b.run);
  for (let moved = true; moved;) {
    const still = open.filter((run) => !resolve(draft, run));
    moved = still.length < open.length;
    open = still;
  }
  for (const run of open) note(draft, latest(draft, run));
}

const latest = (draft: ReconcileDraft, run: RunRow): RunRow => runOf(draft.pass, draft, run.uid) ?? run;

/** Brings one waiting run as far as it goes now. Returns whether it no longer waits. */
function resolve(draft: ReconcileDraft, row: RunRow): boolean {
  const run = latest(draft, row);
  const after = run.after.map((each): RunAfter => (each.met === null ? { ...each, met: metNow(draft, each) } : each));
  const never = after.find((each) => each.met === false);
  if (never !== undefined) {
    const reason = `can never start: ${whyNever(draft, run, never)}`;
    setRun(draft, { ...run, state: "failed", after, reason, finished_ms: draft.pass.now_ms }, reason);
    return true;
  }
  if (after.every((each) => each.met === true)) {
    setRun(draft, { ...run, state: "queued", after, reason: null }, "what it waited for is there");
    return true;
  }
  // A run's result is stored as soon as it is known, since the run may leave the live state. Whether a service is up is
  // not stored, since the service must be up when everything else is met.
  const kept = after.map((each, n) => (each.when === "up" ? (run.after[n] ?? each) : each));
  if (kept.some((each, n) => each.met !== run.after[n]?.met))
    setRun(draft, { ...run, after: kept }, "part of what it waits for is there");
  return false;
}

function metNow(draft: ReconcileDraft, after: RunAfter): boolean | null {
  const { pass } = draft;
  const workload = pass.state.workloads.get(after.uid);
  if (after.when === "up") {
    if (workload === undefined || workload.removing) return false;
    return isServiceUp(pass, workload) ? true : null;
  }
  const state = stateOf(draft, after.uid);
  if (state === null) return after.when === "ended";
  if (!isFinal(state)) return null;
  return after.when === "ended" || state === after.when;
}

/**
 * Returns the state of a run that is live, or that was the newest of its job; null if it is gone and its result with
 * it.
 */
function stateOf(draft: ReconcileDraft, uid: string): RunState | null {
  const live = runOf(draft.pass, draft, uid);
  if (live !== undefined) return live.state;
  for (const workload of draft.pass.state.workloads.values()) {
    if (workload.last_run?.uid === uid) return workload.last_run.state;
  }
  return null;
}

function whyNever(draft: ReconcileDraft, run: RunRow, after: RunAfter): string {
  const name = run.app === null ? after.name : `${run.app}.${after.name}`;
  if (after.when === "up") return `${name} was removed`;
  if (after.uid === "") return `${name} has never run`;
  const state = stateOf(draft, after.uid);
  return state === null ? `${name} is no longer there` : `${name} ${SAID[state]}`;
}

const SAID = {
  waiting: "waits",
  queued: "waits",
  running: "runs",
  succeeded: "has succeeded",
  failed: "has failed",
  cancelled: "was cancelled",
} as const;

const WAITS_FOR = { succeeded: "to succeed", ended: "to end", failed: "to fail", up: "to be up" } as const;

/** Returns the number of the run whose end nobody knows and that waits for a person, in words, or nothing. */
function askedAbout({ pass }: ReconcileDraft, uid: string): string {
  const run = pass.state.runs.get(uid);
  if (run === undefined || askedEnds(run, slotOf(pass, uid, 0), tasksOf(pass, uid)).length === 0) return "";
  return ` (nobody knows how run ${run.run} ended: orch explain ${run.run})`;
}

function note(draft: ReconcileDraft, run: RunRow): void {
  const open = run.after
    .filter((each) => each.met !== true)
    .map((each) => {
      const name = run.app === null ? each.name : `${run.app}.${each.name}`;
      return `${name} ${WAITS_FOR[each.when]}${askedAbout(draft, each.uid)}`;
    });
  waitFor(draft, run, 0, `waits for ${open.join(", ")}`);
}
