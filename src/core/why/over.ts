// What is over, in words: that it is, how it ended, and who says more. All commands that meet it say the same.

import { sayElementEnd } from "../model/array";
import type { EndCause } from "../model/end";

/** Returns that something is over and how it ended: `train (run 17) is over: failed: exit 1`. */
export const sayOver = (name: string, state: string, why: string | null): string =>
  `${name} is over: ${state}${why === null || why === "" ? "" : `: ${why}`}`;

/** Returns that something is over and has no output, since it never began. */
export const sayNeverBegan = (name: string, why: string | null): string =>
  `${name} never began, so it has no output${why === null ? "" : `: ${why}`}`;

/** Returns how a run ended as it is said of its elements that never began. */
export function sayRunOver({ state, reason, cancelled_by }: RunOver): string {
  if (state === "cancelled" && cancelled_by !== null) return `its run was cancelled by ${cancelled_by}`;
  return `its run ${state === "cancelled" ? "was cancelled" : state}${reason === null ? "" : `: ${reason}`}`;
}

interface RunOver {
  readonly state: string;
  readonly reason: string | null;
  readonly cancelled_by: string | null;
}

/** Returns the commands that say more. `asked` is what they are asked for. What never began has no output. */
export const overHint = (asked: string, began: boolean): string =>
  began ? `orch show ${asked} says how it ended, orch logs ${asked} what it printed` : `orch show ${asked} says more`;

interface Element {
  readonly state: string;
  readonly exit_code: number | null;
  readonly signal: string | null;
  readonly cause: EndCause | null;
}

/** Returns whether an element of an array has ended and is not tried again. */
export const isElementOver = ({ state }: Pick<Element, "state">): boolean =>
  state !== "pending" && state !== "assigned";

/** Returns how an element ended: `exit 3`, `killed by KILL`, `lost`; null if it is not over or has succeeded. */
export function sayElementOver({ state, exit_code, signal, cause }: Element): string | null {
  if (state === "succeeded" || !isElementOver({ state })) return null;
  const why = cause === null ? "" : `: ${sayElementEnd(exit_code ?? signal ?? state, cause)}`;
  if (signal !== null) return `killed by ${signal}${why}`;
  return exit_code === null ? state : `exit ${exit_code}${why}`;
}

/** Returns the name of an element without the number of its attempt. */
export const elementName = (name: string): string => name.slice(0, 100).replace(/#\d+$/, "");

/**
 * Returns what is said of an earlier attempt of an element, of which only the last end is kept; null if the attempt is
 * the last one, or the one that it is in. `had`: how many have ended.
 */
export function sayEarlier(name: string, attempt: number, had: number, isOver: boolean): string | null {
  if (attempt > had || (attempt === had && isOver)) return null;
  const then = isOver || attempt < had ? `was followed by attempt ${attempt + 1}` : "is followed by another one";
  const kept = "how it ended is not kept, only how the last one did";
  return `attempt ${attempt} of ${name} has not succeeded, and ${then}; ${kept}`;
}

export const earlierHint = (name: string, attempt: number): string =>
  `orch logs ${name}#${attempt} shows what it printed, orch show ${name} the last one`;

/** What nobody but a node knows of the elements that were handed to it. */
export const ONLY_ITS_NODE = "and which of its elements run now only that node knows";
