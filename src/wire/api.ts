// The HTTP API as schemas: requests, responses, errors. Server, CLI, page, tests and the OpenAPI document share these.

import { z } from "zod";
import { nodeLimits } from "./nouns";
import { drainView, nodeState } from "./drains";
import { testingView, testsView } from "./node-tests";

const ms = z.int();
const int = z.int().nonnegative();

/** Stable codes of refusals; the HTTP status and the CLI's exit code follow from them. */
export const ERROR_STATUS = {
  bad_request: 400,
  spec: 422,
  unsatisfiable: 422,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  changed_meanwhile: 409,
  key_reused: 409,
  gone: 410,
  too_large: 413,
  unsupported: 415,
  wrong_host: 421,
  too_many: 429,
  internal: 500,
  unavailable: 503,
  storage_full: 507,
} as const;
export type ErrorCode = keyof typeof ERROR_STATUS;

/** One thing that is wrong with a text, with its place. Lines and columns count from 1; 0: no place. */
export const issue = z.object({
  line: int,
  column: int,
  path: z.string(),
  message: z.string(),
  hint: z.string().nullable(),
});
export type Issue = z.infer<typeof issue>;

export const errorBody = z.object({
  error: z.object({
    code: z.enum(Object.keys(ERROR_STATUS) as [ErrorCode, ...ErrorCode[]]),
    message: z.string(),
    hint: z.string().nullable(),
    issues: z.array(issue),
  }),
});
export type ErrorBody = z.infer<typeof errorBody>;

export const capacity = z.object({ cpu_milli: int, memory_bytes: int, disk_bytes: int });

export const deviceView = z.object({
  id: z.string(),
  vendor: z.string(),
  model: z.string(),
  memory_bytes: int,
  state: z.string(),
  reason: z.string().nullable(),
  /** When the state last changed. */
  state_ms: ms,
  /** The card that this one is a part of. */
  parent: z.string().nullable(),
  task_ids: z.array(z.string()),
});

export const nodeView = z.object({
  id: z.string(),
  name: z.string(),
  state: nodeState,
  pool: z.string(),
  labels: z.record(z.string(), z.string()),
  taints: z.array(z.object({ key: z.string(), value: z.string(), effect: z.string() })),
  agent_version: z.string(),
  last_seen_ms: ms.nullable(),
  reason: z.string().nullable(),
  drain: drainView.nullable(),
  /** `reserved` is what living tasks were promised, orphans included. */
  capacity,
  reserved: capacity,
  devices: z.array(deviceView),
  facts: z.record(z.string(), z.union([z.string(), z.number()]).nullable()),
  /** How limits hold there: enforced, watched or counted; `null`: its agent did not tell. */
  limits: nodeLimits.nullable(),
  /** The tests that it has to pass before it gets work, or has to pass again; `null`: none are under way. */
  testing: testingView.nullable(),
  /** Its newest tests. */
  tests: testsView.nullable(),
  orphans: z.array(z.object({ id: z.string(), name: z.string(), pid: int.nullable() })),
});
export type NodeView = z.infer<typeof nodeView>;

export const taskState = z.enum([
  "pending",
  "assigned",
  "preparing",
  "starting",
  "running",
  "stopping",
  "succeeded",
  "failed",
  "stopped",
  "rejected",
  "lost",
]);

export const taskView = z.object({
  /** `null` while pending: what waits is a slot, not yet a task. */
  id: z.string().nullable(),
  name: z.string(),
  project: z.string(),
  user: z.string(),
  app: z.string().nullable(),
  workload: z.string(),
  kind: z.enum(["service", "job", "daemon"]),
  version: int,
  run: int.nullable(),
  slot: int,
  member: int,
  attempt: int,
  node: z.string().nullable(),
  desired: z.enum(["prepare", "run", "stop"]),
  state: taskState,
  reason: z.string().nullable(),
  health: z.string().nullable(),
  pid: int.nullable(),
  exit_code: z.int().nullable(),
  signal: z.string().nullable(),
  devices: z.array(z.string()),
  ports: z.record(z.string(), int),
  peak_memory_bytes: int.nullable(),
  created_ms: ms,
  started_ms: ms.nullable(),
  finished_ms: ms.nullable(),
});
export type TaskView = z.infer<typeof taskView>;

