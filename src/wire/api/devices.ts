// Cards as `orch nodes` and `orch gpus` show them: facts, promises, and real use.

import { z } from "zod";
import { nodeState } from "./drains";
import { VENDORS, DEVICE_STATES } from "../../core/model/device";

import { device, reading as told } from "../nouns";
import { int, ms } from "../scalars";

export const deviceView = z.object({
  id: z.string(),
  vendor: z.string(),
  model: z.string(),
  memory_bytes: int,
  state: z.string(),
  reason: z.string().nullable(),
  /** When the state last changed. */
  state_ms: ms,
  /** The id of the card that this one is a part of. */
  parent: z.string().nullable(),
  task_ids: z.array(z.string()),
});

const promise = z.object({
  /** The short id of the task, or of the orphan, that holds the promise. */
  task_id: z.string(),
  task: z.string(),
  /** Null for an orphan, whose user is unknown. */
  user: z.string().nullable(),
  /** Null means the whole card. */
  memory_bytes: int.nullable(),
});

const process = z.object({
  pid: int,
  user: z.string().nullable(),
  command: z.string(),
  memory_bytes: int.nullable(),
  /** Whether orch did not start the process. */
  foreign: z.boolean(),
  task_id: z.string().nullable(),
  /** Null for a foreign process, and for a task that has ended for the server. */
  task: z.string().nullable(),
});

const reading = told.omit({ id: true }).extend({ processes: z.array(process) });

export const gpuView = deviceView.extend({
  vendor: z.enum(VENDORS),
  state: z.enum(DEVICE_STATES),
  node: z.string(),
  node_state: nodeState,
  /** The card's position in the order of the bus. */
  index: int,
  pci: z.string().nullable(),
  numa_node: int.nullable(),
  driver: z.string().nullable(),
  links: device.shape.links,
  compute_mode: device.shape.compute_mode,
  ecc: z.boolean().nullable(),
  promised: z.array(promise),
  /** Memory that is promised to tasks. If one task has the whole card, all of the card's memory. */
  promised_bytes: int,
  /** Memory used by processes that orch did not start, as the plan counts it, and the names of those processes. */
  foreign_bytes: int,
  foreign: z.string().nullable(),
  /** The newest reading, or null if none has been reported yet. */
  reading: reading.nullable(),
});
export type GpuView = z.infer<typeof gpuView>;
