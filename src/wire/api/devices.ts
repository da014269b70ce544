// Cards as `orch nodes` and `orch gpus` show them: facts, promises, and real use.

import { z } from "zod";
import { nodeState } from "./drains";
import { VENDORS, DEVICE_STATES } from "../../core/model/device";

import { device, reading as told } from "../nouns";
import { int, ms, title } from "../scalars";

export const deviceView = z
  .object({
    id: z.string(),
    vendor: z.string(),
    model: z.string(),
    memory_bytes: int,
    state: z.string(),
    reason: z.string().nullable(),
    state_ms: ms.describe("when the state last changed"),
    parent: z.string().nullable().describe("the id of the card that this one is a part of"),
    task_ids: z.array(z.string()).describe("who it is promised to"),
  })
  .meta({ id: "Device" });

const promise = z.object({
  task_id: z.string().describe("of the task, or of the orphan, that holds the promise"),
  task: z.string(),
  title,
  user: z.string().nullable().describe("null for an orphan, whose user is unknown"),
  memory_bytes: int.nullable().describe("null is the whole card"),
});

const process = z.object({
  pid: int,
  user: z.string().nullable(),
  command: z.string(),
  memory_bytes: int.nullable(),
  foreign: z.boolean().describe("orch did not start it"),
  task_id: z.string().nullable(),
  task: z.string().nullable().describe("null for a foreign process, and for a task that has ended for the server"),
  title,
});

const reading = told.omit({ id: true }).extend({ processes: z.array(process) });

export const gpuView = deviceView
  .extend({
    vendor: z.enum(VENDORS),
    state: z.enum(DEVICE_STATES),
    node: z.string(),
    node_state: nodeState,
    index: int.describe("its position in the order of the bus"),
    pci: z.string().nullable(),
    numa_node: int.nullable(),
    driver: z.string().nullable(),
    links: device.shape.links,
    compute_mode: device.shape.compute_mode,
    ecc: z.boolean().nullable(),
    promised: z.array(promise),
    promised_bytes: int.describe("memory that is promised to tasks: all of it, if one task has the whole card"),
    foreign_bytes: int.describe("memory used by processes that orch did not start, as the plan counts it"),
    foreign: z.string().nullable().describe("the names of those processes"),
    reading: reading.nullable().describe("the newest one; null if none has been reported yet"),
  })
  .meta({ id: "Card" });
export type GpuView = z.infer<typeof gpuView>;
