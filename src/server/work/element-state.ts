// What is kept of one element of an array, of a run that lives or is over, for who names it.

import { isFinal } from "../../core/model/lifecycle";
import { endedIn, endIn, PAGE_ELEMENTS, pageKey, pageOf, statesIn } from "../../core/model/pages";
import type { RunRow } from "../../core/model/rows-work";
import type { Store } from "../../store/store";

type Known = Pick<Store, "state" | "history">;

/** Returns a page of the states of a run's elements; undefined if nothing was noted in it. */
export const pageOfRun = ({ state, history }: Known, { uid }: RunRow, page: number): { states: string } | undefined =>
  state.runs.has(uid) ? state.elements.get(pageKey(uid, page)) : (history.elements(uid, page) ?? undefined);

/** Returns how many attempts of the element with an index have ended, and whether another one may come. */
export function attemptsOf(known: Known, run: RunRow, index: number): { had: number; goesOn: boolean } {
  const state = statesIn(pageOfRun(known, run, pageOf(index)))[index % PAGE_ELEMENTS] ?? "";
  return { had: endedIn(state), goesOn: endIn(state) === null && !isFinal(run.state) };
}
