// What a typed name means.

import { z } from "zod";
import { int } from "../scalars";

export const NAME_KINDS = ["run", "task", "workload", "app", "node", "card"] as const;
export type NameKind = (typeof NAME_KINDS)[number];

/** One thing that a name means. What a kind does not have is null. */
export const nameView = z.object({
  kind: z.enum(NAME_KINDS),
  name: z.string().describe("means this and nothing else: `lab/recs.api.0`, `123`, a node's name, a card's id"),
  project: z.string().nullable(),
  user: z.string().nullable(),
  app: z.string().nullable(),
  workload: z.string().nullable(),
  run: int.nullable(),
  state: z.string().nullable().describe("of the run, as its row has it"),
  slot: int.nullable(),
  member: int.nullable(),
  attempt: int.nullable(),
  task_id: z.string().nullable().describe("the short id of the task, if an id was typed"),
  array: z.boolean().default(false).describe("whether its run is an array, and a part of it an element"),
  node: z.string().nullable(),
});
export type NameView = z.infer<typeof nameView>;

export const namesAnswer = z.object({ names: z.array(nameView) });
