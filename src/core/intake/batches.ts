// What agents report of batches: the results of elements, the places that are given up, and a batch's end.

import { indicesOf, labelOf, sumOf, type ElementBatch } from "../model/array";
import type { TaskFinal } from "../model/end";
import { attemptsIn, endIn } from "../model/pages";
import { shareOf } from "../model/promised";
import type { TaskReport } from "../model/record";
import type { Change, State } from "../model/rows-state";
import type { TaskRow } from "../model/rows-task";
import type { RunRow } from "../model/rows-work";
import {
  draftOf,
  giveUnbegun,
  noteEnd,
  noteResults,
  onlyFirst,
  pagesOf,
  stateIn,
  tryAgain,
  withoutEnd,
} from "../pass/elements";
import type { ArrayDraft } from "../pass/elements";
import { slotAfterBatch } from "../pass/slot";
import { slotKey, taskName } from "../model/task";
import { putSlot, type IntakeContext, type IntakeDraft } from "./draft";

/** A batch whose run is there and is an array. */
interface Known {
  readonly run: RunRow;
  readonly batch: ElementBatch;
  readonly array: ArrayDraft;
}

function knownOf(state: State, { owner_uid, batch }: TaskRow, draft: IntakeDraft): Known | null {
  const run = state.runs.get(owner_uid);
  if (run === undefined || run.array === null || batch === null) return null;
  let array = draft.arrays.get(owner_uid);
  if (array === undefined) draft.arrays.set(owner_uid, (array = draftOf(state, owner_uid, run.array)));
  return { run, batch, array };
}

/**
 * Takes in what a report says of a batch's elements. Returns the task as it is afterwards. Of a batch that was given up
 * nothing is taken: its elements count as lost.
 */
export function takeResults(
  state: State,
  task: TaskRow,
  { results, reported }: TaskReport,
  context: IntakeContext,
  draft: IntakeDraft,
): TaskRow {
  const known = results === undefined || task.written_off !== null ? null : knownOf(state, task, draft);
  if (results === undefined || known === null) return task;
  const { run, array } = known;
  if (results.from > known.batch.told) {
    draft.doubts.push(`left out results of ${taskName(task)}: ${known.batch.told} to ${results.from - 1}`);
    return task;
  }
  const again = tryAgain(run, context.limits);
  const isNews = results.from + results.results.length > known.batch.told || reported.state === "gone";
  let batch = isNews ? noteResults(array, known.batch, results, again, draft.doubts) : known.batch;
  if (results.only !== null) batch = onlyFirst(array, batch, results.only);
  const places = Math.max(1, Math.min(batch.places, results.places));
  if (batch === known.batch && places === batch.places) return task;
  const label = batch.parts === known.batch.parts ? batch.label : labelOf(array.array, batch.parts);
  return { ...task, batch: { ...batch, places, label }, promised: shareOf(task.promised, places, batch.places) };
}

/** Takes in a batch's end: what has no result goes back where it has not begun, and else counts as the batch ended. */
export function takeBatchEnd(
  state: State,
  task: TaskRow,
  final: TaskFinal,
  entry: TaskReport | null,
  context: IntakeContext,
  draft: IntakeDraft,
): void {
  const known = task.written_off === null ? knownOf(state, task, draft) : null;
  if (known === null) return;
  const { run, batch, array } = known;
  const left = withoutEnd(array, batch);
  if (isTold(final, entry)) giveUnbegun(array, batch.round, left);
  else {
    const again = tryAgain(run, context.limits);
    const end = final.state === "lost" ? "lost" : "unknown";
    for (const index of left) noteEnd(array, batch.round, [index, end, 0], again);
  }
  const slot =
    draft.slots.get(slotKey(task.owner_uid, task.slot)) ?? state.slots.get(slotKey(task.owner_uid, task.slot));
  if (slot !== undefined) putSlot(draft, slotAfterBatch(slot, task, final, run.settings, context.limits));
}

/** Words what became of the elements of a batch that is over; null of a task that is none. */
export function sayElements({ owner_uid, batch }: TaskRow, { arrays }: IntakeDraft): string | null {
  const noted = arrays.get(owner_uid);
  if (batch === null || noted === undefined) return null;
  const sums = { succeeded: 0, failed: 0, stopped: 0, unknown: 0, again: 0, back: 0 };
  for (const index of indicesOf(batch.parts)) {
    const state = stateIn(noted, index);
    const end = endIn(state);
    if (end !== null) sums[sumOf(end)]++;
    else if (attemptsIn(state) === batch.round) sums.again++;
    else sums.back++;
  }
  const { again, back, ...over } = sums;
  const said = Object.entries(over).flatMap(([how, count]) => (count > 0 ? [`${count} ${how}`] : []));
  if (again > 0) said.push(`${again} to be tried again`);
  if (back > 0) said.push(`${back} not begun`);
  return said.join(", ");
}

/** Returns whether a batch's end says which of its elements have begun. */
const isTold = ({ state, started_ms }: TaskFinal, entry: TaskReport | null): boolean =>
  entry?.results !== undefined || state === "rejected" || (state === "stopped" && started_ms === null);

/** Returns the rows of the arrays of which an intake has noted something. */
export function arrayChanges(state: State, draft: IntakeDraft): Change[] {
  return [...draft.arrays].flatMap(([uid, noted]): Change[] => {
    const run = state.runs.get(uid);
    if (run === undefined || run.array === noted.array) return [];
    return [
      { table: "runs", key: uid, row: { ...run, array: noted.array } },
      ...pagesOf(noted).map((row): Change => ({ table: "elements", key: row.key, row })),
    ];
  });
}
