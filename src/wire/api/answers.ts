// Answers that belong to no resource: lists, changes without further result, and health.

import { z } from "zod";
import { END_CAUSES, type EndCause } from "../../core/model/end";
import { int } from "../scalars";

/** Why something ended, where its state, exit code and signal do not say it. */
export const endCause = z.enum(Object.keys(END_CAUSES) as [EndCause, ...EndCause[]]);

/** Makes the schema of a list: a named array, and `next` to continue a long one. */
export const list = <N extends string, T extends z.ZodType>(name: N, item: T) =>
  z.object({ [name]: z.array(item), next: z.string().nullable() } as Record<N, z.ZodArray<T>> & {
    next: z.ZodNullable<z.ZodString>;
  });

/** A document that no schema of ours describes. */
export const anyDocument = z.record(z.string(), z.unknown());

/** The answer to a change without further result. */
export const doneAnswer = z.object({ revision: int });

/** A stranger may ask this, so it says nothing of the release. Earlier servers do, which is ignored. */
export const healthView = z.object({ status: z.literal("ok") });

/** The environment variables of a run or workload: their values only when they are asked for. */
export const environment = {
  env: z
    .array(z.string())
    .nullable()
    .default(null)
    .describe("the names of its variables; null for those who may not see its inside"),
  env_values: z
    .record(z.string(), z.string())
    .nullable()
    .default(null)
    .describe("its variables with their values, if they were asked for with `values`; else null"),
};
