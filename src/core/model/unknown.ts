// Runs with an end that nobody knows: which members of the newest attempt it is about, and what a person has said.

import { isEnd } from "./task";
import type { RunRow, Settled, SlotRow, TaskEnd } from "./rows-work";
import type { TaskRow } from "./rows-task";

/**
 * Returns the ends of the newest attempt that nobody knows and that no person has decided about. If another member is
 * known to have failed, been rejected or been lost, the attempt is known to have failed, so there is no such question.
 */
export function unknownEnds(slot: SlotRow | null | undefined): readonly TaskEnd[] {
  const ends = slot?.ends ?? [];
  const isKnownBad = ends.some(({ state }) => state === "failed" || state === "rejected" || state === "lost");
  return isKnownBad ? [] : ends.filter(({ state, settled }) => state === "unknown" && settled === undefined);
}

/** Returns what a person has said about the newest attempt of a slot, or null. */
export const settledAs = (slot: SlotRow | null): Settled | null =>
  slot?.ends.find(({ settled }) => settled !== undefined)?.settled ?? null;

/**
 * Returns the ends about which a run asks a person. `tasks` are the live tasks of the run: it asks once none of them
 * counts any more.
 */
export function askedEnds(run: RunRow, slot: SlotRow | null | undefined, tasks: Iterable<TaskRow>): readonly TaskEnd[] {
  if ((run.settings.on_unknown_end ?? "ask") !== "ask" || run.cancel !== null) return [];
  // Of the many elements of an array each counts as it ended, and nobody is asked about one.
  if (run.array !== null) return [];
  const ends = unknownEnds(slot);
  if (ends.length === 0) return ends;
  for (const task of tasks) {
    if (task.owner_uid === run.uid && task.written_off === null && !isEnd(task.observed)) return [];
  }
  return ends;
}
