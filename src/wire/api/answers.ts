// Answers that belong to no resource: lists, what has no more to say, and that the server is up.

import { z } from "zod";
import { int } from "../numbers";

/** Lists are named arrays; `next` continues a long one. */
export const list = <N extends string, T extends z.ZodType>(name: N, item: T) =>
  z.object({ [name]: z.array(item), next: z.string().nullable() } as Record<N, z.ZodArray<T>> & {
    next: z.ZodNullable<z.ZodString>;
  });

/** What a change that has no more to say answers. */
export const doneAnswer = z.object({ revision: int });

export const healthView = z.object({ status: z.literal("ok"), version: z.string() });
