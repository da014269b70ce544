// Apps and their workloads: requests that check and apply specs, and views of what specs declare.

import { z } from "zod";
import { KINDS } from "../../core/model/workload";
import { int, ms } from "../scalars";
import { doneAnswer, environment } from "./answers";
import { changeView, planView } from "./plans";
import { runView } from "./runs";
import { taskView } from "./tasks";

export const workloadView = z
  .object({
    name: z.string(),
    app: z.string(),
    project: z.string(),
    user: z.string(),
    kind: z.enum(KINDS),
    version: int,
    replicas: int,
    removing: z.boolean().describe("it goes when its last task is over"),
    running: int.describe("how many of its tasks run now"),
    pending: int.describe("how many of its slots wait"),
    last_run: z.object({ run: int, state: z.string() }).nullable(),
  })
  .meta({ id: "Workload" });
export type WorkloadView = z.infer<typeof workloadView>;

export const workloadDetail = workloadView.extend({
  spec: z
    .record(z.string(), z.unknown())
    .nullable()
    .describe("without its environment; null for callers who may not see its inside"),
  ...environment,
  settings: z.record(z.string(), z.unknown()),
  tasks: z
    .array(taskView)
    .describe("what lives and what waits; of a job also the newest tasks of its last run that are over"),
  // Servers of earlier releases do not tell it.
  newest_run: runView.nullable().default(null).describe("the last run of a job, as it is now"),
});
export type WorkloadDetail = z.infer<typeof workloadDetail>;

export const appView = z
  .object({
    name: z.string(),
    project: z.string(),
    revision: int.describe("rises with each change of it"),
    changed_by: z.string(),
    changed_ms: ms,
    removing: z.boolean(),
    workloads: z.array(workloadView),
  })
  .meta({ id: "App" });
export type AppView = z.infer<typeof appView>;

export const appDetail = appView.extend({
  text: z.string().nullable().describe("the spec as it was applied; null for callers who may not see its environment"),
});
export type AppDetail = z.infer<typeof appDetail>;

// ---- requests
const text = z.string().describe("the [spec file](spec.md) as text, YAML or JSON");
const file = z.string().default("spec.yaml").describe("what errors call it");

const EXAMPLE = {
  text: "app: shop\nservices:\n  web: { run: exec sleep 3600, replicas: 2 }\njobs:\n  prep: { run: date }\n",
};

/** `PUT /v1/apps/{project}/{app}` and `POST /v1/plan`: the spec's text travels, the server has the one parser. */
export const applyRequest = z
  .object({
    text,
    file,
    revision: int
      .nullable()
      .default(null)
      .describe("the app's revision that the shown plan was made of; left out: any; 0: the app is to be new"),
  })
  .meta({ examples: [EXAMPLE] });

export const applyAnswer = z.object({
  app: z.string(),
  project: z.string(),
  revision: int,
  runs: z.array(int).describe("the runs that it began"),
  changes: z.array(changeView).describe("what the spec itself changed, in words: one entry an object"),
  goes: planView.shape.goes,
});

/** The answer to a spec without issues: what it declares. A spec with issues is refused with the code `spec`. */
export const validateRequest = z.object({ text, file }).meta({ examples: [EXAMPLE] });

export const validateAnswer = z.object({
  app: z.string(),
  project: z.string(),
  workloads: z.array(z.object({ name: z.string(), kind: z.string() })),
});

export const scaleAnswer = doneAnswer.extend({ goes: planView.shape.goes });
export const scaleRequest = z.object({ replicas: int }).meta({ examples: [{ replicas: 3 }] });
