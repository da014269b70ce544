// The changes that applying a spec makes: new versions, settings in place, runs for new and changed jobs, and the
// removal of workloads that the spec no longer contains.

import { formatAge } from "../../core/format";
import type { AppRow, WorkloadRow } from "../../core/model/rows-work";
import type { AppDecl, WorkloadDecl } from "../../core/model/workload";
import type { PlanLimits } from "../../core/pass/snapshot";
import { scale, type Going } from "../../core/plan/scale";
import { diffApp, type DiffLine } from "../../spec/diff";
import type { Draft, Store } from "../../store/store";
import { RefusedError } from "../refused";
import { findApp, removeWorkload, workloadsOf } from "./apps";
import { type Entry, rowsOfEntries } from "./entries";

export interface Applying {
  readonly decl: AppDecl;
  readonly project: string;
  readonly text: string;
  /** The revision that the shown plan was made from. Null: any revision is accepted. 0: the app must be new. */
  readonly revision: number | null;
  readonly user: string;
  /** Returns 32 random hex digits, new ones at each call. */
  readonly fresh: () => string;
  readonly spec: Store["spec"];
  readonly limits: PlanLimits;
}

export interface Applied {
  readonly app: string;
  readonly project: string;
  readonly revision: number;
  readonly runs: readonly number[];
  readonly changes: readonly DiffLine[];
  /** The replicas that go since their service has fewer. */
  readonly goes: readonly Going[];
}

/**
 * Applies a spec. Throws RefusedError if others changed the app since the shown revision, if an app or workload of the
 * same name is still being removed, or if a workload would change its kind.
 */
export function applyApp(draft: Draft, applying: Applying): Applied {
  const { decl, project, user } = applying;
  const before = findApp(draft.state, project, decl.app);
  requireRevision(before, applying, draft.now_ms);
  const known = before === undefined ? [] : workloadsOf(draft.state, before.uid);
  requireFree(before, known, decl);
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
  const rows = rowsOfEntries(draft, entries, user, applying.fresh);
  const gone = current.filter((workload) => !decl.workloads.some((next) => next.name === workload.name));
  const changes = [...rows.changes, ...gone.flatMap((workload) => removeWorkload(draft, workload, user))];
  if (changes.length === 0 && before?.text === applying.text) {
    return { app: decl.app, project, revision: before.revision, runs: [], changes: lines, goes: [] };
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
  const goes = entries.flatMap((entry) => entry.goes);
  return { app: decl.app, project, revision: draft.revision, runs: rows.numbers, changes: lines, goes };
}

function requireRevision(before: AppRow | undefined, { revision, decl }: Applying, now_ms: number): void {
  if (revision === null || revision === (before?.revision ?? 0)) return;
  throw new RefusedError(
    "changed_meanwhile",
    before === undefined
      ? `${decl.app} was removed meanwhile`
      : `${decl.app} was changed meanwhile by ${before.changed_by}, ${formatAge(now_ms - before.changed_ms)} ago`,
    "Look at the new plan and apply again",
  );
}

/**
 * Throws RefusedError if the spec uses a name that is not free, or changes the kind of a workload. A removed app or
 * workload keeps its name until the end of its last task is known.
 */
function requireFree(before: AppRow | undefined, known: readonly WorkloadRow[], decl: AppDecl): void {
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

function entryOf(
  draft: Draft,
  { project, user, fresh, decl: { app }, spec, limits }: Applying,
  app_uid: string,
  decl: WorkloadDecl,
  before: WorkloadRow | undefined,
): Entry {
  const spec_hash = draft.putSpec(decl.spec);
  const isNew = before?.spec_hash !== spec_hash;
  const { replicas } = decl.settings;
  const facts = { state: draft.state, now_ms: draft.now_ms, limits, spec };
  const scaled =
    before === undefined ? { without: null, goes: [] } : scale(facts, before, replicas, decl.spec.exclusive);
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
    wanted: before?.wanted ?? null,
    without: scaled.without,
  };
  return { decl, before, next, is_new: isNew, goes: scaled.goes };
}

function summaryOf(lines: readonly DiffLine[]): string {
  const shown = lines.filter((line) => line.change !== "none").map((line) => `${line.name}: ${line.detail}`);
  const text = shown.join("; ");
  return text.length > 500 ? `${text.slice(0, 500)}…` : text;
}
