// What applying a spec changes: versions, settings in place, runs for new and changed jobs, removal of what is no
// longer there.

import type { Change, State } from "../../core/model/rows-state";
import type { AppRow, RunAfter, RunRow, WorkloadRow } from "../../core/model/rows-work";
import { isFinal } from "../../core/model/lifecycle";
import { canonicalJson } from "../../core/canonical";
import { formatAge } from "../../core/format";
import type { AppDecl, WorkloadDecl } from "../../core/model/workload";
import { diffApp, type DiffLine } from "../../spec/diff";
import type { Draft, Store } from "../../store/store";
import { RefusedError } from "../refused";

export interface Applying {
  readonly decl: AppDecl;
  readonly project: string;
  readonly text: string;
  /** The revision that the shown plan was made from; `null`: whatever is there; 0: it must be new. */
  readonly revision: number | null;
  readonly user: string;
  /** 32 random hex digits, anew at each call. */
  readonly fresh: () => string;
  readonly spec: Store["spec"];
}

export interface Applied {
  readonly app: string;
  readonly project: string;
  readonly revision: number;
  readonly runs: readonly number[];
  readonly changes: readonly DiffLine[];
}

export const findApp = (state: State, project: string, name: string): AppRow | undefined =>
  state.apps.values().find((app) => app.project === project && app.name === name);

export const workloadsOf = (state: State, app_uid: string): WorkloadRow[] =>
  state.workloads
    .values()
    .filter((workload) => workload.app_uid === app_uid)
    .toArray();

/** Throws RefusedError when others changed the app since, or when something of that name is still being removed. */
export function applyApp(draft: Draft, applying: Applying): Applied {
  const { decl, project, user } = applying;
  const before = findApp(draft.state, project, decl.app);
  demandRevision(before, applying, draft.now_ms);
  const known = before === undefined ? [] : workloadsOf(draft.state, before.uid);
  demandFree(before, known, decl);
  const current = known.filter((workload) => !workload.removing);
  const lines = diffApp(
    before === undefined
      ? null
      : {
          workloads: current.map((workload) => ({
            name: workload.name,
            kind: workload.kind,
            version: workload.version,
            spec: applying.spec(workload.spec_hash),
            settings: workload.settings,
          })),
        },
    decl,
  );
  const app_uid = before?.uid ?? applying.fresh();
  const entries = decl.workloads.map((next) =>
    entryOf(
      draft,
      applying,
      app_uid,
      next,
      current.find((workload) => workload.name === next.name),
    ),
  );
  const rows = rowsOf(draft, entries, user, applying.fresh);
  const gone = current.filter((workload) => !decl.workloads.some((next) => next.name === workload.name));
  const changes = [...rows.changes, ...gone.flatMap((workload) => removeWorkload(draft, workload, user))];
  if (changes.length === 0 && before?.text === applying.text) {
    return { app: decl.app, project, revision: before.revision, runs: [], changes: lines };
  }
  const row: AppRow = {
    uid: app_uid,
    project,
    name: decl.app,
    text: applying.text,
    revision: draft.revision,
    changed_by: user,
    changed_ms: draft.now_ms,
    removing: false,
  };
  draft.put([{ table: "apps", key: app_uid, row }, ...changes]);
  draft.event({ verb: "applied", object: decl.app, project, detail: summaryOf(lines) });
  return { app: decl.app, project, revision: draft.revision, runs: rows.numbers, changes: lines };
}

function demandRevision(before: AppRow | undefined, { revision, decl }: Applying, now_ms: number): void {
  if (revision === null || revision === (before?.revision ?? 0)) return;
  throw new RefusedError(
    "changed_meanwhile",
    before === undefined
      ? `${decl.app} was removed meanwhile`
      : `${decl.app} was changed meanwhile by ${before.changed_by}, ${formatAge(now_ms - before.changed_ms)} ago`,
    "Look at the new plan and apply again",
  );
}

