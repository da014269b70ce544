// Plans and explanations: operations, what must wait, and why.

import { z } from "zod";
import { WHY_GOES } from "../../core/model/slots";
import { int, title } from "../scalars";

/** What would end a wait, one entry a way. */
export const smallest_changes = z
  .array(
    z.object({
      changes: z.array(z.string()).describe("in words; all of them are needed"),
      outcome: z
        .enum(["runs", "waits"])
        .nullable()
        .describe("planned: it runs now, or could run and waits for room; null for a command to type"),
    }),
  )
  .default([])
  .describe("what would end the wait, what costs least first; empty from a server of an earlier release");

export const blockedView = z
  .object({
    name: z.string(),
    title,
    slot: int,
    kind: z
      .enum(["queued", "unsatisfiable"])
      .describe("time may help; or no known node can do it as it is, whatever ends there"),
    stuck: z
      .boolean()
      .default(false)
      .describe("it goes on only if somebody changes something; false from a server of an earlier release"),
    summary: z.string(),
    smallest_change: z.string().nullable().describe("what of the request would have to change, in one text"),
    smallest_changes,
    nodes: z.array(
      z.object({
        node: z.string(),
        checks: z
          .array(
            z.object({
              check: z.string(),
              detail: z.string(),
              hopeless: z.boolean().describe("the node as it is cannot run this, whatever else ends"),
              devices: z
                .array(z.object({ id: z.string(), why: z.string(), detail: z.string() }))
                .describe("for the check `gpu`: cards of the right kind that are not available"),
            }),
          )
          .describe("that failed"),
      }),
    ),
  })
  .meta({ id: "Blocked" });

export type BlockedView = z.infer<typeof blockedView>;

export const opView = z.object({
  op: z.string(),
  task: z.string(),
  title,
  node: z.string().nullable(),
  devices: z.array(z.string()),
  why: z.string(),
  own: z
    .boolean()
    .default(true)
    .describe("whether it is of the app that the spec declares; the others are what the cluster does beside it"),
  project: z.string().nullable().default(null).describe("whose task or run it is; null for a node"),
});

/** A key of the spec file whose value changes. */
export const diffField = z.object({
  key: z.string().describe("as the spec file has it: `resources.gpu`"),
  before: z.string().nullable().describe("as the spec file has it; null: it is not there"),
  after: z.string().nullable(),
  hidden: z.boolean().describe("the values look like secrets and are left out: empty texts stand for them"),
  acts: z
    .enum(["new_version", "now", "next_attempt", "next_run"])
    .nullable()
    .describe("when: with the new version, or in place; null: not known"),
});

export const changeView = z.object({
  name: z.string(),
  change: z.enum(["add", "change", "restart", "remove", "run", "none"]),
  detail: z.string(),
});

/** A replica that goes since its service is scaled down, and why this one. */
export const goingView = z
  .object({
    name: z.string(),
    slot: int,
    why: z
      .enum(WHY_GOES)
      .describe(
        "in the order in which they go: it has no task; its task keeps crashing; it has to leave its node, or its " +
          "node is silent; it has not run for long; it has the highest number of equal ones",
      ),
    running: z.boolean().default(false).describe("whether a task of it runs, which is then stopped"),
    detail: z.string().describe("the reason in words, with the replica as `it`"),
  })
  .meta({ id: "Going" });
export type GoingView = z.infer<typeof goingView>;

const goes = z
  .array(goingView)
  .default([])
  .describe("replicas that go since a service has fewer, and why these; empty from a server of an earlier release");

export const planView = z.object({
  revision: int.describe("of the app; to be sent with the apply of this plan"),
  ops: z.array(opView).describe("what would be started, stopped and moved now"),
  later: z
    .array(z.string())
    .default([])
    .describe("replicas of the app that a roll-out replaces later, by name; empty from a server of an earlier release"),
  blocked: z.array(blockedView).describe("what would have to wait"),
  changes: z
    .array(
      changeView.extend({
        version: int.nullable().default(null).describe("the new version; null: it keeps its own, or is the first"),
        fields: z
          .array(diffField)
          .default([])
          .describe("key by key; empty for what is new or goes, and from a server of an earlier release"),
      }),
    )
    .describe("what the spec itself changes: one entry an object"),
  goes,
  notices: z.array(z.string()),
});
export type PlanView = z.infer<typeof planView>;

export const explainView = z.union([
  blockedView.extend({
    others: z
      .array(blockedView)
      .default([])
      .describe("other slots of a workload that wait, at most 100; empty from a server of an earlier release"),
  }),
  z.object({
    placed: z.object({
      task_id: z
        .string()
        .nullable()
        .default(null)
        .describe("the task that is there; null from a server of an earlier release"),
      node: z.string(),
      scores: z.array(
        z.object({
          node: z.string(),
          total: z.number(),
          parts: z.record(z.string(), z.number()),
        }),
      ),
      devices: z
        .array(z.object({ id: z.string(), why: z.string() }))
        .describe("why the task has the cards that it has"),
    }),
  }),
]);
export type ExplainView = z.infer<typeof explainView>;
