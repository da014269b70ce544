// Answers that belong to no resource: lists, changes without further result, and health.

import { z } from "zod";
import { int } from "../scalars";

/** Makes the schema of a list: a named array, and `next` to continue a long one. */
export const list = <N extends string, T extends z.ZodType>(name: N, item: T) =>
  z.object({ [name]: z.array(item), next: z.string().nullable() } as Record<N, z.ZodArray<T>> & {
    next: z.ZodNullable<z.ZodString>;
  });

/** The answer to a change without further result. */
export const doneAnswer = z.object({ revision: int });

/** A stranger may ask this, so it says nothing of the release. Earlier servers do, which is ignored. */
export const healthView = z.object({ status: z.literal("ok") });
