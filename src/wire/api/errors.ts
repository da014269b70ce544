// Refusals as they travel: a stable code, words for people, and every place in a text that is wrong.

import { z } from "zod";
import type { Issue } from "../../spec/issue";
import { int } from "../scalars";

/** Stable codes of refusals. The HTTP status and the CLI's exit code follow from them. */
export const ERROR_STATUS = {
  bad_request: 400,
  spec: 422,
  unsatisfiable: 422,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  changed_meanwhile: 409,
  key_reused: 409,
  gone: 410,
  too_large: 413,
  unsupported: 415,
  wrong_host: 421,
  too_many: 429,
  internal: 500,
  unavailable: 503,
  storage_full: 507,
} as const;
export type ErrorCode = keyof typeof ERROR_STATUS;

/** One fault in a text, with its place. Lines and columns count from 1; 0 means that there is no place. */
export const issue = z.object({
  line: int,
  column: int,
  path: z.string(),
  message: z.string(),
  hint: z.string().nullable(),
}) satisfies z.ZodType<Issue>;

export const errorBody = z.object({
  error: z.object({
    code: z.enum(Object.keys(ERROR_STATUS) as [ErrorCode, ...ErrorCode[]]),
    message: z.string(),
    hint: z.string().nullable(),
    issues: z.array(issue),
  }),
});
export type ErrorBody = z.infer<typeof errorBody>;
