// Runs: views, and requests to make, cancel, retry and settle them.

import { z } from "zod";
import { RUN, type RunState } from "../../core/model/lifecycle";
import { int, ms } from "../scalars";
import { endCause, taskView } from "./tasks";

export const runView = z.object({
  run: int,
  name: z.string(),
  project: z.string(),
  user: z.string(),
  priority: z.int(),
  state: z.enum(Object.keys(RUN) as [RunState, ...RunState[]]),
  position: int.nullable(),
  ahead_gpu_hours: z.number().nullable(),
  start_estimate_ms: ms.nullable(),
  reason: z.string().nullable(),
  app: z.string().nullable(),
  workload: z.string().nullable(),
  version: int,
  /** The longest time of one attempt; null is no limit. */
  time_limit_ms: int.nullable(),
  created_ms: ms,
  started_ms: ms.nullable(),
  finished_ms: ms.nullable(),
  exit_code: z.int().nullable(),
  signal: z.string().nullable(),
  /** Why it ended so, where the exit code and the signal do not say it. */
  cause: endCause.nullable(),
  cancelled_by: z.string().nullable(),
  /** How many of its members have an end that nobody knows and about which a person has to decide. */
  unknown: int,
});
export type RunView = z.infer<typeof runView>;

/** `next` asks for older tasks of a run that has many. */
export const runDetail = runView.extend({ tasks: z.array(taskView), next: z.string().nullable() });
export type RunDetail = z.infer<typeof runDetail>;

export const runRequest = z.object({
  name: z.string().nullable(),
  project: z.string().nullable(),
  /** One job entry in the spec file's grammar, as an object: the same keys, the same checks. */
  job: z.record(z.string(), z.unknown()),
  wait_for_nodes: z.boolean(),
});

export const runAnswer = z.object({ run: int, name: z.string(), state: z.string() });

export const settleRequest = z.object({ as: z.enum(["succeeded", "failed"]) });

export const cancelRequest = z.object({ signal: z.string().nullable() });
