// Tasks, and slots that wait, as `orch ps` shows them.

import { z } from "zod";
import { TASK, type TaskState } from "../../core/model/lifecycle";
import { KINDS } from "../../core/model/workload";
import { int, ms } from "../scalars";
import { endCause } from "./answers";
import { arrayProgress } from "./arrays";

/** A slot that waits for its task is pending. */
export const taskState = z.enum(["pending", ...(Object.keys(TASK) as TaskState[])]);

/** Servers of earlier releases do not say it. */
export const blockedKind = z
  .enum(["queued", "unsatisfiable"])
  .nullable()
  .default(null)
  .describe("of what waits for room: time may help, or no known node can do it as it is; else null");

export const taskView = z
  .object({
    id: z.string().nullable().describe("short id; null while the slot waits for a task"),
    name: z.string().describe("`shop.web.0`, or a run's number and `_SLOT`; `#2` behind it is a further attempt"),
    project: z.string(),
    user: z.string().describe("who asked for it"),
    app: z.string().nullable().describe("null for a run that is of no app"),
    workload: z.string(),
    kind: z.enum(KINDS),
    version: int.describe("of the workload's spec"),
    run: int.nullable().describe("of a job"),
    slot: int,
    member: int.describe("of a gang"),
    attempt: int.describe("of a task of an array: which one of each of its elements"),
    elements: z
      .string()
      .nullable()
      .default(null)
      .describe("of a task that runs elements of an array: their numbers, such as `0-99`"),
    batch: z
      .object({
        total: int,
        over: int.describe("of which this attempt is over"),
        failed: int.default(0).describe("of which it is over and has not succeeded, also those that are tried again"),
      })
      .nullable()
      .default(null)
      .describe("of a task that runs elements of an array: how many they are"),
    array: arrayProgress.nullable().default(null).describe("how far the array is whose elements it runs"),
    crashes: int.describe(
      "how often its slot has crashed in a row under this version; 0 once this attempt runs stably",
    ),
    node: z.string().nullable(),
    desired: z.enum(["prepare", "run", "stop"]).describe("what is wanted of it"),
    state: taskState,
    reason: z.string().nullable().describe("why it waits, or ended as it did, for people"),
    blocked: blockedKind,
    health: z.string().nullable(),
    pid: int.nullable(),
    exit_code: z.int().nullable(),
    signal: z.string().nullable().describe("that ended it"),
    cause: endCause.nullable().describe("why it ended so, where the exit code and the signal do not say it"),
    devices: z.array(z.string()).describe("the ids of its cards"),
    ports: z.record(z.string(), int).describe("its published ports by name"),
    peak_memory_bytes: int.nullable(),
    created_ms: ms,
    started_ms: ms.nullable(),
    finished_ms: ms.nullable(),
  })
  .meta({ id: "Task" });
export type TaskView = z.infer<typeof taskView>;
