// The rows of apps and workloads: finding them by name, changing them together with their history, removing them.

import { withCancel } from "../../core/model/new-run";
import { canonicalJson } from "../../core/canonical";
import { isFinal } from "../../core/model/lifecycle";
import type { Change, State } from "../../core/model/rows-state";
import type { AppRow, WantedSince, WorkloadRow } from "../../core/model/rows-work";
import { slotsOf } from "../../core/model/slots";
import { slotKey } from "../../core/model/task";
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
function wantedAfter(
  { state, now_ms }: Pick<Draft, "state" | "now_ms">,
  before: WorkloadRow | undefined,
  after: WorkloadRow,
): WorkloadRow["wanted"] {
  const had = new Set(before === undefined ? [] : toldApart(before));
  // A row of an earlier release does not say it. Its slots are as old as its last change.
  const known = before?.wanted ?? [{ from: 0, since_ms: state.apps.get(after.app_uid)?.changed_ms ?? now_ms }];
  const wanted: WantedSince[] = [];
  let at = -1;
  for (const slot of toldApart(after)) {
    while ((known[at + 1]?.from ?? Number.POSITIVE_INFINITY) <= slot) at++;
    const since_ms = had.has(slot) ? (known[at]?.since_ms ?? now_ms) : now_ms;
    if (wanted.at(-1)?.since_ms !== since_ms) wanted.push({ from: slot, since_ms });
  }
  return wanted;
}

/** Returns the slots that are told apart. Those of a daemon are wanted as long as it is. */
const toldApart = (row: WorkloadRow): readonly number[] => (row.kind === "service" ? slotsOf(row) : [0]);

/** Returns the changes that let slots begin without the crashes that they had before they were scaled away. */
function begunAgain({ slots }: State, before: WorkloadRow | undefined, after: WorkloadRow): Change[] {
  const had = new Set(before === undefined ? [] : toldApart(before));
  return toldApart(after).flatMap((slot): Change[] => {
    const row = slots.get(slotKey(after.uid, slot));
    if (row === undefined || row.streak === 0 || had.has(slot)) return [];
    return [{ table: "slots", key: row.key, row: { ...row, streak: 0, not_before_ms: 0 } }];
  });
}

/**
 * Returns the changes that store a workload: its row if the row changed, a history entry if version or settings are
 * new, and the slots that come back.
 */
export function putWorkload(
  draft: Pick<Draft, "state" | "revision" | "now_ms">,
  row: WorkloadRow,
  before: WorkloadRow | undefined,
  by: string,
): Change[] {
  if (before !== undefined && canonicalJson(before) === canonicalJson(row)) return [];
  const { revision, now_ms: at_ms } = draft;
  const workload = { ...row, wanted: wantedAfter(draft, before, row) };
  const { uid, version, spec_hash, settings } = workload;
  const put: Change = { table: "workloads", key: uid, row: workload };
  if (before?.version === version && canonicalJson(before.settings) === canonicalJson(settings)) return [put];
  const slots = row.kind === "service" ? begunAgain(draft.state, before, row) : [];
  const key = `${uid}/${version}/${revision}`;
  const entry = { key, workload_uid: uid, version, revision, spec_hash, settings, by, at_ms };
  return [put, { table: "versions", key, row: entry }, ...slots];
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
