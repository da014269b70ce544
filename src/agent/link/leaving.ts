// That this node is about to leave, as its connection tells the server, and the server's answers.

import type { LeavingNote } from "../../wire/agent";
import type { Leave, ServerLink, ServerHandlers } from "./link";

export const LEAVING: ServerHandlers<"noted"> = {
  noted: (link, { leaving }) => link.options.noted(leaving),
};

/** The time that is left goes over the wire, since both sides have clocks of their own. */
export function noteOf({ options }: ServerLink, leave: Leave | null): LeavingNote | null {
  if (leave === null) return null;
  const { until_ms, gone, why } = leave;
  const in_ms = until_ms === null ? null : Math.max(0, Math.round(until_ms - options.clock()));
  return { in_ms, gone, why };
}

/** Tells whether this node leaves, if that is not as it was told last. */
export function tellLeave(link: ServerLink): void {
  const leave = link.options.leaving();
  const before = link.told.leave;
  if (leave?.until_ms === before?.until_ms && leave?.why === before?.why) return;
  link.told.leave = leave;
  link.send({ type: "leaving", leaving: noteOf(link, leave) });
}

/** Asks to be forgotten; what it says counts only while it is connected. */
export function sayFarewell(link: ServerLink): void {
  if (link.phase === "live") link.send({ type: "farewell" });
}
