// Nodes: views, and what people may ask of one.

import { z } from "zod";
import { amounts, nodeLimits, taint } from "../nouns";
import { testingView, testsView } from "../node-tests";
import { nodeState, drainView } from "./drains";
import { int, ms } from "../scalars";
import { deviceView } from "./devices";

export const capacity = amounts.omit({ countables: true });

export const nodeView = z
  .object({
    id: z.string(),
    name: z.string(),
    state: nodeState,
    pool: z.string(),
    labels: z.record(z.string(), z.string()),
    taints: z.array(z.object({ key: z.string(), value: z.string(), effect: z.string() })),
    agent_version: z.string(),
    last_seen_ms: ms.nullable(),
    clock_skew_ms: z
      .int()
      .nullable()
      .describe("how far its wall clock is ahead of the server's, as its heartbeats measure it; null if not known"),
    unable: z.string().nullable().describe("why its agent can begin no task now; null if it can"),
    reason: z.string().nullable().describe("why it is in this state, for people"),
    drain: drainView.nullable(),
    capacity: capacity.describe("what it has to give away"),
    reserved: capacity.describe("the sum of promises to living tasks and orphans"),
    devices: z.array(deviceView),
    facts: z.record(z.string(), z.union([z.string(), z.number()]).nullable()).describe("what its machine is"),
    limits: nodeLimits
      .nullable()
      .describe("how limits hold on it: enforced, watched or counted; null if its agent did not report it"),
    testing: testingView
      .nullable()
      .describe("the tests that it has to pass before it gets work; null if none are under way"),
    tests: testsView.nullable().describe("its newest tests"),
    foreign_tasks: z
      .array(z.object({ name: z.string(), pid: int, data: z.string(), since_ms: ms, memory_bytes: int }))
      .describe("living tasks of agents that were removed from this machine; they are named, and not counted"),
    unmatched: z
      .array(z.string())
      .default([])
      .describe("tasks that run to their end although its labels, taints or pool no longer match, by name"),
    repelled: z
      .array(z.string())
      .default([])
      .describe("tasks that leave it since a taint with the effect `no_execute` moves them away, by name"),
    orphans: z
      .array(z.object({ id: z.string(), name: z.string(), pid: int.nullable() }))
      .describe("tasks that it has and the server does not know"),
    joined_by: z.string().nullable().describe("the id of the token that it joined with"),
    identity: z
      .object({ key: z.string(), fingerprint: z.string() })
      .nullable()
      .describe("its key, shortened, and its machine's fingerprint; null for those who are no operators"),
    waiting: z
      .object({
        key: z.string(),
        fingerprint: z.string(),
        hostname: z.string(),
        address: z.string(),
        token_id: z.string(),
        asked_ms: ms,
      })
      .nullable()
      .describe("the key that asks to speak for it and waits for `approve`; null if none does, and for no operators"),
  })
  .meta({ id: "Node" });
export type NodeView = z.infer<typeof nodeView>;

export const drainRequest = z
  .object({
    deadline_ms: int.nullable().default(null).describe("a Unix time at which the rest is stopped; left out: never"),
    reason: z.string().nullable().default(null).describe("for people"),
  })
  .meta({ examples: [{ reason: "new disk" }] });

export const labelRequest = z
  .object({
    set: z.record(z.string(), z.string()).default({}),
    remove: z.array(z.string()).default([]).describe("keys"),
  })
  .meta({ examples: [{ set: { zone: "a" } }] });

export const taintRequest = z
  .object({
    set: z.array(taint).default([]),
    remove: z.array(z.string()).default([]).describe("keys"),
  })
  .meta({ examples: [{ set: [{ key: "team", value: "vision", effect: "prefer_not" }] }] });

export const approveRequest = z
  .object({
    key: z
      .string()
      .nullable()
      .default(null)
      .describe("the waiting key as the operator was shown it; left out: whichever waits"),
  })
  .meta({ examples: [{}] });

export const forgetRequest = z
  .object({
    fenced: z
      .boolean()
      .default(false)
      .describe("the caller vouches that the machine is off: proof that its tasks are lost"),
    revoke: z
      .boolean()
      .default(false)
      .describe("also if the node is connected: its key is refused from now on, whatever it still runs"),
  })
  .meta({ examples: [{ fenced: true }] });
