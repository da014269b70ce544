// Arrays: how far a run of many elements is, and what became of each.

import { z } from "zod";
import { int } from "../scalars";
import { endCause, list } from "./answers";

/** How many elements of an array are over. */
export const arrayProgress = z.object({
  total: int.describe("how many elements it has"),
  succeeded: int,
  failed: int.describe("that ended by themselves and have not succeeded"),
  stopped: int.describe("that were stopped with their run"),
  unknown: int.describe("of whose end nothing is known, or that were lost with their nodes too often"),
});

export const arrayView = arrayProgress.extend({
  elements: z.string().describe("their numbers, as they were asked for: `0-99%8`"),
  again: int.describe("that are to be tried again"),
  running: int.describe("how many run at once now; what a node gives up, as it finds no further one, is not in it"),
});

export const ELEMENT_STATES = [
  "pending",
  "assigned",
  "succeeded",
  "failed",
  "stopped",
  "unknown",
  "lost",
  "cancelled",
] as const;

export const elementView = z
  .object({
    slot: int.describe("its number, which it finds as `ORCH_SLOT`"),
    state: z
      .enum(ELEMENT_STATES)
      .describe(
        "`pending` waits to be handed out, `assigned` is at a node: it runs, or is soon to; the others are over. " +
          "`cancelled`: its run was over before it was",
      ),
    exit_code: z.int().nullable(),
    signal: z.string().nullable().describe("that ended it"),
    cause: endCause.nullable().describe("why it ended, where its code or signal does not say it"),
    attempts: int
      .nullable()
      .describe("how many attempts have ended, of which the last is told here; null from servers of earlier releases"),
  })
  .meta({ id: "Element" });
export type ElementView = z.infer<typeof elementView>;

export const elementsAnswer = list("elements", elementView);
