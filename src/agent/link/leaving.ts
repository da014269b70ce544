// The messages of a connection about a node that leaves, and the handlers of the server's answers.

import type { LeavingNote } from "../../wire/agent";
import type { Leave, ServerLink, ServerHandlers } from "./link";

export const LEAVING: ServerHandlers<"noted"> = {
  noted: (link, { leaving }) => link.options.noted(leaving),
};

/**
 * Returns the note about a leave, or null. The note contains the time that is left, not a moment, since the two sides
 * have different clocks.
 */
export function noteOf({ options }: ServerLink, leave: Leave | null): LeavingNote | null {
  if (leave === null) return null;
  const { until_ms, gone, why } = leave;
  const in_ms = until_ms === null ? null : Math.max(0, Math.round(until_ms - options.clock()));
  return { in_ms, gone, why };
}

/** Reports whether this node leaves, if that has changed since the last report. */
export function tellLeave(link: ServerLink): void {
  const leave = link.options.leaving();
  const before = link.told.leave;
  if (leave?.until_ms === before?.until_ms && leave?.why === before?.why) return;
  link.told.leave = leave;
  link.send({ type: "leaving", leaving: noteOf(link, leave) });
}

/** Asks the server to forget this node, if the server has welcomed this connection. */
export function sayFarewell(link: ServerLink): void {
  if (link.phase === "live") link.send({ type: "farewell" });
}
