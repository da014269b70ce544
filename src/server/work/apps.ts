// The rows of apps and workloads: finding them by name, changing them together with their history, removing them.

import { withCancel } from "../../core/model/new-run";
import { canonicalJson } from "../../core/canonical";
import { isFinal } from "../../core/model/lifecycle";
import type { Change, State } from "../../core/model/rows-state";
import type { AppRow, WorkloadRow } from "../../core/model/rows-work";
import type { Ms } from "../../core/units";
import type { Draft } from "../../store/store";

export const findApp = (state: State, project: string, name: string): AppRow | undefined =>
  state.apps.values().find((app) => app.project === project && app.name === name);

export const workloadsOf = (state: State, app_uid: string): WorkloadRow[] =>
  state.workloads
    .values()
    .filter((workload) => workload.app_uid === app_uid)
    .toArray();

/**
 * Returns the changes that clear the recorded ends of slots that gave back idle cards. The plan leaves such a slot
 * empty, and fills it again once these ends are cleared. The caller clears them when people apply or change the
 * workload.
 */
export function askedAgain(state: Draft["state"], workload_uid: string): Change[] {
  return state.slots
    .values()
    .filter((slot) => slot.owner_uid === workload_uid && slot.ends.some((end) => end.idle === true))
    .map((slot): Change => ({ table: "slots", key: slot.key, row: { ...slot, ends: [] } }))
    .toArray();
}

/** Returns since when the slots of a workload are wanted: what was wanted before waits no less for a change. */
function wantedAfter(before: WorkloadRow | undefined, after: WorkloadRow, now_ms: Ms): WorkloadRow["wanted"] {
  const had = before === undefined ? 0 : slotsOf(before);
  const unsaid = before === undefined ? [] : [{ from: 0, since_ms: now_ms }];
  const kept = (before?.wanted ?? unsaid).filter(({ from }) => from < slotsOf(after));
  return slotsOf(after) > had ? [...kept, { from: had, since_ms: now_ms }] : kept;
}

/** Returns how many slots are told apart. The slots of a daemon are wanted as long as it is. */
const slotsOf = ({ kind, settings }: WorkloadRow): number => (kind === "service" ? settings.replicas : 1);

/**
 * Returns the changes that store a workload: its row if the row changed, and a history entry if version or settings are
 * new.
 */
export function putWorkload(
  { revision, now_ms: at_ms }: Pick<Draft, "revision" | "now_ms">,
  row: WorkloadRow,
  before: WorkloadRow | undefined,
  by: string,
): Change[] {
  if (before !== undefined && canonicalJson(before) === canonicalJson(row)) return [];
  const workload = { ...row, wanted: wantedAfter(before, row, at_ms) };
  const { uid, version, spec_hash, settings } = workload;
  const put: Change = { table: "workloads", key: uid, row: workload };
  if (before?.version === version && canonicalJson(before.settings) === canonicalJson(settings)) return [put];
  const key = `${uid}/${version}/${revision}`;
  const entry = { key, workload_uid: uid, version, revision, spec_hash, settings, by, at_ms };
  return [put, { table: "versions", key, row: entry }];
}

/** Returns the changes that mark a workload as being removed and cancel its open runs. The plan then ends the tasks. */
export function removeWorkload(draft: Draft, workload: WorkloadRow, by: string): Change[] {
  const runs = draft.state.runs
    .values()
    .filter((run) => run.workload_uid === workload.uid && run.cancel === null && !isFinal(run.state));
  return [
    { table: "workloads", key: workload.uid, row: { ...workload, removing: true } },
    ...runs.map((run): Change => ({
      table: "runs",
      key: run.uid,
      row: withCancel(run, by, draft.now_ms),
    })),
  ];
}
