// A request that is refused for a reason of its own: thrown by handlers and transactions, made an answer in one place.

import type { Issue } from "../spec/issue";
import { ERROR_STATUS, type ErrorBody, type ErrorCode } from "../wire/api/errors";

export class RefusedError extends Error {
  override name = "RefusedError";
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly hint: string | null = null,
    readonly issues: readonly Issue[] = [],
  ) {
    super(message);
  }
}

export const notFound = (what: string, hint: string | null = null): RefusedError =>
  new RefusedError("not_found", what, hint);

/** The one form of every error that leaves the server. */
export function errorAnswer(code: ErrorCode, message: string, hint: string | null, issues: readonly Issue[]): Response {
  const body: ErrorBody = { error: { code, message, hint, issues: [...issues] } };
  return Response.json(body, { status: ERROR_STATUS[code] });
}
