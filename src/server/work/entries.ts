// The rows of an applied spec's workloads, with a run for each new or changed job. Runs that wait for a replaced run
// wait for the new run instead.

import { canonicalJson } from "../../core/canonical";
import { isFinal } from "../../core/model/lifecycle";
import { newRun, withCancel } from "../../core/model/new-run";
import type { Change, State } from "../../core/model/rows-state";
import type { RunAfter, RunRow, WorkloadRow } from "../../core/model/rows-work";
import { settingsInPlace } from "../../core/model/settings";
import type { WorkloadDecl } from "../../core/model/workload";
import type { Going } from "../../core/plan/scale";
import type { Draft } from "../../store/store";
import { askedAgain, putWorkload } from "./apps";
import { metBy } from "./runs";

/** One workload of the applied spec. */
export interface Entry {
  readonly decl: WorkloadDecl;
  readonly before: WorkloadRow | undefined;
  /** The workload's row after the apply, still without the job's new run. */
  readonly next: WorkloadRow;
  readonly is_new: boolean;
  /** The replicas that go since the service has fewer. */
  readonly goes: readonly Going[];
}

/** The changes that the entries make, and the numbers of the new runs. */
export interface EntryRows {
  readonly changes: readonly Change[];
  readonly numbers: readonly number[];
}

export function rowsOfEntries(draft: Draft, entries: readonly Entry[], user: string, fresh: () => string): EntryRows {
  const runUids = new Map(
    entries.filter((entry) => entry.is_new && entry.decl.kind === "job").map((entry) => [entry.decl.name, fresh()]),
  );
  const now = draft.now_ms;
  const byName = new Map(entries.map((entry) => [entry.decl.name, entry]));
  const open = openRuns(draft.state);
  const set = new Map<string, RunRow>();
  const changes: Change[] = [];
  const numbers: number[] = [];
  const replaced = new Map<string, RunRow>();
  for (const { before, next, decl } of inOrder(entries)) {
    const uid = runUids.get(decl.name);
    if (uid === undefined) {
      changes.push(...putWorkload(draft, next, before, user), ...askedAgain(draft.state, next.uid));
      for (const run of withSettings(open.get(next.uid) ?? [], next)) set.set(run.uid, run);
      continue;
    }
    const row = newRun({
      uid,
      run: draft.takeRunNumber(),
      name: `${next.app}.${next.name}`,
      project: next.project,
      user,
      app_uid: next.app_uid,
      app: next.app,
      workload_uid: next.uid,
      version: next.version,
      spec_hash: next.spec_hash,
      settings: next.settings,
      after: decl.settings.after.map(({ name, when }): RunAfter => boundTo(draft.state, byName, runUids, name, when)),
      created_ms: now,
    });
    for (const old of open.get(next.uid) ?? []) if (old.state !== "running") replaced.set(old.uid, row);
    numbers.push(row.run);
    changes.push(...putWorkload(draft, { ...next, last_run: { uid, run: row.run, state: row.state } }, before, user), {
      table: "runs",
      key: uid,
      row,
    });
  }
  return { changes: [...changes, ...changedRuns(draft, replaced, set, user)], numbers };
}

/**
 * Returns the entries with each job behind the jobs that it waits for, so that those get lower run numbers. The parser
 * has refused circles.
 */
function inOrder(entries: readonly Entry[]): Entry[] {
  const placed = new Set<Entry>();
  const byName = new Map(entries.map((entry) => [entry.decl.name, entry]));
  const visit = (entry: Entry): void => {
    if (placed.has(entry)) return;
    for (const { name } of entry.decl.settings.after) {
      const first = byName.get(name);
      if (first !== undefined && !placed.has(first)) visit(first);
    }
    placed.add(entry);
  };
  for (const entry of entries) visit(entry);
  return [...placed];
}

function boundTo(
  state: State,
  entries: ReadonlyMap<string, Entry>,
  runUids: ReadonlyMap<string, string>,
  name: string,
  when: RunAfter["when"],
): RunAfter {
  const target = entries.get(name);
  if (target === undefined) return { name, uid: "", when, met: false };
  if (target.decl.kind !== "job") return { name, uid: target.next.uid, when, met: null };
  const fresh = runUids.get(name);
  if (fresh !== undefined) return { name, uid: fresh, when, met: null };
  const last = target.next.last_run;
  if (last === null) return { name, uid: "", when, met: false };
  return { name, uid: last.uid, when, met: metBy(state, last, when) };
}

/** Returns the runs that are not over and not cancelled, by the uid of their job. */
const openRuns = (state: State): ReadonlyMap<string | null, readonly RunRow[]> =>
  Map.groupBy(
    state.runs.values().filter((run) => !isFinal(run.state) && run.cancel === null),
    (run) => run.workload_uid,
  );

/**
 * Returns the open runs of a job's present version whose settings a change in place changes. Runs of earlier versions
 * keep what they began with.
 */
const withSettings = (open: readonly RunRow[], { version, settings }: WorkloadRow): RunRow[] =>
  open
    .filter((run) => run.version === version)
    .map((run) => ({ before: run, after: { ...run, settings: settingsInPlace(run.settings, settings) } }))
    .filter(({ before, after }) => canonicalJson(before.settings) !== canonicalJson(after.settings))
    .map(({ after }) => after);

/** Returns the runs that have other settings, are replaced, or wait for one that is. */
function changedRuns(
  draft: Draft,
  replaced: ReadonlyMap<string, RunRow>,
  set: ReadonlyMap<string, RunRow>,
  user: string,
): Change[] {
  if (replaced.size === 0) return [...set].map(([key, row]): Change => ({ table: "runs", key, row }));
  const changes: Change[] = [];
  for (const before of draft.state.runs.values()) {
    const run = set.get(before.uid) ?? before;
    const by = replaced.get(run.uid);
    const after = run.after.map((one) => {
      const newer = replaced.get(one.uid);
      return newer === undefined ? one : { ...one, uid: newer.uid, met: null };
    });
    if (by !== undefined) {
      changes.push({
        table: "runs",
        key: run.uid,
        row: withCancel(run, user, draft.now_ms, `replaced by run ${by.run}`),
      });
    } else if (run.state === "waiting" && run.after.some((one) => replaced.has(one.uid))) {
      changes.push({ table: "runs", key: run.uid, row: { ...run, after } });
    } else if (run !== before) {
      changes.push({ table: "runs", key: run.uid, row: run });
    }
  }
  return changes;
}
