// What a run waits for: results of other runs, and services that are up. Each answer is yes, no, or not yet.

import { isFinal, type RunState } from "../model/lifecycle";
import type { RunAfter, RunRow } from "../model/rows-work";
import { afterwardsIn, type Afterwards } from "../why/afterwards";
import type { ReconcileDraft } from "./draft";
import { runOf, setRun, slotOf, tasksOf } from "../pass/pass";
import { fullRunName } from "../model/task";
import { askedEnds } from "../model/unknown";
import { isServiceUp } from "./services";

/** A draft with the answers that many waiting runs ask for, each found once. */
interface Waiting {
  readonly draft: ReconcileDraft;
  /** How the newest run of each job went, by the run's uid. It is made when a run is asked for that is not live. */
  last: ReadonlyMap<string, RunState> | null;
  /** Whether a service is up, by its uid. */
  readonly up: Map<string, boolean>;
  /** What is said of a run that waits for a person, by its uid. */
  readonly asked: Map<string, string>;
  readonly afterwards: Afterwards;
}

/**
 * Resolves all waiting runs: `queued` once everything is met, `failed` when something can never be met. A run that
 * fails here may decide those that wait for it, which are then looked at again, so that a chain costs no more than its
 * length.
 */
export function resolveWaiting(draft: ReconcileDraft, waiting: readonly RunRow[]): void {
  const look: Waiting = { draft, last: null, up: new Map(), asked: new Map(), afterwards: afterwardsIn(draft.pass) };
  const open = new Map([...waiting].sort((a, b) => a.run - b.run).map((run) => [run.uid, run]));
  const waitsFor = new Map<string, RunRow[]>();
  for (const run of open.values()) {
    for (const { uid, met } of run.after) {
      const known = waitsFor.get(uid);
      if (met === null && known === undefined) waitsFor.set(uid, [run]);
      else if (met === null) known?.push(run);
    }
  }
  const due = [...open.values()];
  // The list grows while it is walked.
  for (const run of due) {
    if (!open.has(run.uid) || !resolve(look, run)) continue;
    open.delete(run.uid);
    if (isFinal(latest(draft, run).state)) due.push(...(waitsFor.get(run.uid) ?? []));
  }
  for (const run of open.values()) note(look, latest(draft, run));
}

const latest = (draft: ReconcileDraft, run: RunRow): RunRow => runOf(draft.pass, draft, run.uid) ?? run;

/** Brings one waiting run as far as it goes now. Returns whether it no longer waits. */
function resolve(look: Waiting, row: RunRow): boolean {
  const { draft } = look;
  const run = latest(draft, row);
  const after = run.after.map((each): RunAfter => (each.met === null ? { ...each, met: metNow(look, each) } : each));
  const never = after.find((each) => each.met === false);
  if (never !== undefined) {
    const reason = `can never start: ${whyNever(look, run, never)}`;
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

function metNow(look: Waiting, after: RunAfter): boolean | null {
  if (after.when === "up") {
    const { pass } = look.draft;
    const workload = pass.state.workloads.get(after.uid);
    if (workload === undefined || workload.removing) return false;
    return once(look.up, workload.uid, () => isServiceUp(pass, workload)) ? true : null;
  }
  const state = stateOf(look, after.uid);
  if (state === null) return after.when === "ended";
  if (!isFinal(state)) return null;
  return after.when === "ended" || state === after.when;
}

/**
 * Returns the state of a run that is live, or that was the newest of its job; null if it is gone and its result with
 * it.
 */
function stateOf(look: Waiting, uid: string): RunState | null {
  const { pass } = look.draft;
  const live = runOf(pass, look.draft, uid);
  if (live !== undefined) return live.state;
  look.last ??= new Map(
    pass.state.workloads
      .values()
      .flatMap(({ last_run }) => (last_run === null ? [] : [[last_run.uid, last_run.state]])),
  );
  return look.last.get(uid) ?? null;
}

/** Returns what a map has under a key, which is found the first time. */
function once<T>(known: Map<string, T>, key: string, find: () => T): T {
  const had = known.get(key);
  if (had !== undefined) return had;
  const found = find();
  known.set(key, found);
  return found;
}

function whyNever(look: Waiting, run: RunRow, after: RunAfter): string {
  const name = run.app === null ? after.name : `${run.app}.${after.name}`;
  if (after.when === "up") return `${name} was removed`;
  if (after.uid === "") return `${name} has never run`;
  const ended = runOf(look.draft.pass, look.draft, after.uid);
  if (ended !== undefined) return `${name} ${sayRunEnd(ended)}`;
  const state = stateOf(look, after.uid);
  return state === null ? `${name} is no longer there` : `${name} ${SAID[state]}`;
}

/** Returns how a run ended, behind its name: `failed, exit 1`. */
export function sayRunEnd({ state, exit_code, signal, reason, started_ms }: RunRow): string {
  // Its reason may be as long as the chain of runs before it.
  if (state === "failed" && started_ms === null) return "failed before it began";
  const code = exit_code === null || exit_code === 0 ? "" : `, exit ${exit_code}`;
  const how = signal === null ? code : `, killed by ${signal}`;
  return `${SAID[state]}${how}${how === "" && state === "failed" && reason !== null ? `: ${reason}` : ""}`;
}

const SAID = {
  waiting: "waits",
  queued: "waits",
  running: "runs",
  succeeded: "succeeded",
  failed: "failed",
  cancelled: "was cancelled",
} as const;

const WAITS_FOR = { succeeded: "to succeed", ended: "to end", failed: "to fail", up: "to be up" } as const;

/** Returns the number of the run whose end nobody knows and that waits for a person, in words, or nothing. */
function askedAbout({ pass }: ReconcileDraft, uid: string): string {
  const run = pass.state.runs.get(uid);
  if (run === undefined || askedEnds(run, slotOf(pass, uid, 0), tasksOf(pass, uid)).length === 0) return "";
  return ` (nobody knows how ${fullRunName(run)} ended: orch explain ${run.run})`;
}

function note({ draft, asked, afterwards }: Waiting, run: RunRow): void {
  const open = run.after
    .filter((each) => each.met !== true)
    .map((each) => {
      const name = run.app === null ? each.name : `${run.app}.${each.name}`;
      return `${name} ${WAITS_FOR[each.when]}${once(asked, each.uid, () => askedAbout(draft, each.uid))}`;
    });
  draft.waits.push(afterwards(run, `waits for ${open.join(", ")}`));
}