export const runView = z.object({
  run: int,
  name: z.string(),
  project: z.string(),
  user: z.string(),
  priority: z.int(),
  state: z.enum(["queued", "waiting", "running", "succeeded", "failed", "cancelled"]),
  position: int.nullable(),
  ahead_gpu_hours: z.number().nullable(),
  start_estimate_ms: ms.nullable(),
  reason: z.string().nullable(),
  app: z.string().nullable(),
  workload: z.string().nullable(),
  version: int,
  created_ms: ms,
  started_ms: ms.nullable(),
  finished_ms: ms.nullable(),
  exit_code: z.int().nullable(),
  signal: z.string().nullable(),
});
export type RunView = z.infer<typeof runView>;

export const blockedView = z.object({
  name: z.string(),
  slot: int,
  kind: z.enum(["queued", "unsatisfiable"]),
  summary: z.string(),
  smallest_change: z.string().nullable(),
  nodes: z.array(
    z.object({
      node: z.string(),
      /** `hopeless`: this node can never do it, whatever ends. */
      checks: z.array(
        z.object({
          check: z.string(),
          detail: z.string(),
          hopeless: z.boolean(),
          /** Of the check `gpu`: the cards of the right kind that are not to be had, each with its reason. */
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
  /** What the spec itself changes, in words: one line an object. */
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
      /** Why it has the cards that it has. */
      devices: z.array(z.object({ id: z.string(), why: z.string() })),
    }),
  }),
]);
export type ExplainView = z.infer<typeof explainView>;

export const eventView = z.object({
  id: z.string(),
  at_ms: ms,
  actor: z.string(),
  verb: z.string(),
  object: z.string(),
  project: z.string().nullable(),
  detail: z.string(),
});
export type EventView = z.infer<typeof eventView>;

export const userView = z.object({
  name: z.string(),
  role: z.string(),
  unix_user: z.string(),
  project: z.string(),
  created_ms: ms,
});
export const tokenView = z.object({
  id: z.string(),
  role: z.string(),
  user: z.string().nullable(),
  created_ms: ms,
  expires_ms: ms.nullable(),
  state: z.enum(["valid", "expired", "revoked"]),
});

export const healthView = z.object({ status: z.literal("ok"), version: z.string() });
export const meView = z.object({
  user: z.string(),
  role: z.string(),
  project: z.string(),
  unix_user: z.string(),
  token_id: z.string(),
  cluster_id: z.string(),
  revision: int,
});
export type MeView = z.infer<typeof meView>;

export const workloadView = z.object({
  name: z.string(),
  app: z.string(),
  project: z.string(),
  user: z.string(),
  kind: z.enum(["service", "job", "daemon"]),
  version: int,
  replicas: int,
  removing: z.boolean(),
  /** Tasks that run now, and slots that wait. */
  running: int,
  pending: int,
  last_run: z.object({ run: int, state: z.string() }).nullable(),
});
export type WorkloadView = z.infer<typeof workloadView>;

export const workloadDetail = workloadView.extend({
  /** What it runs and how; `null` for those who may not see its environment. */
  spec: z.record(z.string(), z.unknown()).nullable(),
  settings: z.record(z.string(), z.unknown()),
  tasks: z.array(taskView),
});
export type WorkloadDetail = z.infer<typeof workloadDetail>;

export const appView = z.object({
  name: z.string(),
  project: z.string(),
  revision: int,
  changed_by: z.string(),
  changed_ms: ms,
  removing: z.boolean(),
  workloads: z.array(workloadView),
});
export type AppView = z.infer<typeof appView>;

/** `text` is the spec as applied; `null` for those who may not see its environment. */
export const appDetail = appView.extend({ text: z.string().nullable() });
export type AppDetail = z.infer<typeof appDetail>;

export const runDetail = runView.extend({ tasks: z.array(taskView) });
export type RunDetail = z.infer<typeof runDetail>;

/** Lists are named arrays; `next` continues a long one. */
export const list = <N extends string, T extends z.ZodType>(name: N, item: T) =>
  z.object({ [name]: z.array(item), next: z.string().nullable() } as Record<N, z.ZodArray<T>> & {
    next: z.ZodNullable<z.ZodString>;
  });

// ---- requests

/** `PUT /v1/apps/{project}/{app}` and `POST /v1/plan`: the spec's text travels, the server has the one parser. */
export const applyRequest = z.object({
  text: z.string(),
  file: z.string(),
  /** The app revision that the shown plan was made from; `null`: whatever is there; 0: it must be new. */
  revision: int.nullable(),
});
export const applyAnswer = z.object({
  app: z.string(),
  project: z.string(),
  revision: int,
  runs: z.array(int),
  changes: planView.shape.changes,
});

/** A spec that has no issues: what it declares. One with issues is refused with code `spec`. */
export const validateRequest = z.object({ text: z.string(), file: z.string() });
export const validateAnswer = z.object({
  app: z.string(),
  project: z.string(),
  workloads: z.array(z.object({ name: z.string(), kind: z.string() })),
});

/** What a change that has no more to say answers. */
export const doneAnswer = z.object({ revision: int });

export const runRequest = z.object({
  name: z.string().nullable(),
  project: z.string().nullable(),
  /** One job entry of the spec file's grammar, as an object: the same keys, the same checks. */
  job: z.record(z.string(), z.unknown()),
  wait_for_nodes: z.boolean(),
});
export const runAnswer = z.object({ run: int, name: z.string(), state: z.string() });

export const scaleRequest = z.object({ replicas: int });
export const cancelRequest = z.object({ signal: z.string().nullable() });
export const drainRequest = z.object({ deadline_ms: int.nullable(), reason: z.string().nullable() });
export const labelRequest = z.object({ set: z.record(z.string(), z.string()), remove: z.array(z.string()) });
export const taintRequest = z.object({
  set: z.array(z.object({ key: z.string(), value: z.string(), effect: z.enum(["no_schedule", "prefer_not"]) })),
  remove: z.array(z.string()),
});
export const forgetRequest = z.object({
  /** The operator vouches that the machine is off: its tasks are lost on proof. */
  fenced: z.boolean(),
});
export const tokenRequest = z.object({
  /** `expires_ms` is a Unix time; `null`: never, or 24 h for agents. `user: null` is oneself; agents have none. */
  role: z.enum(["admin", "operator", "user", "viewer", "agent"]),
  user: z.string().nullable(),
  expires_ms: int.nullable(),
});
export const tokenAnswer = z.object({
  id: z.string(),
  role: z.string(),
  user: z.string().nullable(),
  token: z.string(),
  expires_ms: ms.nullable(),
  join: z.string().nullable(),
});
export const userRequest = z.object({
  name: z.string(),
  role: z.enum(["admin", "operator", "user", "viewer"]),
  unix_user: z.string().nullable(),
  project: z.string().nullable(),
});

/** One server-sent event of `GET /v1/watch`; `resync` tells a watcher to read everything afresh. */
export const watchEvent = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("task"), revision: int, task: taskView }),
  z.object({ kind: z.literal("run"), revision: int, run: runView }),
  z.object({ kind: z.literal("node"), revision: int, node: nodeView }),
  z.object({ kind: z.literal("event"), revision: int, event: eventView }),
  z.object({ kind: z.literal("resync"), revision: int }),
]);
export type WatchEvent = z.infer<typeof watchEvent>;
