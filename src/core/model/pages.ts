// What became of the elements of an array, a page of them in one text: equal states one after the other are written
// once. A state is `-` for an element without a result, `+1.0.2` for one that is tried again, after so many failures,
// losses and stops, and else how it ended, with the number of the attempt that did, if it was not the first: `0`,
// `KILL`, `TERM/time_limit`, `3#2`.

import type { ElementEnd, ElementPage } from "./array";
import { END_CAUSES, type EndCause } from "./end";
import type { OnUnknownEnd } from "./workload";

/** How many elements a page has. */
export const PAGE_ELEMENTS = 1_000;

export const pageOf = (index: number): number => Math.floor(index / PAGE_ELEMENTS);

export const pageKey = (run_uid: string, page: number): string => `${run_uid}/${page}`;

const NOTHING = "-";

type Page = Pick<ElementPage, "states"> | undefined;

/** Returns the states of a page in their order, those that follow each other and are equal as one. */
function runsIn(page: Page): { readonly state: string; readonly times: number }[] {
  const runs = (page?.states ?? "").split(" ").flatMap((token) => {
    const at = token.indexOf("*");
    return token === "" ? [] : { state: token.slice(at + 1), times: at < 0 ? 1 : Number(token.slice(0, at)) };
  });
  const missing = PAGE_ELEMENTS - runs.reduce((sum, { times }) => sum + times, 0);
  return missing > 0 ? [...runs, { state: NOTHING, times: missing }] : runs;
}

/** Returns the states of the elements of a page, in their order; those of a page that is missing. */
export function statesIn(page: Page): string[] {
  const states: string[] = [];
  for (const { state, times } of runsIn(page)) for (let n = times; n > 0; n--) states.push(state);
  return states;
}

/** Returns the states that some element of a page has, perhaps one twice. Much cheaper than all of them. */
export const kindsIn = (page: Page): string[] => runsIn(page).map(({ state }) => state);

/** Returns a page with these states. */
export function pageWith(run_uid: string, page: number, states: readonly string[]): ElementPage {
  const tokens: string[] = [];
  for (let at = 0; at < states.length;) {
    const state = states[at] ?? NOTHING;
    let end = at + 1;
    while (end < states.length && states[end] === state) end++;
    tokens.push(end - at === 1 ? state : `${end - at}*${state}`);
    at = end;
  }
  return { key: pageKey(run_uid, page), run_uid, page, states: tokens.join(" ") };
}

/** How often an element was tried, by how that ended. */
interface Tries {
  readonly failed: number;
  readonly lost: number;
  readonly stopped: number;
}

function triesIn(state: string): Tries | null {
  if (state === NOTHING) return { failed: 0, lost: 0, stopped: 0 };
  const [, failed, lost, stopped] = /^\+(\d+)\.(\d+)\.(\d+)$/.exec(state) ?? [];
  return failed === undefined ? null : { failed: Number(failed), lost: Number(lost), stopped: Number(stopped) };
}

/** Returns how often an element was tried that is not over; null for one that is. */
export function attemptsIn(state: string): number | null {
  const tries = triesIn(state);
  return tries === null ? null : tries.failed + tries.lost + tries.stopped;
}

/** An end, with its cause and the number of its attempt. */
const OVER = /^[^/#]*(?:\/([^#]*))?(?:#(\d+))?$/;

/** Returns how many attempts of an element have ended, also of one that is over. */
export const endedIn = (state: string): number => attemptsIn(state) ?? Number(OVER.exec(state)?.[2] ?? 1);

/** Returns how an element ended; null for one that is not over. */
export function endIn(state: string): ElementEnd | null {
  if (triesIn(state) !== null) return null;
  const [end = ""] = state.split(/[/#]/, 1);
  return /^\d+$/.test(end) ? Number(end) : end;
}

/** Returns the cause of the end of an element that is over, where its code or signal does not say it; null for none. */
export function causeIn(state: string): EndCause | null {
  const cause = OVER.exec(state)?.[1] ?? "";
  return Object.hasOwn(END_CAUSES, cause) ? (cause as EndCause) : null;
}

/** Whether an element is tried again, and how often. */
export interface TryAgain {
  readonly retries: number;
  readonly on_unknown_end?: OnUnknownEnd | undefined;
  /** Whether an attempt that was lost, or was stopped by an order, is made up for. */
  readonly makes_up: boolean;
  readonly loss_limit: number;
}

/**
 * Returns the state of an element after attempt number `round` of it has ended; null if that is no news: the element is
 * over, or the end of this attempt is known.
 */
export function stateAfter(
  state: string,
  round: number,
  end: ElementEnd,
  again: TryAgain,
  cause: EndCause | null = null,
): string | null {
  const tries = triesIn(state);
  if (tries === null || tries.failed + tries.lost + tries.stopped !== round - 1) return null;
  const next = triesAfter(tries, end, again);
  const over = `${end}${cause === null ? "" : `/${cause}`}${round === 1 ? "" : `#${round}`}`;
  return next === null ? over : `+${next.failed}.${next.lost}.${next.stopped}`;
}

/** Returns the tries of an element that is tried again; null if it is not. */
function triesAfter(tries: Tries, end: ElementEnd, again: TryAgain): Tries | null {
  if (end === 0) return null;
  if (end === "stopped") return again.makes_up ? { ...tries, stopped: tries.stopped + 1 } : null;
  if (end === "lost" || end === "unknown") {
    const isMadeUp = end === "lost" ? again.makes_up : again.makes_up && again.on_unknown_end === "retry";
    return isMadeUp && tries.lost + 1 < again.loss_limit ? { ...tries, lost: tries.lost + 1 } : null;
  }
  return tries.failed < again.retries ? { ...tries, failed: tries.failed + 1 } : null;
}
