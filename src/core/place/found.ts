// A failed check as the planner finds it: what people read of one node, and what can be summed up over many nodes.

import type { Check } from "../pass/snapshot";
import type { RequestChange } from "./request-changes";

export interface Found extends Check {
  /** Words for several nodes: `have no card with 24 GB`. Equal reasons are counted together. */
  readonly reason: string;
  /** How near this node comes. The nearest node is shown behind the reason: `largest 16 GB`. */
  readonly best: { readonly value: number; readonly text: string } | null;
  /** The change to the request with which the check holds now; null if none helps. */
  readonly change: RequestChange | null;
  /** The change with which it can ever hold, where that asks less of the user. */
  readonly ever: RequestChange | null;
}

/** Words a failed check. */
export type Tell = () => Found;

const SINGULAR: Readonly<Record<string, string>> = {
  have: "has",
  are: "is",
  lack: "lacks",
  take: "takes",
  wait: "waits",
  do: "does",
};

/** Turns words for several nodes into words for one: `have no card` becomes `has no card`. */
export function singular(reason: string): string {
  const space = reason.indexOf(" ");
  return (SINGULAR[reason.slice(0, space)] ?? reason.slice(0, space)) + reason.slice(space);
}

/** Completes a failed check. Its detail is the reason in words for one node, unless that node has more to say. */
export function found(check: string, reason: string, rest: Partial<Omit<Found, "check" | "reason">> = {}): Found {
  const { best = null, hopeless = false, change = null, ever = change, devices = [] } = rest;
  const detail = rest.detail ?? singular(reason) + (best === null ? "" : ` (${best.text})`);
  return { check, reason, detail, hopeless, devices, best, change, ever };
}
