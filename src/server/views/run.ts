// Runs as the API shows them, with their place in the queue.

import type { RunRow } from "../../core/model/rows-work";
import { isFinal } from "../../core/model/lifecycle";
import type { State } from "../../core/model/rows-state";
import { askedOf } from "../work/settle";
import type { Loop } from "../loop";
import { jobName } from "../../core/model/task";
import type { RunView } from "../../wire/api/runs";
import { waitsFor } from "./task";

/** The place of a run among those that wait, and why the last pass left it waiting. */
export interface QueuePlace {
  /** Null for a run that does not wait for room. */
  readonly position: number | null;
  readonly reason: string | null;
}

export function runView(run: RunRow, place: QueuePlace | undefined, state: State): RunView {
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
    reason: run.reason ?? waitsFor(run) ?? (run.state === "queued" ? (place?.reason ?? null) : null),
    app: run.app,
    workload: run.app === null ? null : jobName(run),
    version: run.version,
    time_limit_ms: run.settings.time_limit_ms,
    created_ms: run.created_ms,
    started_ms: run.started_ms,
    finished_ms: run.finished_ms,
    exit_code: run.exit_code,
    signal: run.signal,
    cause: run.cause,
    cancelled_by: run.cancel?.by ?? null,
    unknown: isFinal(run.state) ? 0 : askedOf(state, run).length,
  };
}

/**
 * Returns the places of the runs that the last pass found waiting, from 1 in the order in which it gives them room. A
 * run that waits for something else than room has a reason and no position.
 */
export function placesOf({ queue, blocked }: Pick<Loop, "queue" | "blocked">): ReadonlyMap<string, QueuePlace> {
  const positions = new Map(queue().map((uid, at) => [uid, at + 1]));
  return new Map(
    blocked().map((one) => [one.owner_uid, { position: positions.get(one.owner_uid) ?? null, reason: one.summary }]),
  );
}
