// Events, and the stream of changes.

import { z } from "zod";
import { int, ms, title } from "../scalars";
import { list } from "./answers";
import { taskView } from "./tasks";
import { runView } from "./runs";
import { nodeView } from "./nodes";

export const eventView = z
  .object({
    id: z.string(),
    at_ms: ms,
    actor: z.string().describe("the user, or `server` or `plan`"),
    verb: z.string(),
    object: z.string().describe("what it happened to"),
    title,
    run: int.nullable().default(null).describe("the number of the run that it concerns, or whose task"),
    project: z.string().nullable(),
    node: z.string().nullable().describe("the node that it concerns"),
    detail: z.string(),
  })
  .meta({ id: "Event" });
export type EventView = z.infer<typeof eventView>;

export const eventsAnswer = list("events", eventView).extend({
  subject: z
    .string()
    .nullable()
    .default(null)
    .describe("the name under which the events of the asked object are written, with its project"),
  run: int.nullable().default(null).describe("the run that was asked for"),
});

/** One server-sent event of `GET /v1/watch`. `resync` tells a watcher to read everything again. */
export const watchEvent = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("task"), revision: int, task: taskView }),
  z.object({ kind: z.literal("run"), revision: int, run: runView }),
  z.object({ kind: z.literal("node"), revision: int, node: nodeView }),
  z.object({ kind: z.literal("event"), revision: int, event: eventView }),
  z.object({ kind: z.literal("resync"), revision: int }),
]);
export type WatchEvent = z.infer<typeof watchEvent>;
