// The JSON documents of the contract, written by hand from the product's page alone: what another program may rely on.
// Additional fields are allowed; missing or different ones are not.

import { z } from "zod";

const str = z.string().min(1);
const count = z.int().nonnegative();
const ms = z.int().min(1_500_000_000_000);
const nullable = { str: str.nullable(), count: count.nullable(), ms: ms.nullable(), number: z.number().nullable() };

const AMOUNTS = z.object({ cpu_milli: count, memory_bytes: count, disk_bytes: count });
const NODE_STATES = [
  "joining",
  "testing",
  "ready",
  "draining",
  "drained",
  "quarantined",
  "unreachable",
  "lost",
] as const;
const TASK_STATES = ["pending", "assigned", "preparing", "starting", "running", "stopping"] as const;
export const FINAL_STATES = ["succeeded", "failed", "stopped", "rejected", "lost"] as const;
const RUN_STATES = ["queued", "waiting", "running", "succeeded", "failed", "cancelled"] as const;

const DEVICE = z.object({
  id: str,
  vendor: str,
  model: str,
  memory_bytes: count,
  state: str,
  reason: nullable.str,
  task_ids: z.array(str),
});
export const NODES = z.object({
  nodes: z.array(
    z.object({
      id: str,
      name: str,
      state: z.enum(NODE_STATES),
      pool: str,
      labels: z.record(str, z.string()),
      taints: z.array(z.object({ key: str, value: z.string(), effect: str })),
      agent_version: str,
      last_seen_ms: nullable.ms,
      reason: nullable.str,
      capacity: AMOUNTS,
      reserved: AMOUNTS,
      devices: z.array(DEVICE),
    }),
  ),
});
export const GPUS = z.object({
  devices: z.array(
    DEVICE.extend({
      node: str,
      index: count,
      pci: nullable.str,
      driver: nullable.str,
      links: z.array(z.object({ id: str, kind: str })),
      promised: z.array(z.object({ task_id: str, task: str, user: nullable.str, memory_bytes: nullable.count })),
      foreign_bytes: count,
      reading: z
        .object({
          age_ms: count,
          stale: z.boolean(),
          memory_used_bytes: nullable.count,
          processes: z.array(z.unknown()),
        })
        .nullable(),
    }),
  ),
});
export const TASKS = z.object({
  tasks: z.array(
    z.object({
      id: nullable.str,
      name: str,
      project: str,
      user: str,
      app: nullable.str,
      workload: str,
      kind: z.enum(["service", "job", "daemon"]),
      version: count.min(1),
      run: nullable.count,
      slot: count,
      attempt: count.min(1),
      node: nullable.str,
      desired: str,
      state: z.enum([...TASK_STATES, ...FINAL_STATES]),
      reason: nullable.str,
      health: nullable.str,
      pid: nullable.count,
      exit_code: nullable.count,
      signal: nullable.str,
      devices: z.array(str),
      ports: z.record(str, count),
      peak_memory_bytes: nullable.count,
      created_ms: ms,
      started_ms: nullable.ms,
      finished_ms: nullable.ms,
    }),
  ),
});
export const BLOCKED = z.object({
  name: str,
  slot: count,
  kind: z.enum(["queued", "unsatisfiable"]),
  summary: str,
  smallest_change: nullable.str,
  smallest_changes: z.array(z.object({ changes: z.array(str), outcome: z.enum(["runs", "waits"]).nullable() })),
  nodes: z.array(
    z.object({
      node: str,
      checks: z.array(
        z.object({
          check: str,
          detail: str,
          hopeless: z.boolean(),
          devices: z.array(z.object({ id: str, why: str, detail: str })),
        }),
      ),
    }),
  ),
});
export const PLAN = z.object({
  revision: count,
  ops: z.array(z.object({ op: str, task: z.string(), node: nullable.str, devices: z.array(str), why: str })),
  blocked: z.array(BLOCKED),
});
export const QUEUE = z.object({
  runs: z.array(
    z.object({
      run: count.min(1),
      name: str,
      project: str,
      user: str,
      priority: z.int(),
      state: z.enum(RUN_STATES),
      position: nullable.count,
      ahead_gpu_hours: nullable.number,
      start_estimate_ms: nullable.ms,
      reason: nullable.str,
    }),
  ),
});
export const PLACED = z.object({
  placed: z.object({ node: str, scores: z.array(z.unknown()), devices: z.array(z.object({ id: str, why: str })) }),
});
export const TOKEN = z.object({
  id: str,
  role: str,
  user: nullable.str,
  token: str,
  expires_ms: nullable.ms,
  join: nullable.str,
});
