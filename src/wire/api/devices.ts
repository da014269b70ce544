// Cards as `orch nodes` and `orch gpus` show them: what is known of each, what is promised, what is really used and by
// whom.

import { z } from "zod";
import { nodeState } from "./drains";
import { VENDORS, DEVICE_STATES, LINK_KINDS } from "../../core/model/device";

import { reading as told } from "../nouns";
import { int, ms } from "../numbers";

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

const promise = z.object({
  /** The short id of the task, or of the orphan, that holds it. */
  task_id: z.string(),
  task: z.string(),
  /** `null`: an orphan's is not known. */
  user: z.string().nullable(),
  /** `null` is the whole card. */
  memory_bytes: int.nullable(),
});

const process = z.object({
  pid: int,
  user: z.string().nullable(),
  command: z.string(),
  memory_bytes: int.nullable(),
  /** Whether orch did not start it. */
  foreign: z.boolean(),
  task_id: z.string().nullable(),
  /** `null` also for a task that is over for the server. */
  task: z.string().nullable(),
});

const reading = told.omit({ id: true }).extend({ processes: z.array(process) });

export const gpuView = deviceView.extend({
  vendor: z.enum(VENDORS),
  state: z.enum(DEVICE_STATES),
  node: z.string(),
  node_state: nodeState,
  /** Its place in the order of the bus. */
  index: int,
  pci: z.string().nullable(),
  numa_node: int.nullable(),
  driver: z.string().nullable(),
  links: z.array(z.object({ id: z.string(), kind: z.enum(LINK_KINDS) })),
  compute_mode: z.enum(["shared", "exclusive", "prohibited"]).nullable(),
  ecc: z.boolean().nullable(),
  promised: z.array(promise),
  /** Memory that tasks were promised; all of it when one has the whole card. */
  promised_bytes: int,
  /** Memory of processes that orch did not start, as the plan counts it, and who that is. */
  foreign_bytes: int,
  foreign: z.string().nullable(),
  /** What the card showed last; `null`: nothing was told yet. */
  reading: reading.nullable(),
});
export type GpuView = z.infer<typeof gpuView>;
