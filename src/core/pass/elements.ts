// The elements of an array while a pass, or an intake, notes what became of some: their states page by page, and the
// array's sums. Both are made into rows once all is noted.

import type { ArrayRun, BatchResults, ElementBatch, ElementPage, ElementRange, ElementResult } from "../model/array";
import {
  countOf,
  elementCause,
  indicesOf,
  isElementEnd,
  isIn,
  joined,
  partsOf,
  sizeOf,
  split,
  sumOf,
} from "../model/array";
import { HOUSE_LIMITS } from "../limits";
import { attemptsIn, endIn, PAGE_ELEMENTS, pageKey, pageOf, pageWith, stateAfter, statesIn } from "../model/pages";
import type { TryAgain } from "../model/pages";
import type { State } from "../model/rows-state";
import type { TaskRow } from "../model/rows-task";
import type { RunRow } from "../model/rows-work";
import { tasksOf, type Pass } from "./pass";
import type { PlanLimits } from "./snapshot";

/** An array of which something is being noted. */
export interface ArrayDraft {
  readonly run_uid: string;
  array: ArrayRun;
  readonly elements: State["elements"];
  /** The states of the pages that were looked at. */
  readonly pages: Map<number, string[]>;
  readonly changed: Set<number>;
}

export const draftOf = ({ elements }: Pick<State, "elements">, run_uid: string, array: ArrayRun): ArrayDraft => ({
  run_uid,
  array,
  elements,
  pages: new Map(),
  changed: new Set(),
});

/** Returns whether elements of a run are tried again. A run that is over, or is to end, makes up for nothing. */
export const tryAgain = ({ settings, cancel }: RunRow, { loss_limit }: PlanLimits): TryAgain => ({
  retries: cancel === null ? settings.retries : 0,
  on_unknown_end: settings.on_unknown_end,
  makes_up: cancel === null,
  loss_limit,
});

function pageIn(draft: ArrayDraft, page: number): string[] {
  let states = draft.pages.get(page);
  if (states === undefined) {
    states = statesIn(draft.elements.get(pageKey(draft.run_uid, page)));
    draft.pages.set(page, states);
  }
  return states;
}

/** Returns the state of an element. */
export const stateIn = (draft: ArrayDraft, index: number): string =>
  pageIn(draft, pageOf(index))[index % PAGE_ELEMENTS] as string;

/** Notes how attempt number `round` of an element ended. Returns whether that is news. */
export function noteEnd(
  draft: ArrayDraft,
  round: number,
  [index, end, ran_ms, why]: ElementResult,
  again: TryAgain,
): boolean {
  const before = stateIn(draft, index);
  const after = stateAfter(before, round, end, again, elementCause(why));
  if (after === null) return false;
  pageIn(draft, pageOf(index))[index % PAGE_ELEMENTS] = after;
  draft.changed.add(pageOf(index));
  const { array } = draft;
  const ended = endIn(after);
  draft.array = {
    ...array,
    ...(ended === null ? {} : { [sumOf(ended)]: array[sumOf(ended)] + 1 }),
    again: array.again - Number(attemptsIn(before) !== 0) + Number(ended === null),
    ended: array.ended + 1,
    // Long ones would keep later short ones from being handed out many at a time.
    ran_ms: array.ran_ms + Math.min(ran_ms, HOUSE_LIMITS.batch_begins_ms),
  };
  return true;
}

/** Returns the elements of a batch of which no end is noted. */
export const withoutEnd = (draft: ArrayDraft, { parts, round }: Pick<ElementBatch, "parts" | "round">): number[] =>
  [...indicesOf(parts)].filter((index) => attemptsIn(stateIn(draft, index)) === round - 1);

/** Gives elements back that have not begun, if their round still goes on. */
export function giveUnbegun(draft: ArrayDraft, round: number, indices: readonly number[]): void {
  if (indices.length === 0 || round !== draft.array.round) return;
  draft.array = { ...draft.array, back: joined(draft.array.back, partsOf(indices)) };
}

