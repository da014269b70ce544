// Runs: views, and requests to make, cancel, retry and settle them.

import { z } from "zod";
import { HOUSE_LIMITS } from "../../core/limits";
import { RUN, type RunState } from "../../core/model/lifecycle";
import { inputRef, sha256 } from "../nouns";
import { int, ms } from "../scalars";
import { endCause, environment } from "./answers";
import { smallest_changes } from "./plans";
import { arrayView } from "./arrays";
import { blockedKind, taskView } from "./tasks";

export const runView = z
  .object({
    run: int.describe("its number, never used twice"),
    name: z.string(),
    project: z.string(),
    user: z.string(),
    priority: z.int(),
    state: z.enum(Object.keys(RUN) as [RunState, ...RunState[]]).describe("the last three are final"),
    position: int
      .nullable()
      .describe(
        "among all that waits for room, replicas too, from 1; null for what does not wait, or cannot run on any node",
      ),
    blocked: blockedKind,
    ahead_gpu_hours: z.number().nullable().describe("what is asked for by those before it in the queue"),
    start_estimate_ms: ms.nullable(),
    reason: z.string().nullable().describe("why it waits, or ended as it did, for people"),
    app: z.string().nullable().describe("null for a run that is of no app"),
    workload: z.string().nullable(),
    version: int,
    time_limit_ms: int.nullable().describe("the longest time of one attempt; null is no limit"),
    nodes: z
      .array(z.string())
      .nullable()
      .describe(
        "where the tasks of its newest attempt are or were, of an array where its elements are; null in a stream of " +
          "changes",
      ),
    command: z
      .string()
      .nullable()
      .describe(
        `in one line, in a list at most ${HOUSE_LIMITS.command_chars} characters of it; a single run has all of it ` +
          "with its lines; null for those who may not see its inside, and in a stream of changes",
      ),
    created_ms: ms,
    started_ms: ms.nullable(),
    finished_ms: ms.nullable(),
    exit_code: z.int().nullable(),
    signal: z.string().nullable().describe("that ended it"),
    cause: endCause.nullable().describe("why it ended so, where the exit code and the signal do not say it"),
    cancelled_by: z.string().nullable(),
    unknown: int.describe(
      "how many of its members have an end that nobody knows: a person decides (`settle`, `retry`)",
    ),
    array: arrayView.nullable().default(null).describe("of a run of many elements, how far it is"),
  })
  .meta({ id: "Run" });
export type RunView = z.infer<typeof runView>;

/** Servers of earlier releases know no input. */
const shownInput = z.object({
  bytes: int,
  sha256: sha256.nullable().describe("null for those who may not see the output of the run"),
});

/** What a run asks of a node. Amounts that were not asked for are what its newest task got, or null before. */
const runRequested = z.object({
  cpu_milli: int.nullable(),
  memory_bytes: int.nullable(),
  disk_bytes: int,
  gpu: z.string().nullable().describe("in the words of the spec file"),
  countables: z.record(z.string(), z.number()),
  defaults: z.array(z.enum(["cpu_milli", "memory_bytes"])).describe("what was not asked for, and gives way"),
  nodes: int.describe("how many at once"),
});

/** `next` asks for older tasks of a run that has many. */
export const runDetail = runView.extend({
  stdin: shownInput.nullable().default(null).describe("what each attempt reads from standard input; null is nothing"),
  request: runRequested.nullable().describe("null if its spec is no longer there"),
  workdir: z.string().nullable(),
  labels: z.record(z.string(), z.string()),
  ...environment,
  after: z.array(z.object({ name: z.string(), when: z.string(), met: z.boolean().nullable() })),
  waited_ms: int.describe("from when it was made to its first start, or to now"),
  smallest_change: z
    .string()
    .nullable()
    .default(null)
    .describe("what of its request would have to change to let it run, while it waits, in one text"),
  smallest_changes,
  waited_for: z.string().nullable().describe("what it waits for, or waited for last before it began"),
  logs: z
    .array(z.object({ task: z.string(), node: z.string(), path: z.string().nullable() }))
    .describe(
      "the directory of each task on its node, with `stdout` and `stderr`; null if its agent is too old to say",
    ),
  tasks: z.array(taskView),
  next: z.string().nullable().describe("asks for older tasks of a run that has many"),
});
export type RunDetail = z.infer<typeof runDetail>;

export const runRequest = z
  .object({
    name: z.string().nullable().default(null).describe("left out: the name of its program"),
    project: z.string().nullable().default(null).describe("left out: the user's own"),
    job: z
      .record(z.string(), z.unknown())
      .describe("one job entry in the [spec file's grammar](spec.md), as an object"),
    wait_for_nodes: z.boolean().default(false).describe("queues it also if no known node could ever run it"),
    stdin: inputRef
      .optional()
      .describe("what it reads from standard input: the caller's own upload by `PUT /v1/inputs/{sha256}`"),
  })
  .meta({ examples: [{ job: { run: "echo started; sleep 2; echo done", resources: { cpu: 1 } } }] });

export const retryAnswer = runView.extend({
  retry_of: int
    .nullable()
    .default(null)
    .describe("the ended run of which this one is another; null: it goes on itself"),
});

export const runAnswer = z.object({
  run: int,
  name: z.string(),
  state: z.string(),
  nodes: z
    .array(z.string())
    .default([])
    .describe("where it was placed at once; empty if it waits, and in a repeated answer"),
});
export type RunAnswer = z.infer<typeof runAnswer>;

/** `POST /v1/workloads/{project}/{app}/{job}/run`: a job of an app once more. */
export const runAgainRequest = z.object({
  /** What is added to its command. */
  args: z.array(z.string()).default([]),
  /** Variables that are added to its own, or replace them. */
  env: z.record(z.string(), z.string()).default({}),
  wait_for_nodes: z.boolean().default(false),
  stdin: inputRef.optional(),
});

export const inputAnswer = z.object({ received_bytes: int.describe("how much of it is at the server by now") });

export const settleRequest = z
  .object({ as: z.enum(["succeeded", "failed"]).describe("how it ended, as a person has found out") })
  .meta({ examples: [{ as: "succeeded" }] });

export const cancelRequest = z
  .object({
    signal: z.string().nullable().default(null).describe("the first signal, such as `INT`; left out: the spec's"),
  })
  .meta({ examples: [{}] });
