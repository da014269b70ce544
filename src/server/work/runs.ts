// Runs: made in no app at a person's request, refused if no node could ever run them, found by number, and cancelled.
// Finding and cancelling also serve the runs of apps.

import { newRun, withCancel } from "../../core/model/new-run";
import type { State } from "../../core/model/rows-state";
import type { RunAfter, RunRow } from "../../core/model/rows-work";
import { isFinal } from "../../core/model/lifecycle";
import { parseName } from "../../core/model/task";
import type { WorkloadDecl } from "../../core/model/workload";
import type { Draft, History } from "../../store/store";
import type { Issue } from "../../spec/issue";
import type { Blocked } from "../../core/pass/snapshot";
import { findApp } from "./apps";
import type { Principal } from "../access/auth";
import { RefusedError } from "../refused";

export interface Making {
  readonly decl: WorkloadDecl;
  readonly project: string;
  readonly who: Principal;
  readonly uid: string;
  readonly history: History;
}

/** Makes a run and returns its row. The next pass plans it. */
export function makeRun(draft: Draft, { decl, project, who, uid, history }: Making): RunRow {
  const after = decl.settings.after.map(({ name, when }) => boundRun(draft.state, history, project, name, when));
  const row = newRun({
    uid,
    run: draft.takeRunNumber(),
    name: decl.name,
    project,
    user: who.name,
    app_uid: null,
    app: null,
    workload_uid: null,
    version: 1,
    spec_hash: draft.putSpec(decl.spec),
    settings: decl.settings,
    after,
    created_ms: draft.now_ms,
  });
  draft.put([{ table: "runs", key: uid, row }]);
  draft.event({ verb: "queued", object: String(row.run), project, detail: row.name });
  return row;
}

/**
 * Returns the wait for a run. `name` is the run's number, or `app.job` for the job's newest run. Throws RefusedError if
 * there is no such run.
 */
function boundRun(state: State, history: History, project: string, name: string, when: RunAfter["when"]): RunAfter {
  const target = /^\d+$/.test(name) ? runByNumber(state, history, Number(name)) : newestOf(state, project, name);
  if (target === null) {
    throw new RefusedError(
      "spec",
      `there is nothing called ${name} to come after`,
      "Name a run by its number, or a job as APP.JOB",
      [{ line: 0, column: 0, path: "after", message: `no run or job ${name}`, hint: null }],
    );
  }
  return { name, uid: target.uid, when, met: metBy(state, target, when) };
}

/** Returns whether a run's end fulfils the wait, or null if the run has not ended. */
export function metBy(
  state: State,
  last: { readonly uid: string; readonly state: RunRow["state"] },
  when: RunAfter["when"],
): boolean | null {
  const now = state.runs.get(last.uid)?.state ?? last.state;
  if (!isFinal(now)) return null;
  return when === "ended" || (when === "failed" ? now === "failed" : now === "succeeded");
}

export const runByNumber = (state: State, history: History, run: number): RunRow | null =>
  state.runs.values().find((row) => row.run === run) ?? (Number.isSafeInteger(run) ? history.run(run) : null);

function newestOf(state: State, project: string, name: string): { uid: string; state: RunRow["state"] } | null {
  const parsed = parseName(name);
  if (parsed?.is !== "workload" || parsed.project !== null || parsed.slot !== null) return null;
  const found = findApp(state, project, parsed.app);
  const job = state.workloads.values().find((row) => row.app_uid === found?.uid && row.name === parsed.workload);
  return job?.last_run ?? null;
}

/** Throws RefusedError if no known node could ever run the run. Drained and silent nodes count as known. */
export function requireSatisfiable(blocked: readonly Blocked[], uid: string): void {
  const never = blocked.find((one) => one.owner_uid === uid && one.kind === "unsatisfiable");
  if (never === undefined) return;
  const issues = never.nodes.slice(0, 50).flatMap((node) =>
    node.checks
      .filter((check) => check.hopeless)
      .map((check): Issue => ({
        line: 0,
        column: 0,
        path: node.node,
        message: `${check.check}: ${check.detail}`,
        hint: null,
      })),
  );
  throw new RefusedError("unsatisfiable", never.summary, wayOut(never), issues);
}

function wayOut({ nodes, smallest_change }: Blocked): string {
  if (nodes.length === 0)
    return "Join one (orch token new --role agent prints how), or wait for it with --wait-for-nodes";
  const way = smallest_change === null ? "Ask for less" : `Smallest change: ${smallest_change}`;
  return `${way}, or wait for such a node with --wait-for-nodes`;
}

/**
 * Marks a run to be cancelled, and returns its row. A given `signal` replaces the run's own. A run that has ended, or
 * was cancelled before, is returned unchanged.
 */
export function cancelRun(draft: Draft, run: RunRow, by: string, signal: string | null): RunRow {
  if (isFinal(run.state) || run.cancel !== null) return run;
  const settings = signal === null ? run.settings : { ...run.settings, stop: { ...run.settings.stop, signal } };
  const row: RunRow = { ...withCancel(run, by, draft.now_ms), settings };
  draft.put([{ table: "runs", key: run.uid, row }]);
  draft.event({
    verb: "cancelled",
    object: run.app === null ? String(run.run) : `${run.name} (run ${run.run})`,
    project: run.project,
    detail: signal === null ? "" : `with signal ${signal}`,
  });
  return row;
}