/** What is removed keeps its name until its last task is known to be over. */
function demandFree(before: AppRow | undefined, known: readonly WorkloadRow[], decl: AppDecl): void {
  if (before?.removing === true) {
    throw new RefusedError(
      "conflict",
      `${decl.app} is still being removed`,
      "Apply again when orch ps no longer shows it",
    );
  }
  for (const next of decl.workloads) {
    const there = known.find((workload) => workload.name === next.name);
    if (there === undefined) continue;
    const name = `${decl.app}.${next.name}`;
    if (there.removing) {
      throw new RefusedError(
        "conflict",
        `${name} is still being removed`,
        "Apply again when orch ps no longer shows it",
      );
    }
    if (there.kind !== next.kind) {
      throw new RefusedError(
        "conflict",
        `${name} is a ${there.kind} and cannot become a ${next.kind}`,
        "Give it another name, or apply once without it",
      );
    }
  }
}

interface Entry {
  readonly decl: WorkloadDecl;
  readonly before: WorkloadRow | undefined;
  /** The row as it will be, but for a job's new run. */
  readonly next: WorkloadRow;
  readonly is_new: boolean;
}

function entryOf(
  draft: Draft,
  { project, user, fresh, decl: { app } }: Applying,
  app_uid: string,
  decl: WorkloadDecl,
  before: WorkloadRow | undefined,
): Entry {
  const spec_hash = draft.putSpec(decl.spec);
  const isNew = before?.spec_hash !== spec_hash;
  const next: WorkloadRow = {
    uid: before?.uid ?? fresh(),
    app_uid,
    project,
    app,
    name: decl.name,
    kind: decl.kind,
    version: (before?.version ?? 0) + (isNew ? 1 : 0),
    spec_hash,
    settings: decl.settings,
    user,
    last_run: before?.last_run ?? null,
    removing: false,
  };
  return { decl, before, next, is_new: isNew };
}

/** Slots that gave unused cards back are filled again: somebody has asked for the workload anew. */
export function askedAgain(state: Draft["state"], workload_uid: string): Change[] {
  return state.slots
    .values()
    .filter((slot) => slot.owner_uid === workload_uid && slot.ends.some((end) => end.idle === true))
    .map((slot): Change => ({ table: "slots", key: slot.key, row: { ...slot, ends: [] } }))
    .toArray();
}

/** A changed workload, and the entry in its history when version or settings are new; nothing when it is as it was. */
export function putWorkload(
  { revision, now_ms: at_ms }: Pick<Draft, "revision" | "now_ms">,
  workload: WorkloadRow,
  before: WorkloadRow | undefined,
  by: string,
): Change[] {
  if (before !== undefined && canonicalJson(before) === canonicalJson(workload)) return [];
  const { uid, version, spec_hash, settings } = workload;
  const put: Change = { table: "workloads", key: uid, row: workload };
  if (before?.version === version && canonicalJson(before.settings) === canonicalJson(settings)) return [put];
  const key = `${uid}/${version}/${revision}`;
  const entry = { key, workload_uid: uid, version, revision, spec_hash, settings, by, at_ms };
  return [put, { table: "versions", key, row: entry }];
}

/**
 * Rows of all entries, with a run for each new or changed job; what waits after a replaced run waits after the new
 * one.
 */
function rowsOf(draft: Draft, entries: readonly Entry[], user: string, fresh: () => string): RowsOf {
  const runUids = new Map(
    entries.filter((entry) => entry.is_new && entry.decl.kind === "job").map((entry) => [entry.decl.name, fresh()]),
  );
  const now = draft.now_ms;
  const changes: Change[] = [];
  const numbers: number[] = [];
  const replaced = new Map<string, RunRow>();
  for (const { before, next, decl } of inOrder(entries)) {
    const uid = runUids.get(decl.name);
    if (uid === undefined) {
      changes.push(...putWorkload(draft, next, before, user), ...askedAgain(draft.state, next.uid));
      continue;
    }
    const row: RunRow = {
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
      state: decl.settings.after.length > 0 ? "waiting" : "queued",
      reason: null,
      after: decl.settings.after.map(({ name, when }): RunAfter => boundTo(draft.state, entries, runUids, name, when)),
      cancel: null,
      created_ms: now,
      started_ms: null,
      finished_ms: null,
      exit_code: null,
      signal: null,
      cause: null,
    };
    for (const old of openRuns(draft.state, next.uid)) replaced.set(old.uid, row);
    numbers.push(row.run);
    changes.push(...putWorkload(draft, { ...next, last_run: { uid, run: row.run, state: row.state } }, before, user), {
      table: "runs",
      key: uid,
      row,
    });
  }
  return { changes: [...changes, ...replacements(draft, replaced, user)], numbers };
}

