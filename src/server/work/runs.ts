// Runs: made in no app at a person's request, refused if no node could ever run them, found by number, and cancelled.
// Finding and cancelling also serve the runs of apps.

import { newRun, withCancel } from "../../core/model/new-run";
import type { State } from "../../core/model/rows-state";
import type { RunAfter, RunRow } from "../../core/model/rows-work";
import { isFinal } from "../../core/model/lifecycle";
import type { After, InputRef, WorkloadDecl } from "../../core/model/workload";
import { aboutRun } from "../../core/plan/events";
import { sayBlocked } from "../../core/why/failure";
import { helpWith } from "../../core/why/help";
import { sayChange } from "../../core/why/ways";
import { sayRunEnd } from "../../core/plan/after";
import type { Draft, History, Store } from "../../store/store";
import type { Issue } from "../../spec/issue";
import type { Blocked } from "../../core/pass/snapshot";
import type { Context } from "../context";
import type { Principal } from "../access/auth";
import { RefusedError } from "../refused";
import { isWork, type NameWish, type Searched, type Meant } from "./named";
import { resolve } from "./resolve";

export interface Making {
  readonly decl: WorkloadDecl;
  readonly project: string;
  readonly who: Principal;
  readonly uid: string;
  readonly history: History;
  readonly spec: Store["spec"];
  readonly stdin: InputRef | null;
}

/**
 * Throws RefusedError unless whoever asks has uploaded this input. So to know a hash gives nobody the content, and it
 * stays until the run is there.
 */
export function requireInput({ inputs }: Pick<Context, "inputs">, who: Principal, stdin: InputRef | null): void {
  if (stdin === null || inputs.has(who.name, stdin)) return;
  throw new RefusedError(
    "conflict",
    `the input ${stdin.sha256.slice(0, 12)}… of ${who.name} is not here`,
    "Upload it first: PUT /v1/inputs/{sha256}",
  );
}

/** Makes a run and returns its row. The next pass plans it. */
export function makeRun(draft: Draft, making: Making): RunRow {
  const { decl, project, who, uid, stdin } = making;
  const after = decl.settings.after.map((each) => boundRun(draft, making, each));
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
    stdin,
    after,
    created_ms: draft.now_ms,
  });
  draft.put([{ table: "runs", key: uid, row }]);
  draft.event({ verb: "queued", ...aboutRun(row), detail: row.name });
  return row;
}

/**
 * Returns the wait for a run. `name` is the run's number, the name that it was given, or `app.job` for the job's newest
 * run. Throws RefusedError if there is no such run, or if it has ended so that nothing can come after it.
 */
function boundRun(draft: Draft, { history, spec, project, who }: Making, { name, when }: After): RunAfter {
  const asked: NameWish = { name: who.name, project, kinds: ["run", "workload"], own: true };
  const known: Searched = { state: draft.state, history, spec, now: () => draft.now_ms };
  const { run } = runNamed(known, { name, when }, asked);
  if (run === null) throw notToComeAfter(`${name} has never run`, `orch show ${name}`, when);
  const met = metBy(draft.state, run, when);
  if (met === false)
    throw new RefusedError("conflict", `${name} ${sayRunEnd(run)}: nothing can come after it`, WAY_ON[when]);
  return { name, uid: run.uid, when, met };
}

const WAY_ON = {
  succeeded: "Come after a run that succeeds, or after any end of it: --after-any",
  failed: "Come after a run that fails, or after any end of it: --after-any",
  ended: null,
  up: null,
} as const;

function runNamed(known: Searched, { name, when }: After, asked: NameWish): Meant {
  try {
    const found = resolve(known, name, asked);
    if (isWork(found)) return found;
  } catch (error) {
    if (!(error instanceof RefusedError) || error.code !== "not_found") throw error;
    throw notToComeAfter(error.message, error.hint, when);
  }
  throw notToComeAfter(`${name} is no run`, null, when);
}

const notToComeAfter = (message: string, hint: string | null, when: After["when"]): RefusedError =>
  new RefusedError("spec", message, hint, [{ line: 0, column: 0, path: KEY_OF[when], message, hint }]);

/** The key of a job that asks for the wait. */
const KEY_OF = { succeeded: "after", ended: "after_any", failed: "after_failed", up: "after" } as const;

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

/** Throws RefusedError if no known node could ever run the run. Drained and silent nodes count as known. */
export function requireSatisfiable(never: Blocked | null): void {
  if (never === null) return;
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
  const { words, rest } = sayBlocked(never);
  throw new RefusedError("unsatisfiable", words + rest, wayOut(never), issues);
}

/** Several changes are told one a line. */
function wayOut({ nodes, changes }: Blocked): string {
  if (nodes.length === 0)
    return "Join one (orch token new --role agent prints how), or wait for it with --wait-for-nodes";
  const help = changes.length === 0 ? helpWith(nodes) : [];
  const ways = changes.length > 0 ? changes.map(sayChange) : help.length > 0 ? help : ["Ask for less"];
  const text = [...ways, "wait for such a node with --wait-for-nodes"].join(ways.length > 1 ? "\n  or " : ", or ");
  if (changes.length > 0) return `Smallest change: ${text}`;
  return help.length === 0 ? text : `What would help: ${text}`;
}

/** Adds to the answer about a new run where the pass of the same commit has placed it. */
export function withNodes<T extends { readonly run: number }>(
  { loop, store }: Pick<Context, "loop" | "store">,
  made: T,
): T & { nodes: string[] } {
  const ids = loop.placed().flatMap(({ run, node_id }) => (run === made.run ? node_id : []));
  return { ...made, nodes: [...new Set(ids)].map((id) => store.state.nodes.get(id)?.name ?? id).sort() };
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
    ...aboutRun(run),
    detail: signal === null ? "" : `with signal ${signal}`,
  });
  return row;
}
