// Apps and workloads as the API shows them.

import { isWanted } from "../../core/model/task";
import type { State } from "../../core/model/rows-state";
import type { AppRow, WorkloadRow } from "../../core/model/rows-work";
import type { AppView, WorkloadView } from "../../wire/api/apps";
import { workloadsOf } from "../work/apps";
import { isPending, type Pending, type TaskLook } from "./task";

/** How many tasks run by the uid of their workload or run, and how many slots wait by the uid of their workload. */
export interface Counts {
  readonly running: ReadonlyMap<string, number>;
  readonly pending: ReadonlyMap<string, number>;
}

/** Counts once for all workloads that are shown. */
export function countsOf(look: Omit<TaskLook, "limits">, waiting: Iterable<Pending>): Counts {
  const [running, pending] = [new Map<string, number>(), new Map<string, number>()];
  const count = (counts: Map<string, number>, uid: string): unknown => counts.set(uid, (counts.get(uid) ?? 0) + 1);
  for (const task of look.state.tasks.values()) {
    if (isWanted(task) && task.observed.state === "running") count(running, task.owner_uid);
    else if (isPending(task, look)) count(pending, task.owner_uid);
  }
  for (const { workload_uid } of waiting) if (workload_uid !== null) count(pending, workload_uid);
  return { running, pending };
}

export function workloadView(row: WorkloadRow, state: State, counts: Counts): WorkloadView {
  const running = (uid: string | undefined): number => (uid === undefined ? 0 : (counts.running.get(uid) ?? 0));
  const run = row.last_run;
  return {
    name: row.name,
    app: row.app,
    project: row.project,
    user: row.user,
    kind: row.kind,
    version: row.version,
    replicas: row.settings.replicas,
    removing: row.removing,
    running: running(row.uid) + running(row.last_run?.uid),
    pending: counts.pending.get(row.uid) ?? 0,
    last_run: run === null ? null : { run: run.run, state: state.runs.get(run.uid)?.state ?? run.state },
  };
}

export const appView = (
  app: AppRow,
  state: State,
  counts: Counts,
  workloads: readonly WorkloadRow[] = workloadsOf(state, app.uid),
): AppView => ({
  name: app.name,
  project: app.project,
  revision: app.revision,
  changed_by: app.changed_by,
  changed_ms: app.changed_ms,
  removing: app.removing,
  workloads: workloads.map((row) => workloadView(row, state, counts)),
});
