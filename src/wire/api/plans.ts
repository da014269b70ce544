// Plans and explanations: operations, what must wait, and why.

import { z } from "zod";
import { int } from "../scalars";

export const blockedView = z.object({
  name: z.string(),
  slot: int,
  kind: z.enum(["queued", "unsatisfiable"]),
  summary: z.string(),
  smallest_change: z.string().nullable(),
  nodes: z.array(
    z.object({
      node: z.string(),
      /** `hopeless`: the node can never run this, whatever else ends. */
      checks: z.array(
        z.object({
          check: z.string(),
          detail: z.string(),
          hopeless: z.boolean(),
          /** For the check `gpu`: cards of the right kind that are not available, each with its reason. */
          devices: z.array(z.object({ id: z.string(), why: z.string(), detail: z.string() })),
        }),
      ),
    }),
  ),
});

export type BlockedView = z.infer<typeof blockedView>;

export const opView = z.object({
  op: z.string(),
  task: z.string(),
  node: z.string().nullable(),
  devices: z.array(z.string()),
  why: z.string(),
});

export const planView = z.object({
  revision: int,
  ops: z.array(opView),
  blocked: z.array(blockedView),
  /** What the spec itself changes, in words: one entry per object. */
  changes: z.array(
    z.object({
      name: z.string(),
      change: z.enum(["add", "change", "restart", "remove", "run", "none"]),
      detail: z.string(),
    }),
  ),
  notices: z.array(z.string()),
});
export type PlanView = z.infer<typeof planView>;

export const explainView = z.union([
  blockedView,
  z.object({
    placed: z.object({
      node: z.string(),
      scores: z.array(
        z.object({
          node: z.string(),
          total: z.number(),
          parts: z.record(z.string(), z.number()),
        }),
      ),
      /** Why the task has the cards that it has. */
      devices: z.array(z.object({ id: z.string(), why: z.string() })),
    }),
  }),
]);
export type ExplainView = z.infer<typeof explainView>;
