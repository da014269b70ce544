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
  method_not_allowed: 405,
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

/** What each code means, and what its reader may do. */
export const ERROR_MEANS: Readonly<Record<ErrorCode, string>> = {
  bad_request: "the query, the body or a header is not of this route; `issues` says where",
  spec: "the text is no spec; `issues` has every fault with its line and column",
  unsatisfiable: "no known node could ever run this; `wait_for_nodes` asks for it anyway",
  unauthenticated: "no token came, or it is wrong, expired or revoked",
  forbidden: "the token's role or project is not enough",
  not_found: "there is no such thing, or no such address",
  method_not_allowed: "the address is there, with other methods: the header `allow` names them",
  conflict: "the thing is in a state in which this cannot be done",
  changed_meanwhile: "the app is at another revision than `revision`: look at it, then ask again",
  key_reused: "the `Idempotency-Key` has been used for another request",
  gone: "a dated `Idempotency-Key` is too old: whether the request was done is no longer known",
  too_large: "the address or the body is too long",
  unsupported: "the body is not `application/json` in UTF-8",
  wrong_host: "the server is not called as the header `host` says: `--host NAME`",
  too_many: "you use as much at once as one may: wait as long as `retry-after` says",
  internal: "a bug of orch; the server's log says more under the id in the message",
  unavailable: "the node or the disk that is needed does not answer now: try again",
  storage_full: "the server's disk is full",
};

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