interface RowsOf {
  readonly changes: readonly Change[];
  readonly numbers: readonly number[];
}

/** What comes first has the lower run number; the parser has refused circles. */
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
  entries: readonly Entry[],
  runUids: ReadonlyMap<string, string>,
  name: string,
  when: RunAfter["when"],
): RunAfter {
  const target = entries.find((entry) => entry.decl.name === name);
  if (target === undefined) return { name, uid: "", when, met: false };
  if (target.decl.kind !== "job") return { name, uid: target.next.uid, when, met: null };
  const fresh = runUids.get(name);
  if (fresh !== undefined) return { name, uid: fresh, when, met: null };
  const last = target.next.last_run;
  if (last === null) return { name, uid: "", when, met: false };
  return { name, uid: last.uid, when, met: metBy(state, last, when) };
}

/** Whether a run that is over fulfils the wait; `null` while it goes on. */
export function metBy(
  state: State,
  last: { readonly uid: string; readonly state: RunRow["state"] },
  when: RunAfter["when"],
): boolean | null {
  const now = state.runs.get(last.uid)?.state ?? last.state;
  if (!isFinal(now)) return null;
  return when === "ended" || (when === "failed" ? now === "failed" : now === "succeeded");
}

/** Runs of a job that have not begun. */
const openRuns = (state: State, workload_uid: string): RunRow[] =>
  state.runs
    .values()
    .filter(
      (run) =>
        run.workload_uid === workload_uid && (run.state === "waiting" || run.state === "queued") && run.cancel === null,
    )
    .toArray();

function replacements(draft: Draft, replaced: ReadonlyMap<string, RunRow>, user: string): Change[] {
  if (replaced.size === 0) return [];
  const changes: Change[] = [];
  for (const run of draft.state.runs.values()) {
    const by = replaced.get(run.uid);
    const after = run.after.map((one) => {
      const newer = replaced.get(one.uid);
      return newer === undefined ? one : { ...one, uid: newer.uid, met: null };
    });
    if (by !== undefined) {
      changes.push({
        table: "runs",
        key: run.uid,
        row: { ...run, reason: `replaced by run ${by.run}`, cancel: { at_ms: draft.now_ms, by: user } },
      });
    } else if (run.state === "waiting" && run.after.some((one) => replaced.has(one.uid))) {
      changes.push({ table: "runs", key: run.uid, row: { ...run, after } });
    }
  }
  return changes;
}

/** The row that says it goes; its tasks, and a job's runs, are ended by the plan. */
export function removeWorkload(draft: Draft, workload: WorkloadRow, by: string): Change[] {
  const runs = draft.state.runs
    .values()
    .filter((run) => run.workload_uid === workload.uid && run.cancel === null && !isFinal(run.state));
  return [
    { table: "workloads", key: workload.uid, row: { ...workload, removing: true } },
    ...runs.map((run): Change => ({
      table: "runs",
      key: run.uid,
      row: { ...run, cancel: { at_ms: draft.now_ms, by } },
    })),
  ];
}

function summaryOf(lines: readonly DiffLine[]): string {
  const shown = lines.filter((line) => line.change !== "none").map((line) => `${line.name}: ${line.detail}`);
  const text = shown.join("; ");
  return text.length > 500 ? `${text.slice(0, 500)}…` : text;
}
