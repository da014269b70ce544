// What became of the elements of an array, from the pages of their states.

import { countOf, type ElementEnd, type ElementRange, isIn, joined, numberAt, sayArray } from "../../core/model/array";
import { causeIn, endedIn, endIn, kindsIn, PAGE_ELEMENTS, pageOf, statesIn } from "../../core/model/pages";
import { isFinal } from "../../core/model/lifecycle";
import type { RunRow } from "../../core/model/rows-work";
import type { TaskRow } from "../../core/model/rows-task";
import { isEnd } from "../../core/model/task";
import { isElementOver, sayRunOver } from "../../core/why/over";
import type { Store } from "../../store/store";
import type { ElementView } from "../../wire/api/arrays";
import type { Wording } from "../access/wording";
import type { RunView } from "../../wire/api/runs";
import { pageOfRun } from "../work/element-state";

type Known = Pick<Store, "state" | "history">;
type ArrayView = NonNullable<RunView["array"]>;

/** Returns how much of a run's array is over, or null if it is none. */
export function progressOf({ array }: RunRow): Omit<ArrayView, "elements" | "again" | "running"> | null {
  if (array === null) return null;
  const { succeeded, failed, stopped, unknown } = array;
  return { total: countOf(array), succeeded, failed, stopped, unknown };
}

/** Returns how far a run's array is, or null if it is none. `tasks` are the living ones of the run. */
export function arrayView(run: RunRow, tasks: readonly TaskRow[]): ArrayView | null {
  const progress = progressOf(run);
  if (run.array === null || progress === null) return null;
  const running = tasks.reduce((sum, task) => sum + (isRunning(task) ? (task.batch?.places ?? 0) : 0), 0);
  return { ...progress, elements: sayArray(run.array), again: run.array.again, running };
}

const isRunning = ({ observed: { state } }: TaskRow): boolean => state === "running" || state === "stopping";

/** Returns why elements of a run that is over never began. */
export const overOfRun = (run: RunRow, { wording }: { readonly wording: Wording }): string =>
  sayRunOver({ state: run.state, reason: wording(run.reason, run), cancelled_by: run.cancel?.by ?? null });

/** Which elements are asked for. */
export interface ElementWish {
  /** The first index that is looked at. */
  readonly from: number;
  readonly limit: number;
  /** `failed`: all that are over and have not succeeded. */
  readonly state?: ElementView["state"] | undefined;
}

/** An element with its index, behind which a list continues. */
interface Found {
  readonly index: number;
  readonly view: ElementView;
}

/** Returns elements of a run in their order. A run that is no array has none. */
export function elementsOf(known: Known, run: RunRow, { from, limit, state: wanted }: ElementWish): Found[] {
  const { array } = run;
  const found: Found[] = [];
  if (array === null || limit < 1) return found;
  const total = countOf(array);
  const out = handedOut(known, run);
  for (let page = pageOf(from); page * PAGE_ELEMENTS < total; page++) {
    const text = pageOfRun(known, run, page);
    if (wanted !== undefined && !mayHave(kindsIn(text), page, out, wanted)) continue;
    const states = statesIn(text);
    for (let index = Math.max(from, page * PAGE_ELEMENTS); index < total; index++) {
      const state = states[index - page * PAGE_ELEMENTS];
      if (state === undefined) break;
      const view = viewOf(numberAt(array, index), state, () => whereIn(run, out, index));
      if (!isWanted(view, wanted)) continue;
      found.push({ index, view });
      if (found.length === limit) return found;
    }
  }
  return found;
}

/** Returns the element with an index that its array has. */
export function elementAt(known: Known, run: RunRow, index: number): ElementView {
  const [found] = elementsOf(known, run, { from: index, limit: 1 });
  if (found === undefined) throw new Error(`run ${run.run} has no element with index ${index}`);
  return found.view;
}

/** Returns whether an element of a page may be wanted, so that a long array is not looked at one by one. */
function mayHave(
  kinds: readonly string[],
  page: number,
  out: readonly ElementRange[],
  wanted: ElementView["state"],
): boolean {
  const first = page * PAGE_ELEMENTS;
  const isOut = (): boolean => out.some(([from, to]) => to >= first && from < first + PAGE_ELEMENTS);
  return kinds.some((state) => {
    const end = endIn(state);
    if (end !== null) return isWanted(overOf(end), wanted);
    return wanted === "assigned" ? isOut() : wanted === "pending" || wanted === "cancelled";
  });
}

const isWanted = ({ state }: Pick<ElementView, "state">, wanted: ElementWish["state"]): boolean =>
  wanted === undefined ||
  (wanted === "failed" ? isElementOver({ state }) && state !== "succeeded" && state !== "cancelled" : state === wanted);

/** Returns the state of an element that has no end. */
const whereIn = ({ state }: RunRow, out: readonly ElementRange[], index: number): ElementView["state"] =>
  isFinal(state) ? "cancelled" : isIn(out, index) ? "assigned" : "pending";

/** Returns the elements that nodes have. */
function handedOut({ state }: Known, { uid }: RunRow): readonly ElementRange[] {
  const living = state.tasks.values().filter((task) => task.owner_uid === uid && !isEnd(task.observed));
  return living.reduce((parts: readonly ElementRange[], { batch }) => joined(parts, batch?.parts ?? []), []);
}

function viewOf(slot: number, state: string, where: () => ElementView["state"]): ElementView {
  const end = endIn(state);
  const attempts = endedIn(state);
  if (end !== null) return { slot, ...overOf(end), cause: causeIn(state), attempts };
  return { slot, state: where(), exit_code: null, signal: null, cause: null, attempts };
}

function overOf(end: ElementEnd): Pick<ElementView, "state" | "exit_code" | "signal"> {
  if (typeof end === "number") return { state: end === 0 ? "succeeded" : "failed", exit_code: end, signal: null };
  if (end === "unknown" || end === "lost" || end === "stopped") return { state: end, exit_code: null, signal: null };
  return { state: "failed", exit_code: null, signal: end };
}
