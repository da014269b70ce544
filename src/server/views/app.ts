// Apps and workloads as the API shows them.

import { isWanted } from "../../core/model/task";
import type { State } from "../../core/model/rows-state";
import type { AppRow, WorkloadRow } from "../../core/model/rows-work";
import type { AppView, WorkloadView } from "../../wire/api/apps";
import { workloadsOf } from "../work/apps";
import type { Pending } from "./task";

/** Returns the view of a workload. `pending` contains the waiting slots of all workloads. */
export function workloadView(row: WorkloadRow, state: State, pending: readonly Pending[]): WorkloadView {
  const owners = new Set([row.uid, row.last_run?.uid]);
  const running = state.tasks
    .values()
    .filter((task) => owners.has(task.owner_uid) && isWanted(task) && task.observed.state === "running")
    .toArray().length;
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
    running,
    pending: pending.filter((one) => one.workload_uid === row.uid).length,
    last_run: run === null ? null : { run: run.run, state: state.runs.get(run.uid)?.state ?? run.state },
  };
}

export const appView = (app: AppRow, state: State, pending: readonly Pending[]): AppView => ({
  name: app.name,
  project: app.project,
  revision: app.revision,
  changed_by: app.changed_by,
  changed_ms: app.changed_ms,
  removing: app.removing,
  workloads: workloadsOf(state, app.uid).map((row) => workloadView(row, state, pending)),
});
