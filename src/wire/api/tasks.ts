// Tasks, and slots that wait, as `orch ps` shows them.

import { z } from "zod";
import { END_CAUSES, type EndCause } from "../../core/model/end";
import { TASK, type TaskState } from "../../core/model/lifecycle";
import { KINDS } from "../../core/model/workload";
import { int, ms } from "../scalars";

/** A slot that waits for its task is pending. */
export const taskState = z.enum(["pending", ...(Object.keys(TASK) as TaskState[])]);

export const endCause = z.enum(Object.keys(END_CAUSES) as [EndCause, ...EndCause[]]);

export const taskView = z.object({
  /** Null while the slot waits, since it has no task yet. */
  id: z.string().nullable(),
  name: z.string(),
  project: z.string(),
  user: z.string(),
  app: z.string().nullable(),
  workload: z.string(),
  kind: z.enum(KINDS),
  version: int,
  run: int.nullable(),
  slot: int,
  member: int,
  attempt: int,
  /** How often its slot has crashed in a row under this version, before this attempt; 0 for a task that has ended. */
  crashes: int,
  node: z.string().nullable(),
  desired: z.enum(["prepare", "run", "stop"]),
  state: taskState,
  reason: z.string().nullable(),
  health: z.string().nullable(),
  pid: int.nullable(),
  exit_code: z.int().nullable(),
  signal: z.string().nullable(),
  /** Why it ended so, where the exit code and the signal do not say it. */
  cause: endCause.nullable(),
  devices: z.array(z.string()),
  ports: z.record(z.string(), int),
  peak_memory_bytes: int.nullable(),
  created_ms: ms,
  started_ms: ms.nullable(),
  finished_ms: ms.nullable(),
});
export type TaskView = z.infer<typeof taskView>;
