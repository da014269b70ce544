// Nodes: views, and what people may ask of one.

import { z } from "zod";
import { amounts, nodeLimits, taint } from "../nouns";
import { testingView, testsView } from "../node-tests";
import { nodeState, drainView } from "./drains";
import { int, ms } from "../scalars";
import { deviceView } from "./devices";

export const capacity = amounts.omit({ countables: true });

export const nodeView = z.object({
  id: z.string(),
  name: z.string(),
  state: nodeState,
  pool: z.string(),
  labels: z.record(z.string(), z.string()),
  taints: z.array(z.object({ key: z.string(), value: z.string(), effect: z.string() })),
  agent_version: z.string(),
  last_seen_ms: ms.nullable(),
  /** How far its wall clock is ahead of the server's, as its heartbeats measure it. Null if that is not known. */
  clock_skew_ms: z.int().nullable(),
  /** Why its agent can begin no task now; null if it can. */
  unable: z.string().nullable(),
  reason: z.string().nullable(),
  drain: drainView.nullable(),
  /** `reserved` is the sum of promises to living tasks and orphans. */
  capacity,
  reserved: capacity,
  devices: z.array(deviceView),
  facts: z.record(z.string(), z.union([z.string(), z.number()]).nullable()),
  /** How limits hold on the node: enforced, watched or counted. Null if its agent did not report it. */
  limits: nodeLimits.nullable(),
  /** The tests that the node has to pass before it gets work, or again. Null if none are under way. */
  testing: testingView.nullable(),
  /** The node's newest tests. */
  tests: testsView.nullable(),
  /** Living tasks of agents that were removed from this machine. They are named, and not counted. */
  foreign_tasks: z.array(z.object({ name: z.string(), pid: int, data: z.string(), since_ms: ms, memory_bytes: int })),
  orphans: z.array(z.object({ id: z.string(), name: z.string(), pid: int.nullable() })),
  /** The id of the token that the node joined with. */
  joined_by: z.string().nullable(),
  /** The node's key, shortened for people, and its machine's fingerprint. Null for those who are no operators. */
  identity: z.object({ key: z.string(), fingerprint: z.string() }).nullable(),
  /** The key that asks to speak for the node and waits for `approve`. Null if none does, and for no operators. */
  waiting: z
    .object({
      key: z.string(),
      fingerprint: z.string(),
      hostname: z.string(),
      address: z.string(),
      token_id: z.string(),
      asked_ms: ms,
    })
    .nullable(),
});
export type NodeView = z.infer<typeof nodeView>;

export const drainRequest = z.object({ deadline_ms: int.nullable(), reason: z.string().nullable() });

export const labelRequest = z.object({ set: z.record(z.string(), z.string()), remove: z.array(z.string()) });

export const taintRequest = z.object({
  set: z.array(taint),
  remove: z.array(z.string()),
});

/** `key`: the waiting key as the operator was shown it. Null approves whichever waits. */
export const approveRequest = z.object({ key: z.string().nullable() });

export const forgetRequest = z.object({
  /** The operator vouches that the machine is off. That is proof that its tasks are lost. */
  fenced: z.boolean(),
  /** Also if the node is connected: its key is refused from now on, whatever it still runs. */
  revoke: z.boolean().default(false),
});