/**
 * Takes in results of a batch. Returns the batch as it is afterwards; what the node said that cannot be is added to
 * `doubts`. Known ones are looked at as well: a machine that has lost its power may have lost results of its journal,
 * and numbers the others anew.
 */
export function noteResults(
  draft: ArrayDraft,
  batch: ElementBatch,
  { from, results }: Pick<BatchResults, "from" | "results">,
  again: TryAgain,
  doubts: string[],
): ElementBatch {
  let wrong: number | null = null;
  let failed = batch.failed ?? 0;
  for (const [n, result] of results.entries()) {
    const [index, end] = result;
    const isRight = isIn(batch.parts, index) && isElementEnd(end);
    const isNews = isRight && noteEnd(draft, batch.round, result, again);
    if (!isNews && from + n >= batch.told) wrong ??= index;
    if (isNews && !["succeeded", "stopped"].includes(sumOf(end))) failed += 1;
  }
  if (wrong !== null) doubts.push(`told how element ${wrong} of [${batch.label}] ended, which cannot be news`);
  return { ...batch, told: Math.max(batch.told, from + results.length), ...(failed > 0 ? { failed } : {}) };
}

/** Returns a batch of which only the first elements begin, and gives the others back. */
export function onlyFirst(draft: ArrayDraft, batch: ElementBatch, only: number): ElementBatch {
  const [parts, left] = split(batch.parts, only);
  if (left.length === 0) return batch;
  const kept = { ...batch, parts };
  giveUnbegun(draft, batch.round, withoutEnd(draft, { parts: left, round: batch.round }));
  return kept;
}

/** Returns the pages of which something was noted. */
export function pagesOf(draft: ArrayDraft): ElementPage[] {
  const { run_uid, changed } = draft;
  return [...changed].sort((a, b) => a - b).map((page) => pageWith(run_uid, page, pageIn(draft, page)));
}

/** How many pages are looked through at once for elements that are tried again. */
const PAGES_AT_ONCE = 50;

/**
 * Returns the elements that are handed out next, at most `count`, and the array without them. Where a later round finds
 * none in the pages that it looks through, the array still comes further.
 */
export function takeNext(draft: ArrayDraft, count: number): readonly ElementRange[] {
  const { array } = draft;
  const all = countOf(array);
  const [first, back] = split(array.back, count);
  let room = count - sizeOf(first);
  if (array.round === 1) {
    const next = Math.min(all, array.next + room);
    draft.array = { ...array, back, next };
    return next > array.next ? joined(first, [[array.next, next - 1]]) : first;
  }
  const found: number[] = [];
  const until = Math.min(all, (pageOf(array.next) + PAGES_AT_ONCE) * PAGE_ELEMENTS);
  let next = array.next;
  for (; next < until && room > 0; next++) {
    if (attemptsIn(stateIn(draft, next)) !== array.round - 1) continue;
    found.push(next);
    room--;
  }
  draft.array = { ...array, back, next, due: array.due - found.length };
  return joined(first, partsOf(found));
}

/** Returns how many more elements of an array may run at once, beside these batches of it. */
export const placesLeft = ({ limit }: Pick<ArrayRun, "limit">, open: Iterable<Pick<TaskRow, "batch">>): number => {
  let left = limit ?? Number.POSITIVE_INFINITY;
  for (const { batch } of open) left -= batch?.places ?? 0;
  return left;
};

/** Returns whether an array has a batch that was not given up. */
export const hasBatches = (pass: Pass, run_uid: string): boolean =>
  tasksOf(pass, run_uid).some(({ written_off }) => written_off === null);

/** Returns how many elements this round has still to hand out. */
export const leftToHandOut = (array: ArrayRun): number =>
  sizeOf(array.back) + (array.round === 1 ? countOf(array) - array.next : array.due);
