// Apps and their workloads: requests that check and apply specs, and views of what specs declare.

import { z } from "zod";
import { KINDS } from "../../core/model/workload";
import { int, ms } from "../scalars";
import { planView } from "./plans";
import { taskView } from "./tasks";

export const workloadView = z.object({
  name: z.string(),
  app: z.string(),
  project: z.string(),
  user: z.string(),
  kind: z.enum(KINDS),
  version: int,
  replicas: int,
  removing: z.boolean(),
  /** How many tasks run now, and how many slots wait. */
  running: int,
  pending: int,
  last_run: z.object({ run: int, state: z.string() }).nullable(),
});
export type WorkloadView = z.infer<typeof workloadView>;

export const workloadDetail = workloadView.extend({
  /** The workload's spec. Null for callers who may not see its environment. */
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

/** `text` is the spec as it was applied. Null for callers who may not see its environment. */
export const appDetail = appView.extend({ text: z.string().nullable() });
export type AppDetail = z.infer<typeof appDetail>;
// ---- requests
/** `PUT /v1/apps/{project}/{app}` and `POST /v1/plan`: the spec's text travels, the server has the one parser. */
export const applyRequest = z.object({
  text: z.string(),
  file: z.string(),
  /** The app's revision on which the shown plan was based. Null accepts any revision; 0 demands that the app is new. */
  revision: int.nullable(),
});

export const applyAnswer = z.object({
  app: z.string(),
  project: z.string(),
  revision: int,
  runs: z.array(int),
  changes: planView.shape.changes,
});

/** The answer to a spec without issues: what it declares. A spec with issues is refused with the code `spec`. */
export const validateRequest = z.object({ text: z.string(), file: z.string() });

export const validateAnswer = z.object({
  app: z.string(),
  project: z.string(),
  workloads: z.array(z.object({ name: z.string(), kind: z.string() })),
});

export const scaleRequest = z.object({ replicas: int });
