// States of nodes and their drains, as the API shows them.

import { z } from "zod";
import { NODE_STATES } from "../../core/model/lifecycle";
import { ms, title } from "../scalars";

export const nodeState = z.enum(NODE_STATES);

/** Why a node is kept free, since when and until when. */
export const drainView = z
  .object({
    since_ms: ms,
    deadline_ms: ms.nullable().describe("when the rest is stopped"),
    by: z.string(),
    reason: z.string().nullable(),
    leaves: z.boolean().describe("its own agent said that the machine goes"),
  })
  .meta({ id: "Drain" });

/** The progress of a drain: the tasks that are still on the node, and what each waits for. */
export const drainProgress = z.object({
  node: z.string(),
  state: nodeState,
  drain: drainView.nullable(),
  left: z
    .array(
      z.object({ task_id: z.string(), name: z.string(), title, kind: z.string(), state: z.string(), why: z.string() }),
    )
    .describe("the tasks that are still there, and what each waits for"),
});
export type DrainProgress = z.infer<typeof drainProgress>;
