// Runs as the contract shows them, with their place in the queue.

import type { State } from "../../core/model/rows-state";
import type { RunRow } from "../../core/model/rows-work";
import type { Blocked } from "../../core/pass/snapshot";
import { jobName } from "../../core/model/task";
import type { RunView } from "../../wire/api/runs";
import { waitsFor } from "./task";

/** Where a run stands among those that wait, and what the last pass said of it. */
export interface QueuePlace {
  readonly position: number;
  readonly reason: string | null;
}

export function runView(run: RunRow, place: QueuePlace | undefined): RunView {
  return {
    run: run.run,
    name: run.name,
    project: run.project,
    user: run.user,
    priority: run.settings.priority,
    state: run.state,
    position: place?.position ?? null,
    ahead_gpu_hours: null,
    start_estimate_ms: null,
    reason: run.reason ?? waitsFor(run) ?? place?.reason ?? null,
    app: run.app,
    workload: run.app === null ? null : jobName(run),
    version: run.version,
    created_ms: run.created_ms,
    started_ms: run.started_ms,
    finished_ms: run.finished_ms,
    exit_code: run.exit_code,
    signal: run.signal,
    cause: run.cause,
    cancelled_by: run.cancel?.by ?? null,
  };
}

/** Places of all queued runs, from 1: by priority, then by number. */
export function queueOf(state: State, blocked: readonly Blocked[]): ReadonlyMap<string, QueuePlace> {
  const reasons = new Map(blocked.map((one) => [one.owner_uid, one.summary]));
  const queued = state.runs
    .values()
    .filter((run) => run.state === "queued" && run.cancel === null)
    .toArray()
    .sort((a, b) => b.settings.priority - a.settings.priority || a.run - b.run);
  return new Map(queued.map((run, i) => [run.uid, { position: i + 1, reason: reasons.get(run.uid) ?? null }]));
}
